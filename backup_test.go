package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// state is what a space answers: every memory with its versions and associations, and the ranked answers to some
// questions with their scores.
func state(t *testing.T, s *engram.Space) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := s.Export(t.Context(), &out); err != nil {
		t.Fatalf("Export = %v", err)
	}
	for _, question := range []string{"harbour boat", "note 7", "letter from the north", ""} {
		answer, err := s.Recall(t.Context(), engram.Cue{Text: question, Limit: 20})
		if err != nil {
			t.Fatalf("Recall(%q) = %v", question, err)
		}
		for _, h := range answer.Hits {
			fmt.Fprintf(&out, "%s %v;", h.ID, h.Score)
		}
	}
	return out.String()
}

// live writes n random things to the space and seals now and then.
func live(t *testing.T, s *engram.Space, rng *rand.Rand, n int) {
	t.Helper()
	subjects := []string{"harbour", "boat", "letter", "north", "garden", "note"}
	for range n {
		id := fmt.Sprintf("m%d", rng.IntN(30))
		content := fmt.Sprintf("%s %s %d", subjects[rng.IntN(6)], subjects[rng.IntN(6)], rng.IntN(50))
		var err error
		switch rng.IntN(8) {
		case 0:
			_, err = s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{id}, Mode: engram.Archive})
		case 1:
			_, err = s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{id}, Mode: engram.Erase})
		case 2, 3:
			_, err = s.Update(t.Context(), id, engram.Change{Content: &content})
		case 4:
			err = s.Link(t.Context(), id, engram.Link{To: fmt.Sprintf("m%d", rng.IntN(30))})
		case 5:
			err = s.Seal(t.Context())
		default:
			_, err = s.Remember(t.Context(), engram.Draft{ID: id, Content: content, Session: "s"})
		}
		if err != nil && !errors.Is(err, engram.ErrNotFound) && !errors.Is(err, engram.ErrConflict) &&
			!errors.Is(err, engram.ErrInvalid) { // a memory that is not there, or linked with itself
			t.Fatal(err)
		}
	}
}

func backUp(t *testing.T, db *engram.DB, o engram.BackupOptions) ([]byte, engram.BackupReport) {
	t.Helper()
	var out bytes.Buffer
	report, err := db.Backup(t.Context(), &out, o)
	if err != nil {
		t.Fatalf("Backup(%+v) = %v", o, err)
	}
	if report.Bytes != int64(out.Len()) {
		t.Errorf("Backup reports %d bytes, it wrote %d", report.Bytes, out.Len())
	}
	return out.Bytes(), report
}

func restoreInto(t *testing.T, db *engram.DB, o engram.RestoreOptions, streams ...[]byte) engram.RestoreReport {
	t.Helper()
	report, err := db.Restore(t.Context(), bytes.NewReader(bytes.Join(streams, nil)), o)
	if err != nil {
		t.Fatalf("Restore(%+v) = %v", o, err)
	}
	return report
}

func TestRestoreGivesWhatWasBackedUp(t *testing.T) {
	const seed = 11
	w := newWorld(t, engram.Options{})
	want := map[string]string{}
	for i, name := range []string{engram.DefaultSpace, "tenant.one", "two"} {
		live(t, w.space(name), rand.New(rand.NewPCG(seed, uint64(i))), 120)
		if i < 2 { // with cold segments, alone and beside what is in memory
			if _, err := w.space(name).Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold}); err != nil {
				t.Fatal(err)
			}
			live(t, w.space(name), rand.New(rand.NewPCG(seed, uint64(i+5))), 10*i)
		}
		want[name] = state(t, w.space(name))
	}
	stream, _ := backUp(t, w.db, engram.BackupOptions{})
	other := newWorld(t, engram.Options{})
	restoreInto(t, other.db, engram.RestoreOptions{}, stream)
	for range 2 {
		for name, state1 := range want {
			if diff := cmp.Diff(state1, state(t, other.space(name))); diff != "" {
				t.Errorf("seed %d: space %s restored (-backed up +restored):\n%s", seed, name, diff)
			}
			if stats, err := other.space(name).Stats(t.Context()); err != nil || (stats.Cold == 0) != (name == "two") {
				t.Errorf("space %s restored has %d cold rows, %v", name, stats.Cold, err)
			}
		}
		other.reopen()
	}
	live(t, other.def(), rand.New(rand.NewPCG(seed, 9)), 60) // it is a space like any other
}

