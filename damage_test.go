package engram_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestDamageIsSaidAndConfined flips bits in a sealed segment under the public API.
func TestDamageIsSaidAndConfined(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	const n = 200
	for i := range n {
		v := make([]float32, 16)
		for j := range v {
			v[j] = float32((i*31+j*17)%23) - 11
		}
		remember(t, s, engram.Draft{
			ID: fmt.Sprint(i), Content: fmt.Sprintf("Marker%d of the long wall.", i), Embedding: v,
		})
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := segmentOf(t, w)
	mend := spoil(t, w.fs, path, "ker77 of")
	_, err := s.Get(t.Context(), "77")
	corrupt, ok := errors.AsType[*engram.CorruptError](err)
	if !ok || corrupt.Path != path || corrupt.Offset <= 0 || errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Get of a damaged memory = %v, want a CorruptError that names %s and an offset", err, path)
	}
	for _, i := range []int{0, 76, 78, n - 1} {
		m, err := s.Get(t.Context(), fmt.Sprint(i))
		if err != nil || !strings.Contains(m.Content, fmt.Sprintf("Marker%d ", i)) {
			t.Errorf("Get(%d) beside a damaged memory = %+v, %v", i, m, err)
		}
	}
	want(t, "recall beside it", recall(t, s, engram.Cue{Text: "Marker76"}), []string{"76"})
	report, err := s.Verify(t.Context())
	if err != nil || len(report.Problems) != 1 || report.Problems[0].File != path {
		t.Errorf("Verify = %+v, %v, want one problem in %s", report, err, path)
	}
	mend() // for the checks that follow

	// The codes begin at the first multiple of 4096 behind lines and blocks, the vectors behind the codes: the bits of
	// a vector that is far from the question count if they are among its codes, those of the nearest in either.
	codes := int64((128 + n*(64+32) + 4095) &^ 4095)
	for what, place := range map[string]int64{"codes": codes + 5, "vector": codes + n*64 + (n-1)*64 + 5} {
		w.reopen() // what was verified a moment ago is lent as it is
		if err := w.fs.Corrupt(path, place, 4); err != nil {
			t.Fatal(err)
		}
		s = w.def()
		probe := make([]float32, 16)
		for j := range probe {
			probe[j] = float32((199*31+j*17)%23) - 11
		}
		answer, err := s.Recall(t.Context(), engram.Cue{Text: "wall", Embedding: probe, Limit: 5})
		if what == "codes" { // they are made anew of the vectors
			stats, err2 := s.Stats(t.Context())
			if err := errors.Join(err, err2); err != nil || len(answer.Damaged) > 0 || len(answer.Hits) == 0 ||
				len(stats.Quarantined) != 1 {
				t.Errorf("Recall beside damaged codes = %+v, %v; Stats tells of %q", answer, err, stats.Quarantined)
			}
		} else if err != nil || len(answer.Damaged) != 1 || !strings.Contains(answer.Damaged[0], path) ||
			len(answer.Hits) == 0 {
			t.Errorf("Recall beside damaged %s = %+v, %v, want hits and what was left out", what, answer.Damaged, err)
		}
		if err := w.fs.Corrupt(path, place, 4); err != nil {
			t.Fatal(err)
		}
	}
}

func segmentOf(t *testing.T, w *world) string {
	t.Helper()
	for _, name := range w.fs.Files() {
		if strings.HasSuffix(name, ".seg") {
			return name
		}
	}
	t.Fatal("there is no segment file")
	return ""
}
