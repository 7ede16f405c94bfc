package engram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// RepairReport says what Repair saved and what is lost.
type RepairReport struct {
	Spaces []RepairedSpace `json:"spaces"`
}

// RepairedSpace is one space that was saved.
type RepairedSpace struct {
	Space    string `json:"space"`
	Memories int    `json:"memories"`
	Versions int    `json:"versions"`
	Links    int    `json:"links"`
	// Lost lists what could not be saved, with file and offset where they are known; empty if nothing was lost.
	// LostCount counts them; the list is cut at 1,000.
	Lost      []string `json:"lost"`
	LostCount int      `json:"lost_count"`
}

const maxLost = 1000

func (r *RepairedSpace) lose(err error) {
	r.LostCount++
	if len(r.Lost) < maxLost {
		r.Lost = append(r.Lost, err.Error())
	}
}

// Repair saves what is whole of the directory from into the directory to, which must not exist or be empty, and says
// what is lost. Nothing in from is changed but its lock file: not what is damaged, and not what is whole. It must not
// be in use by another process.
//
// A memory keeps the versions that are whole. One whose current version is damaged is archived with the others, so that
// an old version is never taken for what holds now; associations with memories that are lost are lost too. o are the
// options that the new directory is opened with.
func (o Options) Repair(ctx context.Context, from, to string) (RepairReport, error) {
	return o.RepairWith(ctx, from, to, RepairOptions{})
}

// RepairOptions say how to repair.
type RepairOptions struct {
	// Progress, if not nil, is called now and then with the report so far, whose last space is the one under way. Calls
	// come one at a time, from a goroutine of Repair's.
	Progress func(RepairReport)
}

// repairTold is how many memories are saved between two calls of Progress.
const repairTold = 100

// RepairWith is Repair with news of its progress.
func (o Options) RepairWith(ctx context.Context, from, to string, how RepairOptions) (RepairReport, error) {
	report := RepairReport{Spaces: []RepairedSpace{}}
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return report, err
	}
	from, to, err := o.repairDirs(from, to)
	if err != nil {
		return report, err
	}
	lock, err := o.fs.Lock(filepath.Join(from, lockName))
	if err != nil {
		return report, fmt.Errorf("lock data directory: %w", err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written under it
	entries, err := o.fs.ReadDir(filepath.Join(from, spacesDir))
	if err != nil {
		return report, fmt.Errorf("list spaces: %w", err)
	}
	db, err := o.Open(to)
	if err != nil {
		return report, err
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e, spacePrefix)
		if !ok || validSpaceName(name) != nil {
			continue
		}
		tell := func(one RepairedSpace) {
			if how.Progress != nil {
				how.Progress(RepairReport{Spaces: append(slices.Clone(report.Spaces), one)})
			}
		}
		one, err := db.repairSpace(ctx, filepath.Join(from, spacesDir, e), name, tell)
		report.Spaces = append(report.Spaces, one)
		if err != nil {
			return report, errors.Join(fmt.Errorf("repair space %q: %w", name, err), db.Close())
		}
	}
	return report, db.Close()
}

// repairDirs checks the two directories.
func (o Options) repairDirs(from, to string) (string, string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", "", fmt.Errorf("repair %s: %w", from, err)
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", "", fmt.Errorf("repair into %s: %w", to, err)
	}
	if _, err := o.fs.ReadDir(filepath.Join(from, spacesDir)); err != nil {
		return "", "", fmt.Errorf("repair %s: it is not a data directory: %w: %w", from, err, ErrNotFound)
	}
	if to == from || strings.HasPrefix(to, from+string(filepath.Separator)) {
		return "", "", &InvalidError{
			Field: "to", Value: quote(to), Allowed: "name a new directory outside of the one to be repaired",
		}
	}
	if names, err := o.fs.ReadDir(to); err == nil && len(names) > 0 {
		return "", "", fmt.Errorf("repair into %s: it is not empty: name a new directory: %w", to, ErrConflict)
	}
	return from, to, nil
}

