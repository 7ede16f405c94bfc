package engram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/backup"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// BackupOptions say what a backup holds. The zero value is a full backup of every space.
type BackupOptions struct {
	// Spaces are the names of the spaces to back up; empty means all that exist.
	Spaces []string `json:"spaces,omitempty" min:"1"`
	// After makes the backup incremental: for each space named here it holds only what was written after that position,
	// the To of the backup before. A space whose log no longer reaches back that far (Options.LogKeepBytes), or that
	// is not named, is backed up in full.
	After map[string]uint64 `json:"after,omitempty"`
}

// BackupReport says what a backup holds.
type BackupReport struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the whole stream, in hex
	// Spaces are in the order of the stream.
	Spaces []BackupSpace `json:"spaces"`
}

// BackupSpace is one space in a backup.
type BackupSpace struct {
	Space string `json:"space"`
	Full  bool   `json:"full"`
	// From and To are log positions: a full backup holds everything up to To, an incremental one what came after From,
	// up to To.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Backup writes spaces as one stream to w, beside readers and writers: each as it is visible when its turn comes, with
// its fitted weights, so that what was acknowledged before Backup was called is in it. Every record is verified as it
// is read; damage ends the backup with a *CorruptError, since a copy of damage is no backup. After an error what was
// written to w is not a backup, and [DB.Restore] refuses it.
//
// While a space is being written none of its files is removed and its log is not trimmed: a slow w costs disk, never
// waiting writers.
func (db *DB) Backup(ctx context.Context, w io.Writer, o BackupOptions) (BackupReport, error) {
	names, err := db.backupNames(ctx, o)
	if err != nil {
		return BackupReport{}, err
	}
	sum := sha256.New()
	out, err := backup.NewWriter(io.MultiWriter(w, sum))
	if err != nil {
		return BackupReport{}, err
	}
	report := BackupReport{Spaces: []BackupSpace{}}
	for _, name := range names {
		space, err := db.Space(name)
		if err != nil {
			return report, err
		}
		err = space.with(ctx, "backup", name == DefaultSpace, func(sp *store.Space) error {
			side, err := db.models.sideFile(name)
			if err != nil {
				return err
			}
			section, err := sp.Backup(ctx, out, o.After[name], side)
			report.Spaces = append(report.Spaces, BackupSpace{
				Space: name, Full: section.Full, From: section.From, To: section.To,
			})
			return err
		})
		if err != nil {
			return report, err
		}
	}
	if err := out.End(); err != nil {
		return report, err
	}
	report.Bytes, report.SHA256 = out.Bytes(), hex.EncodeToString(sum.Sum(nil))
	return report, nil
}

// backupNames lists the spaces of a backup, each once, and refuses names that mean nothing.
func (db *DB) backupNames(ctx context.Context, o BackupOptions) ([]string, error) {
	names, err := db.namedSpaces(ctx, o.Spaces, "backed up")
	if err != nil {
		return nil, err
	}
	for name := range o.After {
		if !slices.Contains(names, name) {
			return nil, &InvalidError{
				Field: "after", Value: quote(name), Allowed: "name spaces that this backup holds",
			}
		}
	}
	return names, nil
}

// namedSpaces lists the spaces of these names, each once, or all that exist if there are none.
func (db *DB) namedSpaces(ctx context.Context, names []string, to string) ([]string, error) {
	exist, err := db.Spaces(ctx)
	if err != nil || len(names) == 0 {
		return exist, err
	}
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if err := validSpaceName(name); err != nil {
			return nil, err
		}
		if !slices.Contains(exist, name) {
			return nil, fmt.Errorf("space %q: %w: it cannot be %s", name, ErrNotFound, to)
		}
	}
	return names, nil
}

// RestoreOptions say what comes back. The zero value restores every space as far as the backups go.
type RestoreOptions struct {
	// Spaces are the spaces to restore; empty means all in the stream.
	Spaces []string `json:"spaces,omitempty"`
	// As gives a space another name than it had; it needs exactly one space to be restored.
	As string `json:"as,omitempty"`
	// Position stops at this log position, inclusive; it needs exactly one space. 0 goes to the end. Fitted weights are
	// those of the last backup that was taken as a whole, or of the first if it was not.
	Position uint64 `json:"position,omitempty"`
	// Time stops before the first write that was made after this instant, by the clock of that time; writes that carry
	// no time belong to the one before. Zero goes to the end.
	Time time.Time `json:"time,omitzero"`
}

