package engram_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/vfs"
)

// actives are the active memories of a space.
func actives(t *testing.T, s *engram.Space) map[string]engram.Memory {
	t.Helper()
	out := map[string]engram.Memory{}
	for m, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out[m.ID] = m
	}
	return out
}

// worthOf is what a memory is kept by: by its definition, from what the API tells of it.
func worthOf(m *engram.Memory, now time.Time) float64 {
	p := dynamics.Prior().Mean()
	if m.GivenConfidence != nil {
		p = *m.GivenConfidence
	}
	st := curve.Fresh(m.CreatedAt.UnixNano(), dynamics.NewEvidence(m.Source, true, p))
	st.Stability, st.LastUse = float32(m.Use.Stability), m.Use.LastUsed.UnixNano()
	if len(m.Belief.Evidence) > 0 {
		var evidence []dynamics.Evidence
		for _, e := range m.Belief.Evidence {
			evidence = append(evidence, dynamics.Evidence{
				Source: e.Source, Supports: e.Supports, LogOdds: float32(e.LogOdds),
			})
		}
		st.Learn(evidence)
	}
	return curve.BaseLevel(dynamics.Days(st.LastUse, now.UnixNano()), float64(st.Stability)) + st.Tally.LogProbability()
}

// leaving is what must be archived when the memories named come to those that are there; nil and false if that cannot
// be.
func leaving(there map[string]engram.Memory, brought []string, most int, now time.Time) ([]string, bool) {
	total := len(there)
	var may []string
	for _, id := range brought {
		if _, known := there[id]; !known {
			total++
		}
	}
	for id, m := range there {
		if !m.Pin && !slices.Contains(brought, id) {
			may = append(may, id)
		}
	}
	if total <= most || total == len(there) {
		return nil, true
	}
	slices.SortFunc(may, func(a, b string) int {
		x, y := there[a], there[b]
		if replaced := x.SupersededBy != ""; replaced != (y.SupersededBy != "") {
			return map[bool]int{true: -1, false: 1}[replaced]
		}
		return cmp.Or(cmp.Compare(worthOf(&x, now), worthOf(&y, now)), cmp.Compare(len(x.Links), len(y.Links)),
			strings.Compare(a, b))
	})
	if len(may) < total-most {
		return nil, false
	}
	gone := may[:min(len(may), total-most+most/100)]
	slices.Sort(gone)
	return gone, true
}

