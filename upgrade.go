package engram

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// UpgradeOptions say what to upgrade. The zero value is every space, as fast as it goes, with the way back left open.
type UpgradeOptions struct {
	// Spaces are the names of the spaces to upgrade; empty means all that exist.
	Spaces []string `json:"spaces,omitempty" min:"1"`
	// Finish removes what was kept aside of each space once it is upgraded and verified: there is no way back then.
	Finish bool `json:"finish,omitempty"`
	// BytesPerSecond bounds how much is read and written, so that others have the disk too; 0 is no bound.
	BytesPerSecond int64 `json:"bytes_per_second,omitempty" min:"0"`
}

// UpgradeReport says what an upgrade did.
type UpgradeReport struct {
	Spaces []UpgradedSpace `json:"spaces"`
}

// UpgradedSpace is one space of an upgrade. Sizes are in bytes.
type UpgradedSpace struct {
	Space string `json:"space"`
	// Files are those of an earlier format version that were written anew, by their names in the space's directory.
	Files []string `json:"files"`
	// BytesBefore and BytesAfter are those of the segments among them.
	BytesBefore int64 `json:"bytes_before"`
	BytesAfter  int64 `json:"bytes_after"`
	// KeptAside is what is kept of the space as it was before; nil if nothing is, or no longer.
	KeptAside *KeptAside `json:"kept_aside,omitempty"`
	// Finished says that it was removed now.
	Finished bool `json:"finished"`
}

// KeptAside is what is kept of a space as it was before anything was written in a newer format version.
type KeptAside struct {
	// At is when it was kept; zero if that cannot be read any more.
	At time.Time `json:"at,omitzero"`
	// Bytes is what it takes of the disk: copies, and files that have been replaced since.
	Bytes int64 `json:"bytes"`
}

// Upgrade writes every file of an earlier format version anew in today's, now, while others read and write, and
// verifies the spaces. Without it that happens bit by bit: a directory of an earlier version can be used at once.
//
// What a space was before is kept aside from the moment on at which this version first opens it, and Upgrade leaves it
// there, so that [Options.UndoUpgrade] finds the way back; Finish removes it. A damaged file is not written anew, and
// finishing is refused with a *CorruptError while something is damaged: what was kept may be the only whole copy. What
// was erased since is still in what is kept.
//
// The spaces in the report are done. One that fails keeps no other from its turn; the error tells of all that did.
func (db *DB) Upgrade(ctx context.Context, o UpgradeOptions) (UpgradeReport, error) {
	report := UpgradeReport{Spaces: []UpgradedSpace{}}
	if o.BytesPerSecond < 0 {
		return report, &InvalidError{
			Field: "bytes_per_second", Value: fmt.Sprint(o.BytesPerSecond), Allowed: "use 1 or more, or 0 for no bound",
		}
	}
	names, err := db.namedSpaces(ctx, o.Spaces, "upgraded")
	if err != nil {
		return report, err
	}
	var errs []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return report, errors.Join(append(errs, err)...)
		}
		space, err := db.Space(name)
		var one UpgradedSpace
		if err == nil {
			one, err = space.upgrade(ctx, o)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		report.Spaces = append(report.Spaces, one)
	}
	return report, errors.Join(errs...)
}

func (s *Space) upgrade(ctx context.Context, o UpgradeOptions) (UpgradedSpace, error) {
	out := UpgradedSpace{Space: s.name, Files: []string{}}
	err := s.with(ctx, "upgrade", s.name == DefaultSpace, func(sp *store.Space) error {
		files, err := sp.Earlier()
		if err != nil {
			return err
		}
		kept := keptAside(sp)
		if len(files) == 0 && (kept == nil || !o.Finish) {
			out.KeptAside = kept
			return nil
		}
		if err := s.db.upgradeModel(s.name, sp); err != nil {
			return err
		}
		r, err := sp.Upgrade(ctx, store.UpgradeOptions{Pace: pace(ctx, o.BytesPerSecond)})
		out.Files = append(out.Files, files...)
		out.BytesBefore, out.BytesAfter = r.BytesBefore, r.BytesAfter
		if err = errors.Join(append(r.Left, err)...); err != nil {
			return err
		}
		if err := s.verifyUpgraded(ctx, o); err != nil {
			return err
		}
		if o.Finish {
			out.Finished = kept != nil
			if err := sp.FinishUpgrade(ctx); err != nil {
				return err
			}
		}
		out.KeptAside = keptAside(sp)
		return nil
	})
	return out, err
}

// verifyUpgraded verifies the space before anything that is kept of it may go.
func (s *Space) verifyUpgraded(ctx context.Context, o UpgradeOptions) error {
	report, err := s.VerifyPaced(ctx, VerifyOptions{BytesPerSecond: o.BytesPerSecond})
	kept := filepath.Join(s.db.spaceDir(s.name), store.AsideDir) + string(filepath.Separator)
	report.Problems = slices.DeleteFunc(report.Problems, func(p Problem) bool {
		return o.Finish && strings.HasPrefix(p.File, kept) // it is to go
	})
	if err != nil || len(report.Problems) == 0 {
		return err
	}
	p := report.Problems[0]
	return fmt.Errorf("upgrade space %s: %d problems, such as %s at byte %d: %s: %w", s.name, len(report.Problems),
		p.File, p.Offset, p.What, ErrCorrupt)
}

