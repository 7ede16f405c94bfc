package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

const (
	spaceDir = "/data/space"
	dim      = 8
)

var storeID = [16]byte{0xe, 1, 2, 3}

// newFS is a file system with the directory above the space.
func newFS(t testing.TB) *vfs.Mem {
	t.Helper()
	fsys := vfs.NewMem()
	if err := errors.Join(fsys.MkdirAll("/data"), fsys.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return fsys
}

// open opens the space with small log files, so that rotation and trimming take part.
func open(fsys vfs.FS, change ...func(*store.Options)) (*store.Space, error) {
	return store.Open(options(fsys, change...))
}

func options(fsys vfs.FS, change ...func(*store.Options)) store.Options {
	o := store.Options{
		FS: fsys, Dir: spaceDir, Name: "test", NewStore: func() ([16]byte, error) { return storeID, nil },
		Lexical: lexical.Options{}, HotBytes: 1 << 20, HotLimit: 8 << 20, LogFileBytes: 4096,
		SealRetry: time.Hour, // what tests seal is what they say
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

func mustOpen(t testing.TB, fsys vfs.FS, change ...func(*store.Options)) *store.Space {
	t.Helper()
	s, err := open(fsys, change...)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

func mustClose(t testing.TB, s *store.Space) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
}

func mustSeal(t testing.TB, s *store.Space) {
	t.Helper()
	if err := s.Seal(context.Background()); err != nil {
		t.Fatalf("Seal = %v", err)
	}
}

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

// action is one operation with everything decided.
type action struct {
	kind      string
	version   version // put
	model     string  // put: named before
	id, other string
	linkType  string
	weight    float32
	count     uint32
	at        int64
	key       store.Key
}

func (a action) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s%s %s", a.kind, a.id, a.version.Record.ID, a.other))
}

func (a action) until() store.Time { return store.Time{Nanos: a.at, Offset: 3600} }

// stage does the action in tx.
func (a action) stage(s *store.Space, tx *store.Tx) error {
	switch a.kind {
	case "put":
		r := a.version.Record
		if err := tx.NameModel(a.model); err != nil {
			return err
		}
		return tx.Put("put", &r, a.version.Vector, s.Prepare(&r))
	case "archive":
		return tx.Archive(a.id, a.at)
	case "erase":
		return tx.Erase(a.id)
	case "supersede":
		return tx.Supersede(a.id, store.Supersession{By: a.other, Until: a.until(), At: a.at})
	case "absent":
		return tx.Absent(a.id, store.Span{From: a.at, Until: a.at + 5})
	case "reinforce":
		return tx.Reinforce(a.id, a.count, a.at)
	case "link":
		return tx.Link(a.id, a.other, a.linkType, a.weight)
	case "model":
		return tx.NameUnnamed(a.other)
	case "begin":
		return tx.BeginVectors(a.other, int(a.count))
	case "embed":
		_, err := tx.Embed(a.id, a.version.Record.Version, a.version.Vector)
		return err
	case "serve":
		return tx.ServeVectors()
	case "cancel":
		return tx.CancelVectors()
	case "unlink":
		_, err := tx.Unlink(a.id, a.other, a.linkType)
		return err
	case "key":
		return tx.PutKey(a.key)
	case "judge":
		return errors.Join(tx.SetDynamics(a.id, a.dynamics()), tx.SetSource(a.source()),
			tx.Feedback(store.FeedbackRecord{
				Memory: a.id, At: a.at, Signal: "useful", Grade: 3, Used: true, Retrievability: .5, Days: 2,
				FeedbackContext: store.FeedbackContext{
					Rank: 1, Score: float64(a.count), Terms: []store.FeedbackTerm{{Name: "words", Value: float64(a.count)}},
				},
			}))
	}
	return fmt.Errorf("no action %q", a.kind)
}

// note does the action in the book.
func (b *book) note(a action) {
	b.clock++
	m := b.memories[a.id]
	switch a.kind {
	case "put":
		id := a.version.Record.ID
		m, known := b.memories[id]
		n := len(m.Versions)
		if known && m.Versions[n-1].Record.Version == a.version.Record.Version {
			m.Versions = m.Versions[:n-1]
		}
		m.Versions = append(slices.Clone(m.Versions), a.version)
		m.ArchivedAt, m.SupersededBy, m.Until = store.NoTime, "", store.Time{Nanos: store.NoTime}
		m.SupersededAt = store.NoTime
		b.memories[id] = m
		delete(b.building, versionKey(id, a.version.Record.Version)) // a restored memory is stored anew
		if len(a.version.Vector) > 0 {
			b.dim = len(a.version.Vector)
		}
		return
	case "begin":
		b.building, b.next = map[string][]float32{}, int(a.count)
		return
	case "embed":
		b.building[versionKey(a.id, a.version.Record.Version)] = a.version.Vector
		return
	case "cancel":
		b.building = nil
		return
	case "serve":
		for id, m := range b.memories {
			m.Versions = slices.Clone(m.Versions)
			for i := range m.Versions {
				m.Versions[i].Vector = b.building[versionKey(id, m.Versions[i].Record.Version)]
			}
			b.memories[id] = m
		}
		b.dim, b.building = b.next, nil
		return
	case "archive":
		m.ArchivedAt = a.at
	case "erase":
		delete(b.memories, a.id)
		b.judged = slices.DeleteFunc(slices.Clone(b.judged), func(s string) bool { return strings.HasPrefix(s, a.id+" ") })
		for l := range b.links {
			if l[0] == a.id || l[1] == a.id {
				delete(b.links, l)
			}
		}
		maps.DeleteFunc(b.keys, func(_ string, k store.Key) bool { return k.ID == a.id })
		maps.DeleteFunc(b.building, func(key string, _ []float32) bool { return strings.HasPrefix(key, a.id+"@") })
		for id, m := range b.memories {
			if m.SupersededBy == a.id {
				m.SupersededBy = store.ErasedID
				b.memories[id] = m
			}
		}
		return
	case "supersede":
		m.SupersededBy, m.Until, m.SupersededAt = a.other, a.until(), a.at
	case "absent":
		m.Absent = append(slices.Clone(m.Absent), store.Span{From: a.at, Until: a.at + 5})
	case "reinforce":
		m.Reinforced = a.count
	case "judge":
		if m.Dynamics != nil {
			m.Past = append(slices.Clone(m.Past), m.Dynamics)
			m.Past = m.Past[max(0, len(m.Past)-63):]
		}
		m.Dynamics = a.dynamics()
		b.sources[a.other] = append(slices.Clone(b.sources[a.other]), a.source())
		b.judged = append(b.judged, fmt.Sprint(a.id, " ", a.at, " ", a.count))
	case "link":
		b.links[[3]string{a.id, a.other, a.linkType}] = a.weight
	case "unlink":
		delete(b.links, [3]string{a.id, a.other, a.linkType})
	case "key":
		b.keys[a.key.Name] = a.key
		return
	case "model":
		return
	}
	b.memories[a.id] = m
}

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
		return action{kind: "link", id: id, other: other, linkType: "about" + strconv.Itoa(rng.IntN(2)), weight: float32(n) / 8}
	case n == 7:
		name := "k" + strconv.FormatInt(b.clock, 10) // a key is put once: whoever puts it has looked for it
		return action{kind: "key", key: store.Key{Name: name, Fingerprint: rng.Uint64(), ID: id, Result: "r", Version: 1}}
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

// read is everything that a reader of v can see of memories and links. Damaged memories are in the error.
func read(v *store.View) (memories map[string]ideal, links map[[3]string]float32, err error) {
	memories, links = map[string]ideal{}, map[[3]string]float32{}
	v.Scan(0, func(_ uint32, f store.Found) bool {
		m := ideal{
			ArchivedAt: f.ArchivedAt(), SupersededBy: f.SupersededBy(), Until: f.Until(), Reinforced: f.Reinforced(),
			SupersededAt: f.SupersededAt(), Absent: f.Absent(),
			Dynamics: f.Dynamics(), Past: f.Past(),
		}
		id := ""
		for _, row := range v.Versions(f) {
			r, readErr := v.Record(row)
			if readErr != nil {
				err = errors.Join(err, readErr)
				return true
			}
			vector, readErr := v.Vector(row)
			if readErr != nil {
				err = errors.Join(err, readErr)
				return true
			}
			m.Versions = append(m.Versions, version{Record: *r, Vector: slices.Clone(vector)})
			id = r.ID
		}
		if _, twice := memories[id]; twice {
			err = errors.Join(err, fmt.Errorf("memory %s is there twice", id))
		}
		memories[id] = m
		list, linkErr := v.Links(f)
		err = errors.Join(err, linkErr)
		for _, l := range list {
			other, idErr := v.ID(l.Other)
			err = errors.Join(err, idErr)
			if l.Outgoing {
				links[[3]string{id, other, l.Type}] = l.Weight
			} else if _, ok := links[[3]string{other, id, l.Type}]; !ok {
				links[[3]string{other, id, l.Type}] = l.Weight
			}
		}
		return true
	})
	return memories, links, err
}

// differs tells how what v shows differs from the book; "" if it does not.
func (b *book) differs(v *store.View) string {
	memories, links, err := read(v)
	if err != nil {
		return err.Error()
	}
	if !reflect.DeepEqual(memories, b.memories) {
		return "memories: (-want +got)\n" + cmp.Diff(b.memories, memories)
	}
	if !reflect.DeepEqual(links, b.links) {
		return "links: (-want +got)\n" + cmp.Diff(b.links, links)
	}
	if diff := b.feedbackDiffers(v); diff != "" {
		return diff
	}
	if diff := b.buildingDiffers(v); diff != "" {
		return diff
	}
	var active, archived, docs, vectors, touched int
	for id, m := range b.memories {
		f, ok, err := v.Lookup(id)
		if err != nil || !ok || f.Row != v.Versions(f)[len(m.Versions)-1] {
			return fmt.Sprintf("Lookup(%s) = %v, %v", id, ok, err)
		}
		if m.Dynamics != nil {
			touched++
		}
		switch {
		case m.ArchivedAt != store.NoTime:
			archived++
			continue
		case m.SupersededBy == "":
			docs++
			if m.Versions[len(m.Versions)-1].Vector != nil {
				vectors++
			}
		}
		active++
	}
	if _, ok, err := v.Lookup("nobody"); ok || err != nil {
		return fmt.Sprintf("Lookup(nobody) = %v, %v", ok, err)
	}
	got := []int{v.Memories, v.Archived, v.Docs, v.Vectors, v.LinkCount, v.Touched}
	if want := []int{active, archived, docs, vectors, len(b.links), touched}; !slices.Equal(got, want) {
		return fmt.Sprintf("memories, archived, docs, vectors, links, touched are counted %v, want %v", got, want)
	}
	return ""
}

// buildingDiffers tells how what v says of vectors that are being built differs from the book.
func (b *book) buildingDiffers(v *store.View) string {
	_, size, ok := v.Building()
	if ok != (b.building != nil) || ok && size != b.next || v.Dim != 0 && v.Dim != b.dim {
		return fmt.Sprintf("vectors of dimension %d are being built (%v) beside those of %d, want %d (%v) beside %d",
			size, ok, v.Dim, b.next, b.building != nil, b.dim)
	}
	if !ok {
		return ""
	}
	missing := map[string]bool{}
	for id, m := range b.memories {
		if b.building[versionKey(id, b.version(id))] == nil {
			missing[id] = m.Versions[len(m.Versions)-1].Vector != nil
		}
	}
	got := map[string]bool{}
	var failed error
	v.Unbuilt(0, func(_ uint32, f store.Found, served bool) bool {
		id, err := v.ID(f.Row)
		failed = errors.Join(failed, err)
		got[id] = served
		return true
	})
	if failed != nil || !maps.Equal(got, missing) || v.Built() != len(b.memories)-len(missing) {
		return fmt.Sprintf("%d memories have the vectors that are being built, missing are %v, %v; want %v", v.Built(), got,
			failed, missing)
	}
	return ""
}

// feedbackDiffers tells how what v says of sources and of feedback differs from the book.
func (b *book) feedbackDiffers(v *store.View) string {
	var judged []string
	for r := range v.Feedback() {
		id, err := v.ID(r.Row)
		if err != nil {
			return err.Error()
		}
		judged = append(judged, fmt.Sprint(id, " ", r.At, " ", r.Score))
		if r.Position == 0 || r.Position > v.Position || len(r.Terms) != 1 {
			return fmt.Sprintf("record of feedback %+v in a view at %d", r, v.Position)
		}
	}
	if !slices.Equal(judged, b.judged) {
		return "feedback: (-want +got)\n" + cmp.Diff(b.judged, judged)
	}
	for name, history := range b.sources {
		if got := v.Reliability(name); got != history[len(history)-1].Reliability {
			return fmt.Sprintf("Reliability(%s) = %v, want %v", name, got, history)
		}
		if got, want := v.SourceHistory(name), history[max(0, len(history)-64):]; !slices.Equal(got, want) {
			return fmt.Sprintf("SourceHistory(%s) = %v, want %v", name, got, want)
		}
		for _, s := range history[max(0, len(history)-64):] {
			if got := v.ReliabilityAsOf(name, s.At); got != s.Reliability {
				return fmt.Sprintf("ReliabilityAsOf(%s, %d) = %v, want %v", name, s.At, got, s)
			}
		}
	}
	if got := v.Verified; got != len(b.sources) || len(v.Sources()) != got {
		return fmt.Sprintf("%d sources are known, listed are %v, want %d", got, v.Sources(), len(b.sources))
	}
	if got := v.Reliability("nobody"); got != dynamics.Prior() {
		return fmt.Sprintf("Reliability(nobody) = %v", got)
	}
	return ""
}

// dynamics is the state that a judgement leads to.
func (a action) dynamics() *store.Dynamics {
	m := dynamics.New(dynamics.DefaultWeights())
	own := dynamics.NewEvidence(longSource, true, .8)
	d := store.Dynamics{State: m.Fresh(a.at, own), Evidence: []dynamics.Evidence{own}, At: a.at}
	if a.count%3 == 0 {
		d.During = "s" + strconv.Itoa(int(a.count%5))
	}
	d.State = m.Use(d.State, dynamics.Good, a.at+int64(a.count)*86400e9)
	if a.count%2 == 0 {
		d.Evidence = dynamics.Hear(d.Evidence, dynamics.NewEvidence(a.other, a.count%4 == 0, .7))
	}
	d.State.Learn(d.Evidence)
	if a.count%7 == 0 {
		d.State.Lapse = d.State.LastUse + 1
		d.Evidence[0].Counted = dynamics.Verdicts(1 + a.count%3)
	}
	return &d
}

func (a action) source() store.Source {
	return store.Source{Name: a.other, Reliability: dynamics.Reliability{Right: 4 + float32(a.count), Wrong: 1}, At: a.at}
}

// recalled is what recall finds in v for some questions, to the last bit.
func recalled(v *store.View) (out []string) {
	var engine recall.Engine
	valid := recall.NoFilters()
	valid.ValidAt = 1e15
	kind := recall.NoFilters()
	kind.Kinds = []uint32{v.Symbol("fact")}
	corpora := []*recall.Corpus{
		v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(),
		v.CorpusAsOf(store.Past{At: 1015, Now: 2e15}), v.CorpusAsOf(store.Past{At: 1040, Now: 2e15, Superseded: true}),
		v.CorpusAsOf(store.Past{At: 1060, Now: 2e15}),
	}
	near := func(numbers ...float32) []float32 { // of the dimension that there is
		v := make([]float32, max(v.Dim, dim))
		copy(v, numbers)
		return v
	}
	for i, q := range []recall.Query{
		{Text: "river stone lantern"},
		{Text: "copper anchor signal", Embedding: near(1, 2, 3, 4, 5, 6, 7, 8)},
		{Embedding: near(-1, 2, -3, 4, 0, 0, 1, 1)},
		{},
		{Text: "harvest paper", Filters: valid},
		{Filters: kind},
		{Text: "river stone lantern"},
		{Text: "copper anchor signal", Embedding: near(1, 2, 3, 4, 5, 6, 7, 8), Filters: valid},
		{},
	} {
		if i < 4 || i == 6 || i == 8 {
			q.Filters = recall.NoFilters()
		}
		q.Now, q.Limit = 2e15, 20
		answer, err := engine.Recall(context.Background(), corpora[i], q)
		var line strings.Builder
		line.WriteString(fmt.Sprintf("%d: searched %d, damaged %d, %v:", i, answer.Searched, answer.Damaged, err))
		for _, h := range answer.Hits {
			id, err := v.ID(h.Row)
			if err != nil {
				id = err.Error()
			}
			line.WriteString(fmt.Sprintf(" %s=%x", id, h.Score))
		}
		out = append(out, line.String())
	}
	return out
}

// verified fails the test unless Verify finds nothing wrong.
func verified(t testing.TB, s *store.Space) {
	t.Helper()
	report, err := s.Verify(context.Background())
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("Verify = %+v, %v, want no problems", report.Problems, err)
	}
}

// holds fails the test unless the space shows what the book says and its keys are known.
func (b *book) holds(t testing.TB, what string, s *store.Space) {
	t.Helper()
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
	err := s.Write(context.Background(), "check", nil, func(tx *store.Tx) error {
		for name, k := range b.keys {
			if got, ok := tx.Key(name); !ok || got != k {
				return fmt.Errorf("Key(%s) = %+v, %v, want %+v", name, got, ok, k)
			}
		}
		if k, ok := tx.Key("never used"); ok {
			return fmt.Errorf("Key(never used) = %+v", k)
		}
		return b.inScope(tx)
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// inScope looks every memory up by what it says: those that recall goes through are found, and what was refused is not.
func (b *book) inScope(tx *store.Tx) error {
	find := func(r *store.Record) (bool, error) {
		_, ok, err := tx.FindScope(r, func(known *store.Record, _ uint32) (bool, error) { return known.ID == r.ID, nil })
		return ok, err
	}
	for id, m := range b.memories {
		ok, err := find(&m.Versions[len(m.Versions)-1].Record)
		if active := m.ArchivedAt == store.NoTime && m.SupersededBy == ""; err != nil || ok != active {
			return fmt.Errorf("FindScope of %s = %v, %w, want %v", id, ok, err, active)
		}
	}
	for i := range b.refused {
		r := &b.refused[i]
		m, known := b.memories[r.ID]
		known = known && m.Versions[len(m.Versions)-1].Record.Content == r.Content
		if ok, err := find(r); err != nil || ok && !known {
			return fmt.Errorf("FindScope of what was refused, %s = %v, %w", r.ID, ok, err)
		}
	}
	return nil
}

// do writes actions as one and notes them.
func (b *book) do(t testing.TB, s *store.Space, actions ...action) {
	t.Helper()
	if err := write(s, actions); err != nil {
		t.Fatalf("%v = %v", actions, err)
	}
	for _, a := range actions {
		b.note(a)
	}
}

func mustCompact(t testing.TB, s *store.Space) store.CompactReport {
	t.Helper()
	report, err := s.Compact(t.Context(), store.CompactOptions{})
	if err != nil {
		t.Fatalf("Compact = %v", err)
	}
	return report
}

// toCold moves every segment to the cold tier, toWarm back.
var (
	toCold = store.MoveOptions{Today: 1, Since: math.MaxUint32}
	toWarm = store.MoveOptions{}
)

func mustMove(t testing.TB, s *store.Space, o store.MoveOptions) store.CompactReport {
	t.Helper()
	report, err := s.Move(t.Context(), o)
	if err != nil {
		t.Fatalf("Move = %v", err)
	}
	return report
}

func write(s *store.Space, actions []action) error {
	return s.Write(context.Background(), "write", nil, func(tx *store.Tx) error {
		for _, a := range actions {
			if err := a.stage(s, tx); err != nil {
				return fmt.Errorf("%v: %w", a, err)
			}
		}
		return nil
	})
}

// seeds is how many seeds a test runs: n, or what the environment says.
func seeds(t testing.TB, n int) int {
	t.Helper()
	if text := os.Getenv("ENGRAM_CRASH_SEEDS"); text != "" {
		many, err := strconv.Atoi(text)
		if err != nil || many < 1 {
			t.Fatalf("ENGRAM_CRASH_SEEDS is %q, want a number above 0", text)
		}
		return many
	}
	return n
}

// firstSeed is where seeds begin: ENGRAM_CRASH_FROM, so that runs one after another take others.
func firstSeed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("ENGRAM_CRASH_FROM")
	if text == "" {
		return 0
	}
	from, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ENGRAM_CRASH_FROM is %q, want a number", text)
	}
	return from
}

// changed lists what is different in two results of recalled; "" if nothing is.
func changed(before, after []string) string {
	for i := range before {
		if before[i] != after[i] {
			x, y := strings.Fields(before[i]), strings.Fields(after[i])
			for j := range min(len(x), len(y)) {
				if x[j] != y[j] {
					return fmt.Sprintf("question %d, word %d: %s became %s:\n%s\n%s", i, j, x[j], y[j], before[i], after[i])
				}
			}
			return fmt.Sprintf("question %d:\n%s\nbecame\n%s", i, before[i], after[i])
		}
	}
	return ""
}