// TestTheLeastGo plays a life with a limit, and holds what each write archives against the definition.
func TestTheLeastGo(t *testing.T) {
	const most = 200
	for seed := range uint64(2) {
		w := newWorld(t, engram.Options{MaxMemories: most, HotBytes: 16 << 10})
		rng := rand.New(rand.NewPCG(seed, 5))
		now, archived, n, known := day(1), map[string]bool{}, 0, 0
		draft := func() engram.Draft {
			n++
			d := engram.Draft{ID: fmt.Sprintf("m%d", n), Content: fmt.Sprintf("note %d", n), Pin: rng.IntN(12) == 0}
			if rng.IntN(3) == 0 {
				d.Confidence = new(rng.Float64())
			}
			if known > 0 && rng.IntN(3) == 0 {
				d.Links = []engram.Link{{To: fmt.Sprintf("m%d", 1+rng.IntN(known))}}
			}
			return d
		}
		for step := range 300 {
			now = now.Add(time.Duration(rng.IntN(30)) * time.Hour)
			w.clock.set(now)
			known = n
			there := actives(t, w.def())
			ids := slices.Sorted(maps.Keys(there))
			var brought []string
			var err error
			switch what := rng.IntN(8); {
			case what < 4 || len(ids) < 100:
				drafts := []engram.Draft{draft(), draft(), draft()}
				brought = []string{drafts[0].ID, drafts[1].ID, drafts[2].ID}
				_, err = w.def().RememberBatch(t.Context(), drafts)
			case what == 4:
				d := draft()
				brought = []string{d.ID}
				line, _ := json.Marshal(d)
				_, err = w.def().Import(t.Context(), bytes.NewReader(line), engram.ImportOptions{Strict: true})
			case what == 5 && len(archived) > 0:
				id := slices.Sorted(maps.Keys(archived))[rng.IntN(len(archived))]
				brought = []string{id}
				delete(archived, id)
				_, err = w.def().Restore(t.Context(), id)
			default:
				id := ids[rng.IntN(len(ids))]
				signal := engram.Signals()[rng.IntN(4)]
				say(t, w.def(), engram.Feedback{IDs: []string{id}, Signal: signal, Source: "Bo"})
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			gone, _ := leaving(there, brought, most, now)
			if step%50 == 49 {
				w.reopen()
			}
			after := actives(t, w.def())
			var left []string
			for _, id := range ids {
				if _, ok := after[id]; !ok {
					left = append(left, id)
					archived[id] = true
				}
			}
			slices.Sort(left)
			if diff := gocmp.Diff(gone, left); diff != "" {
				t.Fatalf("seed %d, step %d: archived (-want +got):\n%s", seed, step, diff)
			}
			for _, id := range brought {
				if _, ok := after[id]; !ok {
					t.Fatalf("seed %d, step %d: %s, which the write brought, is gone", seed, step, id)
				}
			}
		}
		if len(archived) < most/2 {
			t.Errorf("seed %d: only %d were archived: the test says little", seed, len(archived))
		}
	}
}

// What has no room is refused by name and value and leaves nothing; what makes no room to be needed is not.
func TestNoRoom(t *testing.T) {
	w := newWorld(t, engram.Options{MaxMemories: 3})
	s := w.def()
	for _, id := range []string{"a", "b", "c"} {
		remember(t, s, engram.Draft{ID: id, Content: "note " + id, Pin: true})
	}
	before := state(t, s)
	refuse := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, engram.ErrTooLarge) || !strings.Contains(err.Error(), "max_memories is 3") ||
			!strings.Contains(err.Error(), "unpin") {
			t.Errorf("%s = %v, want ErrTooLarge that names the limit and says what to do", what, err)
		}
		if diff := gocmp.Diff(before, state(t, s)); diff != "" {
			t.Errorf("%s left something (-before +after):\n%s", what, diff)
		}
	}
	_, err := s.Remember(t.Context(), engram.Draft{
		ID: "d", Content: "note d", Supersedes: []string{"a"}, IdempotencyKey: "k",
	})
	refuse("Remember", err)
	_, err = s.Update(t.Context(), "a", engram.Change{Content: new("other"), Mode: engram.UpdateReplace})
	refuse("Update", err)
	report, err := s.Import(t.Context(), strings.NewReader(`{"id":"d","content":"note d"}`), engram.ImportOptions{})
	if err != nil || report.BadCount != 1 || report.Created != 0 {
		t.Errorf("Import = %+v, %v, want one bad line", report, err)
	}
	_, err = s.Import(t.Context(), strings.NewReader(`{"id":"d","content":"note d"}`),
		engram.ImportOptions{Strict: true})
	refuse("strict Import", err)
	remember(t, s, engram.Draft{ID: "a", Content: "note a"})
	say(t, s, engram.Feedback{Useless: []string{"a"}})
	if _, err := s.Update(t.Context(), "a", engram.Change{Content: new("other")}); err != nil {
		t.Errorf("Update in place = %v", err)
	}
	say(t, s, engram.Feedback{IDs: []string{"b"}, Signal: engram.Unpinned})
	remember(t, s, engram.Draft{ID: "d", Content: "note d"})
	want(t, "active", slices.Sorted(maps.Keys(actives(t, s))), []string{"a", "c", "d"})
	before = state(t, s)
	_, err = s.RememberBatch(t.Context(), []engram.Draft{{Content: "x"}, {Content: "y"}})
	refuse("RememberBatch", err)
}

// What is superseded by a write goes in the same one; an event tells why; the limit may come later than the memories.
func TestRoomIsMade(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for i := range 30 {
		remember(t, w.def(), engram.Draft{ID: fmt.Sprintf("m%02d", i), Content: fmt.Sprint("note ", i)})
	}
	before := state(t, w.def())
	w.o.MaxMemories = 5
	w.reopen()
	want(t, "a limit alone archives nothing", state(t, w.def()), before)
	events := w.def().Events(t.Context())
	remember(t, w.def(), engram.Draft{ID: "n", Content: "new", Supersedes: []string{"m29"}})
	want(t, "active", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"m25", "m26", "m27", "m28", "n"})
	archived := 0
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == engram.EventArchived {
			if archived++; !strings.Contains(e.Reason, "max_memories") || !strings.Contains(e.Reason, "5") {
				t.Errorf("event %+v does not say why", e)
			}
		}
		if archived == 26 {
			break
		}
	}
	if m, err := w.def().Get(t.Context(), "m00"); err != nil || m.ArchivedAt.IsZero() {
		t.Errorf("Get(m00) = %+v, %v, want it archived", m, err)
	}
	w.o.MaxMemories = 1
	w.reopen()
	remember(t, w.def(), engram.Draft{ID: "o", Content: "newer", Supersedes: []string{"n"}})
	want(t, "one", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"o"})
	var lines strings.Builder
	for i := range 700 {
		fmt.Fprintf(&lines, "{\"id\":\"i%03d\",\"content\":\"line %d\"}\n", i, i)
	}
	report, err := w.def().Import(t.Context(), strings.NewReader(lines.String()), engram.ImportOptions{})
	if err != nil || report.Created != 700 || report.BadCount != 0 {
		t.Errorf("Import = %+v, %v", report, err)
	}
	want(t, "the last line", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"i699"})
}

