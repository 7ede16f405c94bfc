package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// overBudget checks that err refuses for a budget, naming the budget, the limit and how much there is.
func overBudget(t *testing.T, what string, err error, budget string, most int64) *engram.BudgetError {
	t.Helper()
	e, ok := errors.AsType[*engram.BudgetError](err)
	if !ok || !errors.Is(err, engram.ErrTooLarge) || e.Budget.Name != budget || e.Budget.Most != most {
		t.Fatalf("%s = %v, want it refused by %s of %d", what, err, budget, most)
	}
	for _, part := range []string{budget, fmt.Sprint(most), fmt.Sprint(e.Budget.Used), fmt.Sprint(e.More)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s = %q, which does not say %s", what, err, part)
		}
	}
	return e
}

// TestBudgetOfRows: each version is a row, what would go beyond is refused whole, known memories and their retries are
// not, and erasing with a compaction makes room.
func TestBudgetOfRows(t *testing.T) {
	w := newWorld(t, engram.Options{Budgets: engram.Budgets{SpaceRows: 4}})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "the harbour"})
	remember(t, s, engram.Draft{ID: "b", Content: "the quay", IdempotencyKey: "once"})
	_, err := s.RememberBatch(t.Context(), []engram.Draft{{Content: "one"}, {Content: "two"}, {Content: "three"}})
	if e := overBudget(t, "a batch of three", err, "space_rows", 4); e.More != 3 || e.Budget.Used != 2 {
		t.Errorf("the batch was refused for %d more than %d", e.More, e.Budget.Used)
	}
	before := stats(t, s)
	for range 100 {
		_, err = s.RememberBatch(t.Context(), []engram.Draft{{Content: "one"}, {Content: "two"}, {Content: "three"}})
		overBudget(t, "the batch again", err, "space_rows", 4)
	}
	if after := stats(t, s); after.Versions != before.Versions || after.HotBytes != before.HotBytes {
		t.Errorf("a hundred refused batches took rows or memory: %d and %d, before %d and %d",
			after.Versions, after.HotBytes, before.Versions, before.HotBytes)
	}
	remember(t, s, engram.Draft{ID: "c", Content: "the crane"})
	if _, err := s.Update(t.Context(), "c", engram.Change{Content: new("the old crane")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Update(t.Context(), "c", engram.Change{Content: new("the new crane")})
	overBudget(t, "an update", err, "space_rows", 4)
	_, err = s.Remember(t.Context(), engram.Draft{Content: "more"})
	overBudget(t, "one more", err, "space_rows", 4)
	_, err = s.Import(t.Context(), strings.NewReader(`{"content":"imported"}`), engram.ImportOptions{Strict: true})
	overBudget(t, "an import", err, "space_rows", 4)
	// What adds nothing goes on.
	remember(t, s, engram.Draft{Content: "the harbour"})
	remember(t, s, engram.Draft{ID: "b", Content: "the quay", IdempotencyKey: "once"})
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a"}, Mode: engram.Archive}); err != nil {
		t.Errorf("Archive = %v", err)
	}
	if got := stats(t, s).Budgets; len(got) != 1 || got[0] != (engram.Budget{Name: "space_rows", Used: 4, Most: 4}) {
		t.Errorf("the budgets in Stats are %v", got)
	}
	other := w.space("other")
	remember(t, other, engram.Draft{Content: "another space has rows of its own"})
	w.reopen()
	s = w.def()
	_, err = s.Remember(t.Context(), engram.Draft{Content: "more"})
	overBudget(t, "one more, reopened", err, "space_rows", 4)
}

// TestBudgetOfBytes fills a space's files, and finds that what is erased gives room back.
func TestBudgetOfBytes(t *testing.T) {
	const most = 3 << 20
	w := newWorld(t, engram.Options{
		HotBytes: 64 << 10, LogKeepBytes: -1, Budgets: engram.Budgets{SpaceBytes: most},
	})
	s := w.def()
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = s.Remember(t.Context(), engram.Draft{
			ID: fmt.Sprint("m", n), Content: fmt.Sprint(n, " ", strings.Repeat("filling ", 1000)),
		})
	}
	e := overBudget(t, "filling the space", err, "space_bytes", most)
	if e.Budget.Used > most || e.Budget.Used+e.More <= most || n < most/9000 {
		t.Errorf("write %d was refused with %d used for %d more", n, e.Budget.Used, e.More)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := stats(t, s)
	if st.SegmentBytes > most || st.HotBytes != 0 {
		t.Errorf("sealed the space takes %d and %d bytes, %d is the most", st.SegmentBytes, st.HotBytes, most)
	}
	if len(st.Budgets) != 1 || st.Budgets[0].Used != st.SegmentBytes {
		t.Errorf("the budgets in Stats are %v, the space takes %d", st.Budgets, st.SegmentBytes)
	}
	for i := range n / 2 {
		_, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{fmt.Sprint("m", i)}, Mode: engram.Erase})
		if err != nil {
			t.Fatalf("Erase in a full space = %v", err)
		}
	}
	if _, err := s.Compact(t.Context(), engram.CompactOptions{}); err != nil {
		t.Fatalf("Compact in a full space = %v", err)
	}
	remember(t, s, engram.Draft{Content: "there is room again"})
}