// keptAside tells what is kept of a space; nil if nothing is.
func keptAside(sp *store.Space) *KeptAside {
	k := sp.Kept()
	if k == nil {
		return nil
	}
	out := &KeptAside{Bytes: k.SizeBytes}
	if k.At != store.NoTime {
		out.At = fromNanos(k.At)
	}
	return out
}

// UndoOptions say how to undo an upgrade.
type UndoOptions struct {
	// DiscardNewer lets go of what was written since. Without it UndoUpgrade is refused if there is something.
	DiscardNewer bool
}

// UndoReport says what UndoUpgrade did.
type UndoReport struct {
	// Spaces are those that are again what they were.
	Spaces []UndoneSpace `json:"spaces"`
	// Left are the names of those of which nothing is kept: they stay as they are. An earlier Engram opens such a space
	// only if this version never wrote to it.
	Left []string `json:"left"`
}

// UndoneSpace is one space whose upgrade was undone.
type UndoneSpace struct {
	Space string    `json:"space"`
	At    time.Time `json:"at,omitzero"` // as of when it is
	// Position is that of its last write, Newer how many writes came after it and are gone.
	Position uint64 `json:"position"`
	Newer    uint64 `json:"newer"`
}

// UndoUpgrade makes the spaces of the directory dir what they were when this version first opened them, to the byte, so
// that the earlier Engram opens them again. What was written since is gone then: if there is something, nothing is
// changed, and the error, an ErrConflict, says how much of which space, until o allows it. ErrNotFound means that
// nothing is kept of any space: it was never upgraded, or that was finished. A *CorruptError means that something of
// what is kept is damaged or missing; nothing is changed then either.
//
// The directory must not be in use by a process. If UndoUpgrade is interrupted, each space is what it was before or
// what it becomes; one that is in between is refused by earlier versions, and this one goes on when it opens the space,
// or with another UndoUpgrade.
func (o Options) UndoUpgrade(ctx context.Context, dir string, how UndoOptions) (UndoReport, error) {
	report := UndoReport{Spaces: []UndoneSpace{}, Left: []string{}}
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return report, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return report, fmt.Errorf("undo the upgrade of %s: %w", dir, err)
	}
	entries, err := o.fs.ReadDir(filepath.Join(dir, spacesDir))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("it is not a data directory: %w: %w", err, ErrNotFound)
	}
	if err != nil {
		return report, fmt.Errorf("undo the upgrade of %s: %w", dir, err)
	}
	lock, err := o.fs.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return report, fmt.Errorf("lock data directory: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written under it
	todo, spaces, left, err := o.undoable(dir, entries, how)
	if err != nil {
		return report, err
	}
	report.Left = append(report.Left, left...)
	for i, so := range todo {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		if err := store.PutBack(so); err != nil {
			return report, err
		}
		report.Spaces = append(report.Spaces, spaces[i])
	}
	return report, nil
}

// undoable looks at all spaces before anything is changed: what there is to do, what is told of it, and the names of
// spaces of which nothing is kept.
func (o Options) undoable(
	dir string, entries []string, how UndoOptions,
) (todo []store.Options, spaces []UndoneSpace, left []string, err error) {
	var errs []error
	for _, e := range entries {
		name, ok := strings.CutPrefix(e, spacePrefix)
		if !ok || validSpaceName(name) != nil {
			continue
		}
		so := store.Options{
			FS: o.fs, Dir: filepath.Join(dir, spacesDir, e), Name: name, Lexical: o.lexical(), Beside: besides,
		}
		u, err := store.LookUndo(so)
		switch {
		case err != nil:
			errs = append(errs, err)
		case u == nil:
			left = append(left, name)
		default:
			one, err := undoneSpace(name, u, how)
			errs = append(errs, err)
			spaces, todo = append(spaces, one), append(todo, so)
		}
	}
	err = errors.Join(errs...)
	if err == nil && len(todo) == 0 {
		err = fmt.Errorf("undo the upgrade of %s: nothing is kept of what it was: %w", dir, ErrNotFound)
	}
	return todo, spaces, left, err
}

// undoneSpace says what undoing will do to a space, and refuses what would be lost.
func undoneSpace(name string, u *store.Undo, how UndoOptions) (UndoneSpace, error) {
	out := UndoneSpace{Space: name, Position: u.Position, Newer: u.Newer}
	if u.At != 0 {
		out.At = fromNanos(u.At)
	}
	var gone []string
	switch u.Newer {
	case 0:
	case 1:
		gone = append(gone, fmt.Sprintf("1 write behind position %d", u.Position))
	default:
		gone = append(gone, fmt.Sprintf("%d writes behind position %d", u.Newer, u.Position))
	}
	for _, name := range u.Beside {
		gone = append(gone, "what "+name+" says now")
	}
	if u.Unsure != nil {
		gone = append(gone, fmt.Sprintf("what cannot be told for sure: %v", u.Unsure))
	}
	if len(gone) == 0 || how.DiscardNewer {
		return out, nil
	}
	return out, fmt.Errorf("undo the upgrade of space %s: since %s it took what would be lost: %s: export it first, "+
		"and discard it then (--discard-newer): %w", name, out.At.Format(time.RFC3339), strings.Join(gone, "; "),
		ErrConflict)
}