// What has expired goes before anything that has not, whatever was said of it.
func TestTheExpiredGoFirst(t *testing.T) {
	w := newWorld(t, engram.Options{MaxMemories: 3})
	for _, id := range []string{"a", "b", "c"} {
		d := engram.Draft{ID: id, Content: "note " + id}
		if id == "c" {
			d.ExpiresAt = day(2)
		}
		remember(t, w.def(), d)
	}
	say(t, w.def(), engram.Feedback{Useful: []string{"c"}, Wrong: []string{"a"}})
	w.clock.set(day(3))
	remember(t, w.def(), engram.Draft{ID: "d", Content: "note d"})
	want(t, "active", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"a", "b", "d"})
	remember(t, w.def(), engram.Draft{ID: "e", Content: "note e"})
	want(t, "active", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"b", "d", "e"})
}

// What was replaced goes before anything that stands, however often it was of use, and of equals the one with fewer
// associations; both hold for what the write itself replaces, too.
func TestTheReplacedGoBeforeTheRest(t *testing.T) {
	w := newWorld(t, engram.Options{MaxMemories: 4})
	for _, id := range []string{"a", "b", "c"} {
		remember(t, w.def(), engram.Draft{ID: id, Content: "note " + id})
	}
	if err := w.def().Link(t.Context(), "c", engram.Link{To: "a"}); err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(3))
	say(t, w.def(), engram.Feedback{Useful: []string{"c"}})
	w.clock.set(day(9))
	say(t, w.def(), engram.Feedback{Useful: []string{"c"}})
	remember(t, w.def(), engram.Draft{ID: "d", Content: "note d", Supersedes: []string{"c"}})
	want(t, "there is room", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"a", "b", "c", "d"})
	remember(t, w.def(), engram.Draft{ID: "e", Content: "note e"})
	want(t, "the replaced goes", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"a", "b", "d", "e"})
	w.reopen()
	remember(t, w.def(), engram.Draft{ID: "f", Content: "note f"})
	want(t, "of equals the lonely goes", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"a", "d", "e", "f"})
	remember(t, w.def(), engram.Draft{ID: "g", Content: "note g", Supersedes: []string{"d"}})
	want(t, "what it replaces goes", slices.Sorted(maps.Keys(actives(t, w.def()))), []string{"a", "e", "f", "g"})
}

// TestRoomCrash cuts the power after every operation of the file system while each write makes room: what is opened
// then is what some write left, no older than the last one that was acknowledged.
func TestRoomCrash(t *testing.T) {
	base := vfs.NewMem()
	if err := errors.Join(base.MkdirAll("/data"), base.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	fault := vfs.NewFault(base)
	type crashed struct {
		fs    *vfs.Mem
		acked int
	}
	var mu sync.Mutex
	var clones []crashed
	crashing, acked := false, 0
	fault.OnOp = func(op vfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		if crashing {
			mode := []vfs.CrashMode{vfs.LoseAll, vfs.Random}[op.Index%2]
			clones = append(clones, crashed{base.CrashClone(uint64(op.Index), mode), acked})
		}
	}
	o := engram.Options{Clock: func() time.Time { return day(1) }, HotBytes: 4 << 10, MaxMemories: 6}
	db, err := o.On(fault).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for i := range 24 {
		mu.Lock()
		crashing = i >= 6
		mu.Unlock()
		remember(t, s, engram.Draft{
			ID: fmt.Sprintf("m%02d", 99-i), Content: strings.Repeat(fmt.Sprint("note ", i, " "), 40),
		})
		mu.Lock()
		crashing, acked = false, i
		mu.Unlock()
		states = append(states, exported(t, s))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range clones {
		w := &world{t: t, fs: c.fs, o: o}
		w.open()
		w.check()
		if got := slices.Index(states, exported(t, w.def())); got < c.acked {
			t.Errorf("crash %d: the state is that after write %d, acknowledged was %d", i, got, c.acked)
		}
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(clones) < 18 {
		t.Errorf("only %d crashes", len(clones))
	}
}
