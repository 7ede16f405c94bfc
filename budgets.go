package engram

import (
	"fmt"
	"math"
	"runtime/metrics"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Budgets bound what everything that is stored may take. A write that adds a memory, a version, an association or
// another model's vector and would go beyond one is refused with a *BudgetError before anything of it is staged;
// reading, feedback, archiving, forgetting, sealing and compaction go on, so that there is a way back. 0 is no bound.
type Budgets struct {
	// SpaceRows is how many rows a space has: versions of memories, and what is left of erased ones until a compaction
	// gives it back.
	SpaceRows int64
	// SpaceBytes is what a space's rows take, and vectors built beside them, on disk and before they are sealed. Its
	// log, whose files are made before they are needed, is besides: LogKeepBytes and HotBytes bound it. A compaction
	// takes the size of what it rebuilds for a while, before it gives back what is erased.
	SpaceBytes int64
	// MemoryBytes is what the process holds in the Go heap, by the last garbage collection: everything in it, also what
	// is not Engram's. Until the next one the heap can be twice as large. Mapped segments are not in it.
	MemoryBytes int64
	// FreeDiskBytes is what stays free in the file system. A restoration asks once, before it begins.
	FreeDiskBytes int64
	// Spaces is how many spaces there are. The default space is always one.
	Spaces int64
}

// Budget is one budget that was given, and how far it is used. The unit of Most is that of Used.
type Budget struct {
	Name string `json:"budget"` // "space_rows", "space_bytes", "memory_bytes", "free_disk_bytes", "spaces"
	Used int64  `json:"used"`   // of free_disk_bytes: what is free
	Most int64  `json:"most"`   // of free_disk_bytes: the least that stays free
}

// BudgetError is returned when a write would go beyond a budget. Nothing was changed. It matches ErrTooLarge.
type BudgetError struct {
	Budget Budget
	More   int64 // what the write would add to Used, or take of what is free
	Do     string
}

// Error says which budget, how far it is used, what the write would add and what to do.
func (e *BudgetError) Error() string {
	b := e.Budget
	if b.Name == budgetFree {
		return fmt.Sprintf("nothing was written: %s is %d: %d bytes are free, and this write takes some %d: %s",
			b.Name, b.Most, b.Used, e.More, e.Do)
	}
	return fmt.Sprintf("nothing was written: %s is %d: %d are used, and this write adds some %d: %s",
		b.Name, b.Most, b.Used, e.More, e.Do)
}

// Is reports whether target is ErrTooLarge.
func (e *BudgetError) Is(target error) bool { return target == ErrTooLarge }

// The names of budgets.
const (
	budgetRows   = "space_rows"
	budgetBytes  = "space_bytes"
	budgetMemory = "memory_bytes"
	budgetFree   = "free_disk_bytes"
	budgetSpaces = "spaces"
)

func (b Budgets) validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"SpaceRows", b.SpaceRows},
		{"SpaceBytes", b.SpaceBytes},
		{"MemoryBytes", b.MemoryBytes},
		{"FreeDiskBytes", b.FreeDiskBytes},
		{"Spaces", b.Spaces},
	} {
		if f.value < 0 {
			return &InvalidError{
				Field: "Options.Budgets." + f.name, Value: fmt.Sprint(f.value),
				Allowed: "use 1 or more, or 0 for no bound",
			}
		}
	}
	return nil
}

// admitter is what a space asks before it takes more; nil if nothing is bounded but the number of spaces.
func (db *DB) admitter() func(*store.Space, *store.View, int64, int64) error {
	b := db.o.Budgets
	if b.Spaces = 0; b == (Budgets{}) {
		return nil
	}
	return func(sp *store.Space, v *store.View, rows, sizeBytes int64) error {
		return db.admit(sp, int64(v.Rows), rows, sizeBytes)
	}
}

// admitAll says whether a batch may add so many memories, which are not staged yet.
func (db *DB) admitAll(tx *store.Tx, rows, sizeBytes int) error {
	if rows <= 0 || isolate.Off("admission of batches") {
		return nil
	}
	return tx.Admit(int64(rows), int64(sizeBytes))
}

