package engram_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/vfs"
)

const modelFile = "/data/spaces/space-default/model.json"

// judgedAs gives each of many memories ten judgements, drawn as if they were forgotten by w, half of them about
// recalls.
func judgedAs(t *testing.T, w *world, memories int, weights dynamics.Weights) {
	t.Helper()
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 2))
	m := dynamics.New(weights)
	type judgement struct {
		id   string
		at   time.Time
		used bool
	}
	var all []judgement
	drafts := make([]engram.Draft, memories)
	for i := range drafts {
		id := fmt.Sprintf("m%03d", i)
		drafts[i] = engram.Draft{ID: id, Content: "fact number " + id}
		strength := m.Initial(dynamics.Good)
		last, at := w.clock.tell(), w.clock.tell()
		for range 10 {
			at = at.Add(time.Duration((.6 + rng.ExpFloat64()*20) * float64(24*time.Hour)))
			days := dynamics.Days(last.UnixNano(), at.UnixNano())
			j := judgement{id, at, rng.Float64() < m.Retrievability(days, strength.Stability)}
			all = append(all, j)
			grade := dynamics.Again
			if j.used {
				grade, last = dynamics.Good, at
			}
			strength = m.Step(strength, grade, days)
		}
	}
	for batch := range slices.Chunk(drafts, 500) {
		if _, err := w.def().RememberBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(all, func(a, b judgement) int { return a.at.Compare(b.at) })
	for _, j := range all {
		w.clock.set(j.at)
		f := engram.Feedback{IDs: []string{j.id}, Signal: engram.Useless}
		if j.used {
			f.Signal = engram.Useful
		}
		say(t, w.def(), f)
	}
}

func fast() dynamics.Weights {
	w := dynamics.DefaultWeights()
	w[2], w[20] = .5, .5
	return w
}

// What is learnt holds for the judgements that follow, after a restart too, and for no other space; it changes no state
// that was made before, and can be taken back.
func TestFit(t *testing.T) {
	w := newWorld(t, engram.Options{})
	judgedAs(t, w, 300, fast())
	var before []engram.Memory
	for i := range 300 {
		m, err := w.def().Get(t.Context(), fmt.Sprintf("m%03d", i))
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, m)
	}
	dry, err := w.def().Fit(t.Context(), engram.FitOptions{DryRun: true})
	if err != nil || !dry.Better || dry.Adopted || dry.Judgements != 3000 || slices.Contains(w.fs.Files(), modelFile) {
		t.Fatalf("dry run = %+v, %v", dry, err)
	}
	if dry.Terms != nil || !strings.Contains(dry.Note, "there are 0 judgements of a recall's hits") {
		t.Errorf("terms without recalls: %+v", dry)
	}
	r, err := w.def().Fit(t.Context(), engram.FitOptions{})
	if err != nil || !r.Adopted || r.Forgetting.FittedLoss != dry.Forgetting.FittedLoss ||
		r.Forgetting.FittedLoss >= r.Forgetting.DefaultLoss {
		t.Fatalf("Fit = %+v, %v", r, err)
	}
	fitted := dynamics.New(dynamics.Weights(r.Forgetting.Weights))
	usual := dynamics.New(dynamics.DefaultWeights())
	remember(t, w.space("other"), engram.Draft{ID: "new", Content: "fresh"})
	for n, m := range []*dynamics.Model{fitted, fitted, usual} {
		if n == 1 {
			w.reopen()
		}
		if n == 2 {
			cue := engram.Cue{Text: "number m007"}
			with := fmt.Sprintf("%+v", answerOf(t, w.def(), cue).Hits[0].Why)
			if r, err := w.def().Fit(t.Context(), engram.FitOptions{Remove: true}); err != nil || !r.Removed {
				t.Fatalf("Remove = %+v, %v", r, err)
			}
			if without := fmt.Sprintf("%+v", answerOf(t, w.def(), cue).Hits[0].Why); with == without {
				t.Errorf("recall does not go by the fitted weights: %s", with)
			}
		}
		id := fmt.Sprint("new", n)
		remember(t, w.def(), engram.Draft{ID: id, Content: "fresh " + id})
		say(t, w.def(), engram.Feedback{Useful: []string{id}})
		got, err := w.def().Get(t.Context(), id)
		want := m.Step(m.Initial(dynamics.Good), dynamics.Good, 0).Stability
		if err != nil || math.Abs(got.Use.Stability-want) > 1e-6*want {
			t.Errorf("%d: stability %+v, want %v, %v", n, got.Use, want, err)
		}
	}
	say(t, w.space("other"), engram.Feedback{Useful: []string{"new"}})
	other, err := w.space("other").Get(t.Context(), "new")
	if err != nil || other.Use.Stability < 2 {
		t.Errorf("the other space: %+v, %v", other.Use, err)
	}
	for i, m := range before {
		now, err := w.def().Get(t.Context(), m.ID)
		if err != nil || now.Use.Stability != m.Use.Stability || now.Use.Difficulty != m.Use.Difficulty {
			t.Fatalf("memory %d was %+v, is %+v, %v", i, m.Use, now.Use, err)
		}
	}
	if r, err := w.def().Fit(t.Context(), engram.FitOptions{Remove: true}); err != nil || r.Removed {
		t.Errorf("Remove again = %+v, %v", r, err)
	}
}