// repairSpace saves one space, and tells of it.
func (db *DB) repairSpace(
	ctx context.Context, dir, name string, tell func(RepairedSpace),
) (RepairedSpace, error) {
	out := RepairedSpace{Space: name, Lost: []string{}}
	if names, err := db.o.fs.ReadDir(dir); err == nil && len(names) == 0 {
		return out, nil // a crash before its first write left it
	}
	o := db.storeOptions(name)
	o.Dir = dir
	sp, err := store.Salvage(o, out.lose)
	if errors.Is(err, ErrCorrupt) {
		out.lose(err)
		return out, nil
	}
	if err != nil {
		return out, err
	}
	target, err := db.Space(name)
	if err != nil {
		return out, errors.Join(err, sp.Close())
	}
	in, pipe := io.Pipe()
	done := make(chan error, 1)
	go func() {
		broken := func(e error) { pipe.CloseWithError(e) } //nolint:errcheck // never fails
		err := isolate.Do("repair", name, broken, func() error {
			if err := saveMemories(ctx, pipe, sp.View(), &out, tell); err != nil {
				return err
			}
			weights, err := db.readModel(sp, filepath.Join(dir, modelName))
			if err != nil {
				out.lose(err)
			}
			return spaceLines(ctx, sp.View(), db.o.Clock(), weights, func(l spaceLine, err error) error {
				if err != nil {
					out.lose(err)
					return nil
				}
				return writeLine(pipe, importLine{Space: &l})
			})
		})
		pipe.CloseWithError(err) //nolint:errcheck // never fails
		done <- err
	}()
	imported, err := target.Import(ctx, in, ImportOptions{})
	in.CloseWithError(err) //nolint:errcheck // never fails
	err = errors.Join(err, <-done, sp.Close())
	out.Links = imported.Links
	for _, bad := range imported.Bad {
		out.lose(fmt.Errorf("line %d of what was saved: %s", bad.Line, bad.Error))
	}
	out.LostCount += imported.BadCount - len(imported.Bad)
	return out, err
}

// saveMemories writes every memory of a view as far as it is whole, as Export does.
func saveMemories(
	ctx context.Context, w io.Writer, v *store.View, out *RepairedSpace, tell func(RepairedSpace),
) error {
	tell(*out)
	var stop error
	v.Scan(0, func(_ uint32, f store.Found) bool {
		if stop = ctx.Err(); stop != nil {
			return false
		}
		var versions []exportLine
		if versions = wholeVersions(v, f, out); len(versions) == 0 {
			return true
		}
		var lines bytes.Buffer
		for i := range versions {
			if err := writeLine(&lines, versions[i]); err != nil {
				out.lose(fmt.Errorf("memory %q: %w", versions[i].ID, err))
				return true
			}
		}
		out.Memories++
		out.Versions += len(versions)
		if out.Memories%repairTold == 0 {
			tell(*out)
		}
		_, stop = w.Write(lines.Bytes())
		return stop == nil
	})
	return stop
}

// wholeVersions reads what is whole of a memory, oldest version first. The last one says what became of it.
func wholeVersions(v *store.View, f store.Found, out *RepairedSpace) []exportLine {
	rows := v.Versions(f)
	var versions []exportLine
	newest := false
	for i, row := range rows {
		r, err := v.Record(row)
		if err == nil {
			m := memoryOf(v, f, r)
			if err = m.setVector(v, row); err != nil {
				out.lose(fmt.Errorf("vector of memory %q, version %d: %w", r.ID, r.Version, err))
			}
			versions = append(versions, lineOf(m))
			newest = i == len(rows)-1 && v.Outdated(f) == nil
			continue
		}
		out.lose(fmt.Errorf("version %d of %d of a memory: %w", i+1, len(rows), err))
	}
	if len(versions) == 0 {
		return nil
	}
	last := &versions[len(versions)-1]
	if f.Archived() {
		last.ArchivedAt = fromNanos(f.ArchivedAt())
	}
	links, err := associations(v, f, time.Time{})
	if err != nil {
		out.lose(fmt.Errorf("associations of memory %q: %w", last.ID, err))
	}
	last.Links = slices.DeleteFunc(links, func(l Association) bool { return l.Incoming })
	last.Reinforced = int(f.Reinforced())
	if newest {
		last.keepFate(f)
	}
	if !newest && last.ArchivedAt.IsZero() {
		out.lose(fmt.Errorf("the current version of memory %q: it is archived with version %d, the last that is whole",
			last.ID, last.Version))
		last.ArchivedAt = last.UpdatedAt
	}
	return versions
}

// keepFate makes a line of the current version say what became of it.
func (l *exportLine) keepFate(f store.Found) {
	l.States = statesOf(f)
	if by := f.SupersededBy(); by != "" {
		l.StatedUntil = l.ValidUntil
		l.SupersededBy, l.ValidUntil, l.SupersededAt = by, f.Until().Go(), fromNanos(f.SupersededAt())
	}
	for _, span := range f.Absent() {
		l.ArchivedSpans = append(l.ArchivedSpans, Span{From: fromNanos(span.From), Until: fromNanos(span.Until)})
	}
}
