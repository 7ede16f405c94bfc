package store

import (
	"slices"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
)

// Corpus is the view as recall goes through it.
func (v *View) Corpus() *recall.Corpus {
	t := v.s.t
	parts := *v.partsNow()
	c := &recall.Corpus{
		Rows: v.Rows, Position: v.Position, Facts: &t.facts,
		Current:  recall.Population{Ends: &t.ends, Docs: v.Docs, Tokens: v.Tokens},
		Known:    recall.Population{Ends: t.known.Load(), Docs: v.KnownDocs, Tokens: v.KnownTokens},
		Expiring: v.Expiring, Words: t.words, Chain: t.chain, Links: t.links,
		Vectors: make([]ann.Part, 0, len(parts)), Dim: v.Dim, Metric: v.Metric, Source: source{v}, Touched: v.Touched,
	}
	for _, p := range parts {
		if p.base >= v.Rows {
			break
		}
		switch {
		case p.side != nil:
			if p.side.set == v.serving && p.side.lost == nil {
				s := servingSide{p.side, v, slices.ContainsFunc(parts, func(p part) bool {
					return p.side == nil && p.generation == v.Generation
				})}
				c.Vectors = append(c.Vectors, ann.Part{
					Source: s, Mapped: p.side.sealed != nil && p.side.sealed.Tier() == segment.Warm,
				})
			}
		case p.generation != v.Generation: // its vectors do not count any more
		case p.hot != nil:
			c.Vectors = append(c.Vectors, ann.Part{Base: p.base, Source: p.hot})
		case p.sealed != nil:
			c.Vectors = append(c.Vectors, ann.Part{
				Base: p.base, Source: sealedVectors{p.sealed, v.s}, Mapped: p.sealed.Tier() == segment.Warm,
			})
		}
	}
	return c
}

// sealedVectors are those of a sealed segment. Damage that a scan meets is remembered.
type sealedVectors struct {
	*segment.Sealed
	s *Space
}

func (v sealedVectors) Group(g int, scratch *[]byte) (segment.Group, error) {
	group, err := v.Sealed.Group(g, scratch)
	v.s.noteDamage(err)
	return group, err
}

func (v sealedVectors) Codes(g int, scratch *[]byte) (segment.Codes, error) {
	codes, err := v.Sealed.Codes(g, scratch)
	v.s.noteDamage(err)
	return codes, err
}

func (v sealedVectors) Exact(vector uint32, fn func([]float32, float32) error) error {
	err := v.Sealed.Exact(vector, fn)
	v.s.noteDamage(err)
	return err
}

// source answers what recall asks for few rows only.
type source struct{ *View }

// Row gives the row of an entry's version in the view.
func (s source) Row(entry uint32) (row uint32, ok bool) {
	if entry >= s.Entries {
		return 0, false
	}
	st := s.s.t.state(entry, s.Position)
	return st.row, !st.erased && st.row < s.Rows && s.s.t.ends.End(st.row) != 0
}

// Until is the end of validity that supersession gave a row's memory.
func (s source) Until(row uint32) int64 {
	return s.s.t.state(s.s.t.facts.At(row).Entry, s.Position).fate.until.Nanos
}

// Text reads the content of a row's memory.
func (s source) Text(row uint32) (string, error) {
	r, err := s.Record(row)
	if err != nil {
		return "", err
	}
	return r.Content, nil
}

// Speaks reports whether a symbol is a speaker's.
func (s source) Speaks(symbol uint32) bool { return s.s.t.symbols.speaks(symbol) }

// TagSet lists the symbols of a set of tags.
func (s source) TagSet(set uint32) []uint32 { return s.s.t.symbols.set(set) }

// Symbol gives the number of a kind, speaker, session or tag; recall.NoSymbol if no memory has it.
func (v *View) Symbol(name string) uint32 {
	if symbol, ok := v.s.t.symbols.find(name); ok {
		return symbol
	}
	return recall.NoSymbol
}