// TestBudgetOfMemory: what the process holds, whoever holds it, refuses writes; reading and forgetting go on.
func TestBudgetOfMemory(t *testing.T) {
	w := newWorld(t, engram.Options{Budgets: engram.Budgets{MemoryBytes: 1 << 40}})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "there is room"})
	if got := stats(t, w.def()).Budgets; len(got) != 1 || got[0].Used > got[0].Most {
		t.Errorf("the budgets in Stats are %v", got)
	}
	held := make([]byte, 8<<20)
	runtime.GC()
	w.o.Budgets.MemoryBytes = 4 << 20
	w.reopen()
	_, err := w.def().Remember(t.Context(), engram.Draft{Content: "there is none"})
	overBudget(t, "a write", err, "memory_bytes", 4<<20)
	runtime.KeepAlive(held)
	if _, err := w.def().Get(t.Context(), "a"); err != nil {
		t.Errorf("Get = %v", err)
	}
	if _, err := w.def().Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a"}, Mode: engram.Erase}); err != nil {
		t.Errorf("Erase = %v", err)
	}
}

// lowDisk is a file system of which only so much is free.
type lowDisk struct {
	vfs.FS
	free *atomic.Int64
}

func (d lowDisk) Free(string) (int64, error) { return d.free.Load(), nil }

// TestBudgetOfTheDisk: what would leave too little free is refused while reading and forgetting go on, and works again
// when there is room.
func TestBudgetOfTheDisk(t *testing.T) {
	disk := lowDisk{vfs.NewMem(), new(atomic.Int64)}
	disk.free.Store(1 << 30)
	db, err := engram.Options{Budgets: engram.Budgets{FreeDiskBytes: 1 << 20}}.On(disk).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // in memory
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "a", Content: "there is room"})
	var copied bytes.Buffer
	if _, err := db.Backup(t.Context(), &copied, engram.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(1<<20 + 10)
	_, err = s.Remember(t.Context(), engram.Draft{Content: "there is none"})
	if e := overBudget(t, "a write", err, "free_disk_bytes", 1<<20); e.Budget.Used != 1<<20+10 {
		t.Errorf("it says that %d are free", e.Budget.Used)
	}
	disk.free.Store(1<<20 - 1)
	_, err = db.Restore(t.Context(), &copied, engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "copy"})
	overBudget(t, "a restoration", err, "free_disk_bytes", 1<<20)
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("Get = %v", err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a"}, Mode: engram.Erase}); err != nil {
		t.Errorf("Erase = %v", err)
	}
	disk.free.Store(1 << 30)
	remember(t, s, engram.Draft{Content: "there is room again"})
}

