package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go/internal/store"
)

// version is one version of a memory.
type version struct {
	Record store.Record
	Vector []float32
}

// ideal is a memory as it must be.
type ideal struct {
	Versions     []version // oldest first
	ArchivedAt   int64
	SupersededBy string
	Until        store.Time
	SupersededAt int64
	Absent       []store.Span
	Reinforced   uint32
	Dynamics     *store.Dynamics
	Past         []*store.Dynamics
}

// book is what a space must hold, in plain maps.
type book struct {
	memories map[string]ideal
	links    map[[3]string]float32 // from, to, type
	keys     map[string]store.Key
	clock    int64
	sources  map[string][]store.Source
	judged   []string // what the record of feedback must say
	refused  []store.Record
	dim      int                  // of the vectors that serve
	building map[string][]float32 // by version; nil if no vectors are being built
	next     int                  // their dimension
	reembeds int                  // how much random builds vectors: 0 not at all, 1 now and then, 2 above all
}

// versionKey names a version of a memory.
func versionKey(id string, version uint32) string { return fmt.Sprint(id, "@", version) }

func newBook() *book {
	return &book{
		memories: map[string]ideal{}, links: map[[3]string]float32{}, keys: map[string]store.Key{}, clock: 1000,
		sources: map[string][]store.Source{}, dim: dim,
	}
}

func (b *book) clone() *book {
	c := &book{
		memories: maps.Clone(b.memories), links: maps.Clone(b.links), keys: maps.Clone(b.keys), clock: b.clock,
		sources: maps.Clone(b.sources), judged: slices.Clone(b.judged),
		dim: b.dim, building: maps.Clone(b.building), next: b.next, reembeds: b.reembeds,
	}
	for id, m := range c.memories {
		m.Versions = slices.Clone(m.Versions)
		c.memories[id] = m
	}
	return c
}

func (b *book) ids() []string { return slices.Sorted(maps.Keys(b.memories)) }

// longSource makes records so large that the log has several files.
var longSource = strings.Repeat("source ", 100)

var bookWords = strings.Fields("river stone window copper lantern harvest anchor violet thunder paper orchard signal")

// put makes the next version of a memory, or its first; restore repeats the last one. Every second has a vector.
func (b *book) put(id string) action {
	m, known := b.memories[id]
	n := uint32(1)
	if known {
		n = m.Versions[len(m.Versions)-1].Record.Version + 1
	}
	if known && m.ArchivedAt != store.NoTime {
		return action{kind: "put", version: m.Versions[len(m.Versions)-1]}
	}
	seed := b.clock*31 + int64(n)
	words := make([]string, 3+seed%5)
	for i := range words {
		words[i] = bookWords[(seed*7+int64(i*i)+int64(len(id)))%int64(len(bookWords))]
	}
	none := store.Time{Nanos: store.NoTime}
	r := store.Record{
		ID: id, Version: n, Content: id + " " + strings.Join(words, " "), Kind: []string{"fact", "event"}[seed%2],
		Speaker: []string{"", "Ada", "Bo"}[seed%3], Session: []string{"", "s1", "s2"}[len(id)%3],
		OccurredAt: store.Time{Nanos: 1e15 + seed%17*1e12, Offset: 3600}, ValidFrom: none, ValidUntil: none,
		ExpiresAt: none, CreatedAt: store.Time{Nanos: b.clock}, UpdatedAt: store.Time{Nanos: b.clock},
		Confidence: float64(seed%5) / 4, Pin: seed%7 == 0, Source: longSource,
		Language: []string{"", "de", "fr"}[seed%3],
		LanguageFrom: []store.LanguageSource{
			store.LanguageFound, store.LanguageFound, store.LanguageStated,
		}[seed%3],
	}
	if seed%2 == 0 {
		r.Tags = []string{"t" + strconv.Itoa(int(seed%4)), "all"}
		r.Metadata = []store.Pair{{Key: "a", Value: id}, {Key: "b", Value: ""}}
	}
	if seed%5 == 0 {
		r.ExpiresAt = store.Time{Nanos: 9e18}
	}
	a := action{kind: "put", version: version{Record: r}}
	if (seed/2)%2 == 0 {
		a.version.Vector = vectorOf(seed, b.dim)
	}
	return a
}