func TestFitRefuses(t *testing.T) {
	w := newWorld(t, engram.Options{})
	judgedAs(t, w, 12, dynamics.DefaultWeights())
	_, err := w.def().Fit(t.Context(), engram.FitOptions{})
	const few = "there are 120 half a day or more after the last use and 0 of a recall's hits; fitting needs 1000"
	if !errors.Is(err, engram.ErrInvalid) || !strings.Contains(err.Error(), "judgements: "+few) {
		t.Errorf("Fit of 120 = %v", err)
	}
	both := engram.FitOptions{DryRun: true, Remove: true}
	if _, err := w.def().Fit(t.Context(), both); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Fit of both = %v", err)
	}
	if _, err := w.space("none").Fit(t.Context(), engram.FitOptions{}); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Fit of no space = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.def().Fit(ctx, engram.FitOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit after the end = %v", err)
	}
}

// A fit of which any file operation fails, and any power cut in the middle of it, leaves the one or the other: a space
// that opens, with the default weights or the whole of the fitted ones.
func TestFitIsAllOrNothing(t *testing.T) {
	w := newWorld(t, engram.Options{})
	judgedAs(t, w, 150, fast())
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	whole := -1
	injected := errors.New("injected")
	for n := 1; whole < 0; n++ {
		disk := w.fs.CrashClone(0, vfs.KeepAll)
		fault := vfs.NewFault(disk)
		db, err := w.o.On(fault).Open("/data")
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		fault.FailAt(fault.Ops()+n, injected)
		report, err := s.Fit(t.Context(), engram.FitOptions{})
		if err == nil {
			if whole = n; !report.Adopted {
				t.Fatalf("Fit = %+v", report)
			}
		}
		for seed := range uint64(4) {
			cut := disk.CrashClone(seed, vfs.Random)
			again, err2 := w.o.On(cut).Open("/data")
			if err2 != nil {
				t.Fatalf("failing at %d (%v), seed %d, after a power cut: %v", n, err, seed, err2)
			}
			if has := slices.Contains(cut.Files(), modelFile); err == nil && !has {
				t.Errorf("seed %d: what was adopted is gone after a power cut", seed)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil && !errors.Is(err, injected) {
			t.Error(err)
		}
	}
	if whole < 5 {
		t.Errorf("only %d operations were made to fail", whole-1)
	}
	w.open()
}

// TestDamagedWeightsAreTold damages the file of weights: the space is served by the default weights, everything that
// looks at it says so, and the file can be replaced or removed. One of a newer version is refused as such.
func TestDamagedWeightsAreTold(t *testing.T) {
	w := newWorld(t, engram.Options{})
	goBy(t, w.def(), fast())
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the boat in the harbour"})
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	good := fileBytes(t, w.fs, modelFile)
	elsewhere := newWorld(t, engram.Options{})
	with := func(text string) *world {
		t.Helper()
		disk := w.fs.CrashClone(0, vfs.KeepAll)
		if err := disk.SetBytes(modelFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		other := &world{t: t, fs: disk, clock: w.clock, o: w.o}
		other.open()
		return other
	}
	told := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, engram.ErrCorrupt) || !strings.Contains(err.Error(), "model.json") {
			t.Errorf("%s = %v, want ErrCorrupt and the file", what, err)
		}
	}
	damaged := func(text string) {
		t.Helper()
		other := with(text)
		defer other.db.Close()
		s := other.def()
		if m := get(t, s, "a"); m.Content != "the boat in the harbour" {
			t.Errorf("%.60q: the memory is %+v", text, m)
		}
		report, err := s.Verify(t.Context())
		if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0].File, "model.json") {
			t.Errorf("%.60q: Verify = %+v, %v", text, report, err)
		}
		told("Ready", other.db.Ready())
	}
	for i := 0; i < len(good); i += 7 {
		flipped := []byte(good)
		flipped[i] ^= 2
		damaged(string(flipped))
		damaged(good[:i])
	}
	damaged(good + " ")
	damaged(strings.Repeat(" ", 70000))
	damaged(strings.Replace(good, `"training"`, `"trained"`, 1))
	damaged(strings.Replace(good, `"version": 3`, `"version": 2`, 1))
	goBy(t, elsewhere.def(), fast())
	damaged(fileBytes(t, elsewhere.fs, modelFile)) // whole, of another space

	other := with(good[:len(good)-9])
	s := other.def()
	if st, err := s.Stats(t.Context()); err != nil || len(st.Problems) != 1 ||
		!strings.Contains(st.Problems[0], "default weights") || st.ReadOnly != "" {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	var out strings.Builder
	report, err := s.Export(t.Context(), &out)
	told("Export", err)
	if report.Memories != 1 || report.DamagedCount != 1 || strings.Contains(out.String(), `"weights"`) {
		t.Errorf("Export = %+v", report)
	}
	_, err = other.db.Backup(t.Context(), io.Discard, engram.BackupOptions{})
	told("Backup", err)
	goBy(t, s, fast()) // replaces it: goBy removes what is there first
	want(t, "the file", fileBytes(t, other.fs, modelFile), good)
	verified := func(s *engram.Space) {
		t.Helper()
		if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
			t.Errorf("Verify = %+v, %v", report, err)
		}
	}
	verified(s)
	if err := other.db.Ready(); err != nil {
		t.Errorf("Ready with the file replaced = %v", err)
	}
	if err := other.db.Close(); err != nil {
		t.Fatal(err)
	}
	repaired := with("nothing")
	if err := repaired.db.Close(); err != nil {
		t.Fatal(err)
	}
	saved, err := w.o.On(repaired.fs).Repair(t.Context(), "/data", "/saved")
	if err != nil || len(saved.Spaces) != 1 || saved.Spaces[0].Memories != 1 || saved.Spaces[0].LostCount != 1 ||
		!strings.Contains(saved.Spaces[0].Lost[0], "model.json") {
		t.Errorf("Repair = %+v, %v", saved, err)
	}

	newer := with(strings.Replace(good, `"version": 3`, `"version": 4`, 1))
	defer newer.db.Close()
	if _, err := newer.def().Stats(t.Context()); !errors.Is(err, engram.ErrFormatVersion) {
		t.Errorf("a file of a newer version = %v", err)
	}
	w.open()
}