// TestBudgetOfSpaces: no more spaces than that come to be, by writes or restorations; those there are take writes.
func TestBudgetOfSpaces(t *testing.T) {
	w := newWorld(t, engram.Options{Budgets: engram.Budgets{Spaces: 2}})
	remember(t, w.space("second"), engram.Draft{ID: "a", Content: "the second"})
	_, err := w.space("third").Remember(t.Context(), engram.Draft{Content: "the third"})
	overBudget(t, "a third space", err, "spaces", 2)
	w.reopen()
	remember(t, w.space("second"), engram.Draft{Content: "the second again"})
	_, err = w.space("third").Remember(t.Context(), engram.Draft{Content: "the third"})
	overBudget(t, "a third space, reopened", err, "spaces", 2)
	var copied bytes.Buffer
	if _, err := w.db.Backup(t.Context(), &copied, engram.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.db.Restore(t.Context(), &copied, engram.RestoreOptions{Spaces: []string{"second"}, As: "third"})
	overBudget(t, "a restoration", err, "spaces", 2)
	if names, err := w.db.Spaces(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("Spaces = %v, %v", names, err)
	}
	if got := stats(t, w.def()).Budgets; len(got) != 1 || got[0] != (engram.Budget{Name: "spaces", Used: 2, Most: 2}) {
		t.Errorf("the budgets in Stats are %v", got)
	}
}

// TestResultLimit: no answer holds more content than it may; a page ends early, others are refused by name.
func TestResultLimit(t *testing.T) {
	w := newWorld(t, engram.Options{Limits: engram.Limits{Result: 100}})
	s := w.def()
	for i := range 4 {
		const filler = "-------------------------------" // makes a content of 40 bytes
		remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint("harbour ", filler, i)})
	}
	sized := func(what string, err error) {
		t.Helper()
		e, ok := errors.AsType[*engram.SizeError](err)
		if !ok || e.Field != "answer" || e.Most != 100 || e.Got != 120 {
			t.Errorf("%s = %v, want it refused at 120 of 100 bytes", what, err)
		}
	}
	_, err := s.Recall(t.Context(), engram.Cue{Text: "harbour"})
	sized("a recall", err)
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", Limit: 2})
	if err != nil || len(answer.Hits) != 2 {
		t.Errorf("a recall of two = %v, %v", answer.Hits, err)
	}
	var ids []string
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		page, err := s.List(t.Context(), cursor, 0)
		if err != nil || len(page.Memories) != 2 {
			t.Fatalf("page %d = %v, %v", pages, page, err)
		}
		for _, m := range page.Memories {
			ids = append(ids, m.ID)
		}
		cursor = page.Next
	}
	if fmt.Sprint(ids) != "[m0 m1 m2 m3]" {
		t.Errorf("the pages hold %v", ids)
	}
	for i := range 3 {
		change := engram.Change{Content: new(fmt.Sprint("harbour ", strings.Repeat("+", 31), i))}
		if _, err := s.Update(t.Context(), "m0", change); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.History(t.Context(), "m0")
	sized("a history", err)
	if _, err := s.Export(t.Context(), new(bytes.Buffer)); err != nil {
		t.Errorf("an export, which is a stream = %v", err)
	}
}

func TestRefusedBudgets(t *testing.T) {
	for field, b := range map[string]engram.Budgets{
		"SpaceRows": {SpaceRows: -1}, "SpaceBytes": {SpaceBytes: -1}, "MemoryBytes": {MemoryBytes: -1},
		"FreeDiskBytes": {FreeDiskBytes: -1}, "Spaces": {Spaces: -1},
	} {
		_, err := engram.Options{Budgets: b}.On(vfs.NewMem()).Open("/data")
		if !errors.Is(err, engram.ErrInvalid) || !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("Open with %+v = %v", b, err)
		}
	}
}

func stats(t *testing.T, s *engram.Space) engram.SpaceStats {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestBudgetOfReembedding: another model's vectors are held against the budget before they are staged, those given so
// far are kept and count, and canceling gives their room back.
func TestBudgetOfReembedding(t *testing.T) {
	const most, dim, page = 256 << 10, 256, 96 << 10 // room for vectors in memory is taken by the page
	w := newWorld(t, engram.Options{Budgets: engram.Budgets{SpaceBytes: most}, LogKeepBytes: -1})
	s := w.def()
	for i := range 400 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprint("bird ", i), Embedding: make8(float32(i)),
			EmbeddingModel: "small",
		})
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := stats(t, s).Budgets[0].Used
	var lines strings.Builder
	large := make([]float32, dim)
	large[0] = 1
	for i := range 400 {
		lines.WriteString(vectorLine(t, fmt.Sprint("m", i), 1, large))
	}
	report, err := s.Reembed(t.Context(), strings.NewReader(lines.String()), engram.ReembedOptions{Model: "large"})
	e := overBudget(t, "vectors of another model", err, "space_bytes", most)
	if e.Budget.Used > most+page || e.Budget.Used+e.More <= most || e.Budget.Used <= used || report.Built == 0 ||
		report.Built >= 400 {
		t.Errorf("refused with %+v and %d more; %d were used before; built %d", e.Budget, e.More, used, report.Built)
	}
	if got := recall(t, s, engram.Cue{Embedding: make8(0), EmbeddingModel: "small", Limit: 1}); len(got) != 1 {
		t.Errorf("the former vectors give %v", got)
	}
	if err := errors.Join(s.CancelReembedding(t.Context()), s.Seal(t.Context())); err != nil {
		t.Fatal(err)
	}
	if after := stats(t, s).Budgets[0].Used; after != used {
		t.Errorf("canceled, the space takes %d, before it took %d", after, used)
	}
	remember(t, s, engram.Draft{Content: "there is room again"})
}
