package engram_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// rebuilt is what the oracle knows of vectors that are being built.
type rebuilt struct {
	model   string
	vectors map[string]map[int][]float32 // by memory and version
}

// reembed gives some versions new vectors, or all the rest and has them swapped in, or cancels.
func (p *player) reembed() {
	s, o := p.w.def(), p.oracle
	if o.building != nil && p.rng.IntN(8) == 0 {
		p.expect("cancel reembedding", s.CancelReembedding(p.t.Context()), nil)
		o.building = nil
		return
	}
	all := p.rng.IntN(3) == 0
	options := engram.ReembedOptions{Partial: !all, Dim: 8}
	if o.building == nil {
		p.next++
		options.Model = fmt.Sprintf("model %d", p.next)
	} else {
		options.Model = o.building.model
	}
	var lines strings.Builder
	given := map[string]map[int][]float32{}
	for _, id := range slices.Sorted(maps.Keys(o.memories)) {
		m := o.memories[id]
		for i, v := range m.versions {
			last := i == len(m.versions)-1
			if o.built(id, v.Version) != nil || !(all && last && v.Embedding != nil) && p.rng.IntN(3) > 0 {
				continue
			}
			vector := make([]float32, 8)
			for k := range vector {
				vector[k] = float32(p.rng.NormFloat64())
			}
			line, err := json.Marshal(map[string]any{"id": id, "version": v.Version, "embedding": vector})
			if err != nil {
				p.t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
			if given[id] == nil {
				given[id] = map[int][]float32{}
			}
			given[id][v.Version] = vector
		}
	}
	report, err := s.Reembed(p.t.Context(), strings.NewReader(lines.String()), options)
	p.expect("reembed", err, nil)
	if report.BadCount > 0 || report.Served != all {
		p.t.Fatalf("Reembed = %+v", report)
	}
	if o.building == nil && (len(given) > 0 || all) {
		o.building = &rebuilt{model: options.Model, vectors: map[string]map[int][]float32{}}
	}
	for id, versions := range given {
		if o.building.vectors[id] == nil {
			o.building.vectors[id] = map[int][]float32{}
		}
		maps.Copy(o.building.vectors[id], versions)
	}
	if !all {
		return
	}
	for id, m := range o.memories {
		for i := range m.versions {
			m.versions[i].Embedding = o.built(id, m.versions[i].Version)
		}
	}
	o.model, o.building = options.Model, nil
}

// built is the vector that a version has among those that are being built; nil if it has none.
func (o *oracle) built(id string, version int) []float32 {
	if o.building == nil {
		return nil
	}
	return o.building.vectors[id][version]
}

// stale forgets the vector being built of a version that is stored anew, or of all of a memory that is gone (version
// 0).
func (o *oracle) stale(id string, version int) {
	switch {
	case o.building == nil:
	case version == 0:
		delete(o.building.vectors, id)
	default:
		delete(o.building.vectors[id], version)
	}
}

// compareVectors checks what is told of vectors that are being built.
func (p *player) compareVectors(s *engram.Space) {
	p.t.Helper()
	stats, err := s.Stats(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	got := map[string]int{}
	for u, err := range s.Unembedded(p.t.Context()) {
		if err != nil {
			p.t.Fatal(err)
		}
		got[u.ID] = u.Version
	}
	missing, without := 0, map[string]int{}
	for id, m := range p.oracle.memories {
		if v := m.current(); p.oracle.built(id, v.Version) == nil {
			without[id] = v.Version
			if v.Embedding != nil {
				missing++
			}
		}
	}
	want(p.t, "memories without a new vector", got, without)
	var expected *engram.Reembedding
	if b := p.oracle.building; b != nil {
		expected = &engram.Reembedding{
			Model: b.model, Dim: 8, Built: len(p.oracle.memories) - len(without), Missing: missing,
		}
	}
	want(p.t, "reembedding", stats.Reembedding, expected)
	if stats.EmbeddingModel != p.oracle.model {
		p.t.Errorf("the vectors are of model %q, want %q", stats.EmbeddingModel, p.oracle.model)
	}
	if missing > 0 && p.oracle.building != nil {
		o := engram.ReembedOptions{Model: p.oracle.building.model}
		_, err := s.Reembed(p.t.Context(), strings.NewReader(""), o)
		e, ok := errors.AsType[*engram.MissingError](err)
		if !ok || e.Missing != missing || len(e.IDs) != min(missing, 10) {
			p.t.Errorf("Reembed with %d missing = %v", missing, err)
		}
	}
}
