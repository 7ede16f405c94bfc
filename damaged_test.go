package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// woundedWorld is a space with memories in a sealed segment, of which some are damaged: while it is open, and, with
// reopened, also when it is opened again.
func woundedWorld(t *testing.T, n int, damaged []string, reopened bool) *world {
	t.Helper()
	w, _ := wounded(t, n, damaged, reopened)
	return w
}

// wounded is woundedWorld with what heals, and damages again.
func wounded(t *testing.T, n int, damaged []string, reopened bool) (w *world, flip func()) {
	t.Helper()
	w = newWorld(t, engram.Options{})
	s := w.def()
	for i := range n {
		id := fmt.Sprint("m", i)
		vector := make([]float32, 8)
		vector[i%8], vector[(i/8)%8] = 1, 1
		remember(t, s, engram.Draft{
			ID: id, Content: fmt.Sprintf("harbour note %d marker-%s-end", i, id), Session: "s", Tags: []string{"all"},
			Embedding: vector,
		})
	}
	for i := range n {
		link := engram.Link{To: fmt.Sprint("m", (i+1)%n)}
		if err := s.Link(t.Context(), fmt.Sprint("m", i), link); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := segmentOf(t, w)
	if reopened {
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var flips []func()
	for _, id := range damaged {
		flips = append(flips, spoil(t, w.fs, path, "note "+id[1:]+" marker"))
	}
	flip = func() {
		for _, f := range flips {
			f()
		}
	}
	if reopened {
		w.open()
	}
	t.Cleanup(func() { // for the world's own closing check
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
		flip()
		w.open()
	})
	return w, flip
}

// TestDamagedMemoriesAreToldAndPassedOver damages memories under an open directory, and before it is opened: every
// answer has what is whole, names what is not, and is no error.
func TestDamagedMemoriesAreToldAndPassedOver(t *testing.T) {
	const n = 40
	damaged := []string{"m7", "m8", "m30"}
	for _, reopened := range []bool{false, true} {
		t.Run(fmt.Sprint("reopened ", reopened), func(t *testing.T) {
			w := woundedWorld(t, n, damaged, reopened)
			s := w.def()
			path := segmentOf(t, w)
			told := func(what string, list []string, count int) {
				t.Helper()
				if len(list) != count {
					t.Errorf("%s: damaged is %q, want %d places", what, list, count)
				}
				for _, text := range list {
					if !strings.Contains(text, path) {
						t.Errorf("%s: damaged is %q, want the file", what, text)
					}
				}
			}
			whole := func(what string, ids []string) {
				t.Helper()
				for _, id := range damaged {
					if slices.Contains(ids, id) {
						t.Errorf("%s shows %s, which is damaged", what, id)
					}
				}
			}
			for _, asked := range []struct {
				name string
				cue  engram.Cue
			}{
				{"few", engram.Cue{Text: "harbour note", Limit: 10}},
				{"repeats", engram.Cue{Text: "harbour", Limit: 10, Repeats: true}},
				{"vector", engram.Cue{Embedding: []float32{1, 1, 0, 0, 0, 0, 0, 0}, Limit: 5}},
				{"ids", engram.Cue{IDs: []string{"m6", "m7", "m9"}, Limit: 5}},
				{"newest", engram.Cue{Limit: n}},
				{"words", engram.Cue{Text: "harbour note", Limit: n}},
			} {
				name, cue := asked.name, asked.cue
				answer, err := s.Recall(t.Context(), cue)
				if err != nil {
					t.Errorf("Recall by %s = %v", name, err)
					continue
				}
				var ids []string
				for _, h := range answer.Hits {
					ids = append(ids, h.ID)
				}
				whole("Recall by "+name, ids)
				switch {
				case name == "ids" && len(ids) != 2, name == "few" && len(ids) != 10,
					name == "words" && len(ids) != n-len(damaged), name == "newest" && len(ids) != n-len(damaged):
					t.Errorf("Recall by %s gives %q", name, ids)
				}
				if len(answer.Damaged) == 0 && name != "few" && name != "distinct" && name != "vector" {
					t.Errorf("Recall by %s says nothing of damage", name)
				}
			}
			page, err := s.List(t.Context(), "", 0)
			if err != nil || len(page.Memories) != n-len(damaged) {
				t.Errorf("List = %d memories, %v", len(page.Memories), err)
			}
			told("List", page.Damaged, len(damaged))
			var out bytes.Buffer
			report, err := s.Export(t.Context(), &out)
			if !errors.Is(err, engram.ErrCorrupt) || report.Memories != n-len(damaged) ||
				report.DamagedCount != len(damaged) || strings.Count(out.String(), "marker-") != n-len(damaged) {
				t.Errorf("Export = %+v, %v, want all but the damaged ones, and an error", report, err)
			}
			told("Export", report.Damaged, len(damaged))
			answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour note", Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			told("Recall", answer.Damaged, len(damaged))
			spread, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"m6"}})
			if err != nil || len(spread.Memories) == 0 {
				t.Errorf("Spread = %+v, %v", spread, err)
			}
			told("Spread", spread.Damaged, len(damaged))
			prediction, err := s.Predict(t.Context(), engram.Precedent{IDs: []string{"m5"}, Steps: 3})
			if err != nil || prediction.Followed != 1 {
				t.Errorf("Predict = %+v, %v", prediction, err)
			}
			told("Predict", prediction.Damaged, len(damaged))
			completion, err := s.Complete(t.Context(), engram.Partial{Cue: engram.Cue{Text: "harbour note", Limit: 20}})
			if err != nil || completion.Novel {
				t.Errorf("Complete = %+v, %v", completion, err)
			}
			told("Complete", completion.Damaged, len(damaged))
			forgotten, err := s.Forget(t.Context(), engram.ForgetRequest{Tags: []string{"all"}})
			if err != nil || forgotten.Archived != n-len(damaged) {
				t.Errorf("Forget = %+v, %v", forgotten, err)
			}
			told("Forget", forgotten.Damaged, len(damaged))
			for _, id := range damaged {
				if _, err := s.Get(t.Context(), id); !errors.Is(err, engram.ErrCorrupt) {
					t.Errorf("Get(%s) = %v, want damage", id, err)
				}
			}
			if st, err := s.Stats(t.Context()); err != nil || len(st.Quarantined) == 0 || st.ReadOnly != "" {
				t.Errorf("Stats = %+v, %v: want the damage, and a space that takes writes", st, err)
			}
			if err := w.db.Ready(); !errors.Is(err, engram.ErrCorrupt) {
				t.Errorf("Ready = %v, want the damage", err)
			}
		})
	}
}