// RestoreReport says what came back.
type RestoreReport struct {
	Bytes int64 `json:"bytes"` // read
	// Spaces are in ascending order of their names here.
	Spaces []RestoredSpace `json:"spaces"`
}

// RestoredSpace is one space that was restored.
type RestoredSpace struct {
	Space    string `json:"space"`
	Position uint64 `json:"position"`
	Memories int    `json:"memories"`
	Archived int    `json:"archived"`
}

// Restore makes spaces from one or more backups, put one behind the other in r in the order in which they were taken: a
// full one and what followed it. Each space is built beside the others, verified, and put in its place by one
// renaming. A space that was ever written to is not overwritten: that is ErrConflict. When Restore fails, the spaces in
// its report are there and whole, and of the others there is nothing. A stream that is damaged or cut off restores
// nothing.
func (db *DB) Restore(ctx context.Context, r io.Reader, o RestoreOptions) (RestoreReport, error) {
	report := RestoreReport{Spaces: []RestoredSpace{}}
	if err := o.check(); err != nil {
		return report, err
	}
	db.restoring.Lock() // one at a time: they share a directory
	defer db.restoring.Unlock()
	err := isolate.Do("restore", "", nil, func() error {
		if err := db.admitDisk(0); err != nil {
			return err
		}
		run := restoreRun{db: db, o: o, in: backup.NewReader(r, "backup"), building: map[string]*store.Restoration{}}
		err := run.read(ctx)
		report.Bytes = run.in.Offset()
		if err == nil {
			err = run.place(ctx, &report)
		}
		for _, one := range run.building {
			err = errors.Join(err, one.Abort())
		}
		return errors.Join(err, store.RemoveAll(db.o.fs, db.restoreDir()))
	})
	return report, err
}

func (o RestoreOptions) check() error {
	for _, name := range append(slices.Clone(o.Spaces), o.As) {
		if name == "" && o.As == "" {
			continue
		}
		if err := validSpaceName(name); err != nil {
			return err
		}
	}
	if (o.As != "" || o.Position > 0) && len(o.Spaces) != 1 {
		return &InvalidError{
			Field: "spaces", Value: fmt.Sprint(o.Spaces),
			Allowed: "name exactly one space to restore it under another name or to a position",
		}
	}
	return nil
}

func (db *DB) restoreDir() string { return filepath.Join(db.dir, restoringDir) }

// restoreRun is one Restore.
type restoreRun struct {
	db       *DB
	o        RestoreOptions
	in       *backup.Reader
	building map[string]*store.Restoration // by name in the backup
}

// dir is where a space is built.
func (run *restoreRun) dir(name string) string {
	return filepath.Join(run.db.restoreDir(), spacePrefix+name)
}

// target is the name that a space gets.
func (run *restoreRun) target(name string) string {
	if run.o.As != "" {
		return run.o.As
	}
	return name
}

// read builds the spaces from all streams.
func (run *restoreRun) read(ctx context.Context) error {
	if err := store.RemoveAll(run.db.o.fs, run.db.restoreDir()); err != nil {
		return err
	}
	var current *store.Restoration
	streams := 0
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		item, err := run.in.Next()
		switch {
		case errors.Is(err, io.EOF) && streams == 0:
			return &InvalidError{Field: "backup", Value: "empty", Allowed: "give the stream of a backup"}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch item := item.(type) {
		case backup.Space:
			current, err = run.section(item)
		case backup.End:
			streams++
			current = nil
		default:
			err = apply(current, item)
		}
		if err != nil {
			return err
		}
	}
}

// section begins a section; nil if its space is not asked for.
func (run *restoreRun) section(s backup.Space) (*store.Restoration, error) {
	if err := validSpaceName(s.Name); err != nil {
		return nil, err
	}
	if len(run.o.Spaces) > 0 && !slices.Contains(run.o.Spaces, s.Name) {
		return nil, nil
	}
	one := run.building[s.Name]
	if one == nil {
		if err := run.db.vacant(run.target(s.Name)); err != nil {
			return nil, err
		}
		until := store.Until{Position: run.o.Position, Time: store.NoTime}
		if !run.o.Time.IsZero() {
			until.Time = toTime(run.o.Time).Nanos
		}
		one = store.NewRestoration(run.db.o.fs, run.dir(s.Name), until, modelName)
		run.building[s.Name] = one
	}
	return one, one.Section(s)
}

// apply gives an item to the space whose section it is in.
func apply(one *store.Restoration, item backup.Item) error {
	if one == nil {
		return nil
	}
	switch item := item.(type) {
	case backup.File:
		return one.File(item)
	case backup.Data:
		return one.Data(item)
	case backup.Frame:
		return one.Frame(item)
	}
	return nil
}