// TestRestoreToAnyPoint backs up in full and then three times what came since, with sealings in between, and goes back
// to every position.
func TestRestoreToAnyPoint(t *testing.T) {
	const seed = 12
	w := newWorld(t, engram.Options{})
	rng := rand.New(rand.NewPCG(seed, 1))
	s := w.def()
	states := map[uint64]string{}
	note := func() {
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states[stats.Position] = state(t, s)
	}
	live(t, s, rng, 40)
	note()
	first, report := backUp(t, w.db, engram.BackupOptions{})
	start := report.Spaces[0].To
	streams := [][]byte{first}
	for range 3 {
		for range 25 {
			live(t, s, rng, 1)
			note()
		}
		to := report.Spaces[0].To
		var stream []byte
		stream, report = backUp(t, w.db, engram.BackupOptions{After: map[string]uint64{engram.DefaultSpace: to}})
		if got := report.Spaces[0]; got.Full || got.From != to {
			t.Fatalf("seed %d: the backup after %d is %+v, want an incremental one", seed, to, got)
		}
		streams = append(streams, stream)
	}
	tried := 0
	for position, want := range states {
		if position < start {
			continue
		}
		tried++
		other := newWorld(t, engram.Options{})
		o := engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "back", Position: position}
		got := restoreInto(t, other.db, o, streams...)
		if got.Spaces[0].Position != position {
			t.Errorf("seed %d: restored to position %d, want %d", seed, got.Spaces[0].Position, position)
		}
		if diff := cmp.Diff(want, state(t, other.space("back"))); diff != "" {
			t.Fatalf("seed %d: at position %d (-then +restored):\n%s", seed, position, diff)
		}
	}
	if tried < 20 {
		t.Fatalf("seed %d: only %d positions were tried", seed, tried)
	}
	for _, c := range []struct {
		what    string
		streams [][]byte
		o       engram.RestoreOptions
	}{
		{"a gap", [][]byte{streams[0], streams[2]}, engram.RestoreOptions{}},
		{"no full backup", streams[1:], engram.RestoreOptions{}},
		{
			"a position behind the end", streams[:2],
			engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, Position: 1 << 40},
		},
	} {
		other := newWorld(t, engram.Options{})
		_, err := other.db.Restore(t.Context(), bytes.NewReader(bytes.Join(c.streams, nil)), c.o)
		if !errors.Is(err, engram.ErrConflict) {
			t.Errorf("Restore with %s = %v, want ErrConflict", c.what, err)
		}
	}
}

func TestRestoreToAnInstant(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for d := 1; d <= 6; d++ {
		w.clock.set(day(d))
		remember(t, s, engram.Draft{ID: fmt.Sprint("day", d), Content: fmt.Sprint("note of day ", d)})
	}
	stream, _ := backUp(t, w.db, engram.BackupOptions{})
	other := newWorld(t, engram.Options{})
	restoreInto(t, other.db, engram.RestoreOptions{Time: day(4)}, stream)
	got := recall(t, other.def(), engram.Cue{Text: "note"})
	if len(got) != 4 {
		t.Errorf("restored to day 4: %v, want the notes of days 1 to 4", got)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed, _ := backUp(t, w.db, engram.BackupOptions{})
	other = newWorld(t, engram.Options{})
	_, err := other.db.Restore(t.Context(), bytes.NewReader(sealed), engram.RestoreOptions{Time: day(4)})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("Restore to an instant before the sealing of its only full backup = %v, want ErrConflict", err)
	}
}

// slowWriter runs something at every write.
type slowWriter struct {
	io.Writer
	each func()
}

func (w slowWriter) Write(b []byte) (int, error) {
	w.each()
	return w.Writer.Write(b)
}

// TestBackupUnderLoad writes and seals at every write of the backup: it holds exactly what the space held at the
// position it says, though the files it reads are replaced meanwhile.
func TestBackupUnderLoad(t *testing.T) {
	const seed = 13
	w := newWorld(t, engram.Options{LogKeepBytes: -1})
	s := w.def()
	live(t, s, rand.New(rand.NewPCG(seed, 1)), 80)
	var stream bytes.Buffer
	rng := rand.New(rand.NewPCG(seed, 2))
	states := map[uint64]string{}
	out := slowWriter{Writer: &stream, each: func() {
		live(t, s, rng, 1)
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(states) < 5 {
			states[stats.Position] = state(t, s)
		}
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}}
	report, err := w.db.Backup(t.Context(), out, engram.BackupOptions{})
	if err != nil {
		t.Fatalf("seed %d: Backup while memories are written and sealed = %v", seed, err)
	}
	want, known := states[report.Spaces[0].To]
	if !known || len(states) < 5 {
		t.Fatalf("seed %d: the backup is of position %d; states are known of %d positions",
			seed, report.Spaces[0].To, len(states))
	}
	other := newWorld(t, engram.Options{})
	restoreInto(t, other.db, engram.RestoreOptions{}, stream.Bytes())
	if diff := cmp.Diff(want, state(t, other.def())); diff != "" {
		t.Errorf("seed %d: (-at the backup's position +restored):\n%s", seed, diff)
	}
}