// TestEarlierWeightsAreRead: files of versions 1 and 2 hold, also where they came in a backup, and the next fit or
// import writes one of the present version.
func TestEarlierWeightsAreRead(t *testing.T) {
	for _, name := range []string{"version-1.json", "version-2.json"} {
		file, err := os.ReadFile(filepath.Join("testdata", "model", name))
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, engram.Options{})
		remember(t, w.def(), engram.Draft{ID: "a", Content: "the boat in the harbour"})
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.fs.SetBytes(modelFile, file); err != nil {
			t.Fatal(err)
		}
		w.open()
		line := goesBy(t, w.def())
		if strings.Contains(line, "coefficients") != (name == "version-2.json") || !strings.Contains(line, "0.212") {
			t.Errorf("%s: the space goes by %q", name, line)
		}
		stream, _ := backUp(t, w.db, engram.BackupOptions{})
		other := newWorld(t, engram.Options{})
		restoreInto(t, other.db, engram.RestoreOptions{}, stream)
		want(t, name+" in a backup", goesBy(t, other.def()), line)
		want(t, name+" in a backup", fileBytes(t, other.fs, modelFile), string(file))
		goBy(t, w.def(), fast())
		if now := fileBytes(t, w.fs, modelFile); !strings.Contains(now, `"version": 3`) {
			t.Errorf("%s: the next one is %s", name, now)
		}
	}
}

func fileBytes(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