// TestDamageIsMetByTheWay asks each question first of a space of whose damage nobody knows yet: the answer is as good
// as one that knew it.
func TestDamageIsMetByTheWay(t *testing.T) {
	const n = 40
	vector := make([]float32, 8)
	vector[1], vector[0] = 1, 1 // that of m1 and of m8
	for name, ask := range map[string]func(*engram.Space) (found int, damaged []string, err error){
		"recall of the best": func(s *engram.Space) (int, []string, error) {
			a, err := s.Recall(t.Context(), engram.Cue{Text: "marker-m1-end", Limit: 1})
			return len(a.Hits), a.Damaged, err
		},
		"recall by a vector": func(s *engram.Space) (int, []string, error) {
			a, err := s.Recall(t.Context(), engram.Cue{Embedding: vector, Limit: 1})
			return len(a.Hits), a.Damaged, err
		},
		"spread": func(s *engram.Space) (int, []string, error) {
			a, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"m0"}, Limit: 1})
			return len(a.Memories), a.Damaged, err
		},
		"predict": func(s *engram.Space) (int, []string, error) {
			a, err := s.Predict(t.Context(), engram.Precedent{IDs: []string{"m0"}})
			return a.Followed, a.Damaged, err
		},
		"complete": func(s *engram.Space) (int, []string, error) {
			a, err := s.Complete(t.Context(), engram.Partial{Cue: engram.Cue{Text: "marker-m1-end", Limit: 1}})
			return len(a.Members), a.Damaged, err
		},
		"complete by a vector": func(s *engram.Space) (int, []string, error) {
			a, err := s.Complete(t.Context(), engram.Partial{Cue: engram.Cue{Embedding: vector, Limit: 1}})
			return len(a.Members), a.Damaged, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := woundedWorld(t, n, []string{"m1"}, false)
			found, damaged, err := ask(w.def())
			if err != nil || found != 1 || len(damaged) != 1 {
				t.Errorf("%d are found, %q is told, %v; want another one, and the damage", found, damaged, err)
			}
			again, _, err := ask(w.def())
			if err != nil || again != found {
				t.Errorf("asked again %d are found, %v", again, err)
			}
		})
	}
}

// TestWhatCanBeReadAgain heals a file under an open directory, as a disk does that answers again: what was passed over
// is there.
func TestWhatCanBeReadAgain(t *testing.T) {
	w, flip := wounded(t, 20, []string{"m7"}, false)
	cue := engram.Cue{Text: "harbour note", Limit: 20}
	if a, err := w.def().Recall(t.Context(), cue); err != nil || len(a.Hits) != 19 || len(a.Damaged) != 1 {
		t.Fatalf("Recall = %d hits, damaged %q, %v", len(a.Hits), a.Damaged, err)
	}
	flip()
	get(t, w.def(), "m7")
	if a, err := w.def().Recall(t.Context(), cue); err != nil || len(a.Hits) != 20 || len(a.Damaged) != 0 {
		t.Errorf("healed, Recall = %d hits, damaged %q, %v", len(a.Hits), a.Damaged, err)
	}
	flip() // for the end, which heals it
}