// place finishes, verifies and names every space that was built.
func (run *restoreRun) place(ctx context.Context, report *RestoreReport) error {
	for _, name := range run.o.Spaces {
		if run.building[name] == nil {
			return fmt.Errorf("space %q is in none of the backups given: %w", name, ErrNotFound)
		}
	}
	names := make([]string, 0, len(run.building))
	for name := range run.building {
		names = append(names, name)
	}
	slices.Sort(names)
	if err := run.fits(names); err != nil {
		return err
	}
	for _, name := range names { // all are whole before the first is named
		if err := run.building[name].Finish(); err != nil {
			return err
		}
	}
	for _, name := range names {
		target := run.target(name)
		restored, err := run.prove(ctx, name, target)
		if err != nil {
			return err
		}
		if err := run.db.adopt(run.dir(name), target); err != nil {
			return err
		}
		report.Spaces = append(report.Spaces, restored)
	}
	return nil
}

// fits says whether so many spaces may be put beside those there are.
func (run *restoreRun) fits(names []string) error {
	db := run.db
	all, err := db.spaceNames()
	if err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, name := range names {
		target := run.target(name)
		if err := db.admitSpace(target, all); err != nil {
			return err
		}
		all = append(all, target)
	}
	return nil
}

// prove opens the space that was built and verifies everything in it.
func (run *restoreRun) prove(ctx context.Context, name, target string) (RestoredSpace, error) {
	o := run.db.storeOptions(target)
	o.Dir = run.dir(name)
	sp, err := store.Open(o)
	if err != nil {
		return RestoredSpace{}, fmt.Errorf("restore: %w", err)
	}
	report, err := sp.Verify(ctx)
	if err == nil && len(report.Problems) > 0 && !isolate.Off("proof of restores") {
		p := report.Problems[0]
		err = &CorruptError{
			Op: "restore space " + name, Path: p.File, Offset: p.Offset, Err: errors.New(p.What), Advice: adviceRestore,
		}
	}
	view := *sp.View()
	if err = errors.Join(err, sp.Close()); err != nil {
		return RestoredSpace{}, err
	}
	return RestoredSpace{
		Space: target, Position: view.Position, Memories: view.Memories, Archived: view.Archived,
	}, nil
}

const adviceRestore = "the backup was made of damaged memories: take one from before, and save what came later with " +
	"`engram repair NEWDIR`"

// vacant refuses the name of a space that was ever written to.
func (db *DB) vacant(name string) error {
	if !db.exists(name) {
		return nil
	}
	h, err := db.acquire(context.Background(), name, false)
	if err != nil {
		return err
	}
	defer h.release()
	if position := h.space.View().Position; position > 0 {
		return fmt.Errorf("restore space %q: it exists and was written to, up to position %d: restore into another "+
			"directory, or under another name: %w", name, position, ErrConflict)
	}
	return nil
}

// adopt gives the directory of a space that was built its name. An empty space that stands there goes.
func (db *DB) adopt(built, name string) error {
	if h := db.handles.get(name); h != nil {
		if err := db.closeHandle(h, true); err != nil {
			return err
		}
	}
	h, own, err := db.reserve(name, nil) // whoever opens it meanwhile waits
	switch {
	case err != nil:
		return err
	case !own:
		return fmt.Errorf("restore space %q: it is in use: %w", name, ErrConflict)
	}
	h.refs.Store(handleClosing)
	defer func() {
		db.mu.Lock()
		db.handles.remove(h)
		db.mu.Unlock()
		close(h.ready)
		close(h.gone)
	}()
	if err := db.removeEmpty(name); err != nil {
		return err
	}
	spaces := filepath.Join(db.dir, spacesDir)
	for _, step := range []func() error{
		func() error { return db.o.fs.Rename(built, db.spaceDir(name)) },
		func() error { return db.o.fs.SyncDir(spaces) },
		func() error { return db.o.fs.SyncDir(db.restoreDir()) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("restore space %q: name its directory: %w", name, err)
		}
	}
	return nil
}

// removeEmpty removes the directory of a space that was never written to; nobody may have it open.
func (db *DB) removeEmpty(name string) error {
	if db.exists(name) {
		sp, err := store.Open(db.storeOptions(name))
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		position := sp.View().Position
		if err := sp.Close(); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		if position > 0 {
			return fmt.Errorf("restore space %q: it was written to meanwhile: %w", name, ErrConflict)
		}
	}
	return store.RemoveAll(db.o.fs, db.spaceDir(name))
}