// vectorOf makes a vector.
func vectorOf(seed int64, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32((seed*3+int64(i*i*5))%23) - 11.5
	}
	return v
}

// begin begins to build vectors, of another dimension now and then.
func (b *book) begin() action {
	return action{kind: "begin", other: fmt.Sprint("model ", b.clock), count: uint32(dim + 4*(b.clock%2))}
}

// embed gives the newest version of a memory that has none a vector of those that are being built; false if all have.
func (b *book) embed(rng *rand.Rand) (action, bool) {
	ids := slices.DeleteFunc(b.ids(), func(id string) bool { return b.building[versionKey(id, b.version(id))] != nil })
	if len(ids) == 0 {
		return action{}, false
	}
	id := ids[rng.IntN(len(ids))]
	v := version{Record: store.Record{Version: b.version(id)}, Vector: vectorOf(b.clock*7+1, b.next)}
	return action{kind: "embed", id: id, version: v}, true
}

// version is the newest of a memory.
func (b *book) version(id string) uint32 {
	m := b.memories[id]
	return m.Versions[len(m.Versions)-1].Record.Version
}

// reembed makes an action of those that build vectors; false if it is the turn of others.
func (b *book) reembed(rng *rand.Rand) (action, bool) {
	if b.reembeds == 0 {
		return action{}, false
	}
	n := rng.IntN([]int{0, 40, 16}[b.reembeds])
	switch {
	case n < 2 && b.building == nil:
		return b.begin(), true
	case n == 0:
		return action{kind: "serve"}, true
	case n == 1 && rng.IntN(2) == 0:
		return action{kind: "cancel"}, true
	case n < 10 && b.building != nil:
		return b.embed(rng)
	}
	return action{}, false
}

// random makes an action that is possible.
func (b *book) random(rng *rand.Rand) action {
	ids := b.ids()
	if len(ids) < 2 || rng.IntN(10) < 3 {
		return b.put("m" + strconv.Itoa(rng.IntN(40)))
	}
	if a, ok := b.reembed(rng); ok {
		return a
	}
	id, other := ids[rng.IntN(len(ids))], ids[rng.IntN(len(ids))]
	m := b.memories[id]
	switch n := rng.IntN(11); {
	case n == 0 && m.ArchivedAt == store.NoTime:
		return action{kind: "archive", id: id, at: b.clock}
	case n == 1:
		return action{kind: "erase", id: id}
	case n == 2 && m.ArchivedAt == store.NoTime && m.SupersededBy == "" && id != other:
		return action{kind: "supersede", id: id, other: other, at: b.clock}
	case n == 3 && rng.IntN(2) == 0:
		return action{kind: "absent", id: id, at: b.clock}
	case n == 3:
		return action{kind: "reinforce", id: id, count: m.Reinforced + 1, at: b.clock}
	case n < 7:
		return action{
			kind: "link", id: id, other: other, linkType: "about" + strconv.Itoa(rng.IntN(2)), weight: float32(n) / 8,
		}
	case n == 7:
		name := "k" + strconv.FormatInt(b.clock, 10) // a key is put once: whoever puts it has looked for it
		return action{
			kind: "key", key: store.Key{Name: name, Fingerprint: rng.Uint64(), ID: id, Result: "r", Version: 1},
		}
	case n == 10:
		return action{
			kind: "judge", id: id, other: []string{"", "Ada", "Bo"}[rng.IntN(3)], count: rng.Uint32N(100), at: b.clock,
		}
	case n == 8 && len(b.links) > 0:
		l := slices.SortedFunc(maps.Keys(b.links), func(x, y [3]string) int { return slices.Compare(x[:], y[:]) })[0]
		return action{kind: "unlink", id: l[0], other: l[1], linkType: l[2]}
	}
	return b.put(id)
}