// admit says whether a write may add so many rows and bytes to a space. rows and size are those of the space by now.
func (db *DB) admit(sp *store.Space, rows, moreRows, moreBytes int64) error {
	b := &db.o.Budgets
	if b.SpaceRows > 0 && !isolate.Off("budget of rows") && rows+moreRows > b.SpaceRows {
		return &BudgetError{
			Budget{budgetRows, rows, b.SpaceRows},
			moreRows,
			"erase what is not needed and compact the space, or raise the budget",
		}
	}
	if b.SpaceBytes > 0 && !isolate.Off("budget of bytes") {
		if used := sp.SizeBytes(); used+moreBytes > b.SpaceBytes {
			return &BudgetError{
				Budget{budgetBytes, used, b.SpaceBytes},
				moreBytes,
				"erase what is not needed and compact the space, or raise the budget",
			}
		}
	}
	if b.MemoryBytes > 0 && !isolate.Off("budget of memory") {
		if used := heapLive(); used+moreBytes > b.MemoryBytes {
			return &BudgetError{
				Budget{budgetMemory, used, b.MemoryBytes},
				moreBytes,
				"keep fewer spaces open, or seal smaller ones, or raise the budget",
			}
		}
	}
	return db.admitDisk(moreBytes)
}

// admitDisk says whether so many bytes may be taken of what is free in the file system.
func (db *DB) admitDisk(more int64) error {
	if db.o.Budgets.FreeDiskBytes == 0 || isolate.Off("budget of the disk") {
		return nil
	}
	free, err := vfs.Free(db.o.fs, db.dir)
	if err != nil {
		return fmt.Errorf("ask how much of the disk is free: %w", err)
	}
	if free-more < db.o.Budgets.FreeDiskBytes {
		return &BudgetError{
			Budget{budgetFree, free, db.o.Budgets.FreeDiskBytes}, more, "free some, or lower the budget",
		}
	}
	return nil
}

// admitSpace says whether one more space may be made. db.mu must be held; names are those there were before it was.
func (db *DB) admitSpace(name string, names []string) error {
	most := db.o.Budgets.Spaces
	if most == 0 || isolate.Off("budget of spaces") || name == DefaultSpace || slices.Contains(names, name) {
		return nil
	}
	all := map[string]bool{DefaultSpace: true}
	for _, n := range names {
		all[n] = true
	}
	for h := range db.handles.all() {
		all[h.name] = true
	}
	delete(all, name)
	if int64(len(all)) < most {
		return nil
	}
	return &BudgetError{
		Budget{budgetSpaces, int64(len(all)), most}, 1, "use a space that there is, or raise the budget",
	}
}

// spaceNames lists the spaces there are, if anything counts them.
func (db *DB) spaceNames() ([]string, error) {
	if db.o.Budgets.Spaces == 0 {
		return nil, nil
	}
	return db.listSpaces()
}

// budgets lists what was given, for the space's stats.
func (db *DB) budgets(sp *store.Space) (list []Budget) {
	b := &db.o.Budgets
	add := func(name string, most int64, used func() int64) {
		if most > 0 {
			list = append(list, Budget{name, used(), most})
		}
	}
	add(budgetRows, b.SpaceRows, func() int64 { return int64(sp.View().Rows) })
	add(budgetBytes, b.SpaceBytes, sp.SizeBytes)
	add(budgetMemory, b.MemoryBytes, heapLive)
	add(budgetFree, b.FreeDiskBytes, func() int64 {
		free, err := vfs.Free(db.o.fs, db.dir)
		if err != nil {
			return 0
		}
		return free
	})
	add(budgetSpaces, b.Spaces, func() int64 {
		names, _ := db.listSpaces()
		return int64(len(names))
	})
	return list
}

// result counts the contents of an answer.
type result struct {
	size, most int
}

// add refuses what would make an answer too large.
func (r *result) add(content string) error {
	if r.size += len(content); r.size > r.most && !isolate.Off("limit of results") {
		return &SizeError{
			Field: "answer", Got: r.size, Most: r.most, Unit: "bytes of content so far (ask for fewer memories)",
		}
	}
	return nil
}

// heapLive is what the last garbage collection found to be in use.
func heapLive() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(min(sample[0].Value.Uint64(), math.MaxInt64))
}