func TestRestoreRefusesAndRenames(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the boat"})
	stream, report := backUp(t, w.db, engram.BackupOptions{})
	_, err := w.db.Restore(t.Context(), bytes.NewReader(stream), engram.RestoreOptions{})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("Restore over a space with memories = %v, want ErrConflict", err)
	}
	restoreInto(t, w.db, engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "copy"}, stream)
	if got := recall(t, w.space("copy"), engram.Cue{Text: "boat"}); len(got) != 1 {
		t.Errorf("the copy answers %v", got)
	}
	for _, c := range []struct {
		what   string
		o      engram.RestoreOptions
		stream []byte
		want   error
	}{
		{"a bad name", engram.RestoreOptions{Spaces: []string{"A"}}, stream, engram.ErrInvalid},
		{"As without a space", engram.RestoreOptions{As: "x"}, stream, engram.ErrInvalid},
		{"Position without a space", engram.RestoreOptions{Position: 3}, stream, engram.ErrInvalid},
		{"a space that is not in it", engram.RestoreOptions{Spaces: []string{"nobody"}}, stream, engram.ErrNotFound},
		{"nothing", engram.RestoreOptions{}, nil, engram.ErrInvalid},
		{"something else", engram.RestoreOptions{}, bytes.Repeat([]byte("not a backup "), 50), engram.ErrCorrupt},
	} {
		_, err := w.db.Restore(t.Context(), bytes.NewReader(c.stream), c.o)
		if !errors.Is(err, c.want) {
			t.Errorf("Restore with %s = %v, want %v", c.what, err, c.want)
		}
	}
	for _, c := range []struct {
		o    engram.BackupOptions
		want error
	}{
		{engram.BackupOptions{Spaces: []string{"nobody"}}, engram.ErrNotFound},
		{engram.BackupOptions{Spaces: []string{"A"}}, engram.ErrInvalid},
		{engram.BackupOptions{After: map[string]uint64{"nobody": 1}}, engram.ErrInvalid},
		{
			engram.BackupOptions{After: map[string]uint64{engram.DefaultSpace: report.Spaces[0].To + 5}},
			engram.ErrConflict,
		},
	} {
		if _, err := w.db.Backup(t.Context(), io.Discard, c.o); !errors.Is(err, c.want) {
			t.Errorf("Backup(%+v) = %v, want %v", c.o, err, c.want)
		}
	}
}

// TestCrashWhileRestoring cuts the power after every file operation of a restoration: what is found is the whole space
// or none, and a new restoration works.
func TestCrashWhileRestoring(t *testing.T) {
	w := newWorld(t, engram.Options{})
	live(t, w.space("s"), rand.New(rand.NewPCG(14, 1)), 25)
	want := state(t, w.space("s"))
	stream, _ := backUp(t, w.db, engram.BackupOptions{Spaces: []string{"s"}})

	base := vfs.NewMem()
	o := engram.Options{Clock: w.clock.tell}
	fault := vfs.NewFault(base)
	var mu sync.Mutex
	var clones []*vfs.Mem
	db, err := o.On(fault).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	fault.OnOp = func(vfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%3 == 0 {
			mode := []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random}[n/3%3]
			clones = append(clones, base.CrashClone(uint64(n), mode))
		}
	}
	restoreInto(t, db, engram.RestoreOptions{}, stream)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	absent, whole := 0, 0
	for i, clone := range clones {
		other := world{t: t, fs: clone, clock: w.clock, o: o}
		other.open()
		names, err := other.db.Spaces(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 1 {
			absent++
			restoreInto(t, other.db, engram.RestoreOptions{}, stream)
		} else {
			whole++
		}
		if diff := cmp.Diff(want, state(t, other.space("s"))); diff != "" {
			t.Fatalf("power cut %d: (-backed up +found):\n%s", i, diff)
		}
		if err := other.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if absent == 0 || whole == 0 {
		t.Errorf("%d power cuts left nothing, %d the whole space: both should happen", absent, whole)
	}
}
