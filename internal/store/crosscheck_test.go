package store_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// entangled is a space of which a memory takes part in everything that is kept in memory: versions, a session, whose
// order goes by times and by ids, tags, a source, vectors, associations both ways, a replaced memory, an idempotency
// key, uses, what a source says, and judgements. All of it is sealed, or all of it is in the log.
func entangled(t *testing.T, sealed bool) *store.Space {
	t.Helper()
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	put := func(id string, at int64) action {
		a := withVector(b.put(id), dim)
		r := &a.version.Record
		r.Kind, r.Speaker, r.Session, r.Tags, r.Source = "fact", "Ada", "s", []string{"blue", "all"}, longSource
		r.OccurredAt.Nanos, r.Confidence = at, .75
		return a
	}
	for i, id := range []string{"aa", "bb", "cc", "dd", "ee"} {
		b.do(t, s, put(id, int64(1+i/2)*1e12))
	}
	b.do(t, s, put("mm", 2e12))
	b.do(t, s, put("mm", 2e12))
	b.do(t, s, put("nn", 5e12))
	b.do(t, s, action{kind: "supersede", id: "aa", other: "mm", at: 5}, action{kind: "archive", id: "bb", at: 6})
	b.do(t, s, action{kind: "link", id: "mm", other: "cc", linkType: "about", weight: .5},
		action{kind: "link", id: "dd", other: "mm", linkType: "about", weight: .25},
		action{kind: "key", key: store.Key{Name: "the key", ID: "mm", Result: "created", Version: 1}})
	b.do(t, s, action{kind: "judge", id: "mm", other: "Ada", count: 4, at: 9})
	b.do(t, s, action{kind: "judge", id: "mm", other: "Ada", count: 5, at: 10}, action{kind: "judge", id: "cc", at: 11})
	if sealed {
		mustSeal(t, s)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

// TestVerifyChecksWhatIsInMemory makes one thing wrong at a time: verify tells of it, by the memory where one can be
// named, and of nothing while nothing is wrong.
func TestVerifyChecksWhatIsInMemory(t *testing.T) {
	t.Parallel()
	verified(t, entangled(t, true))
	verified(t, entangled(t, false))
	unnamed := map[string]string{
		"associations": "associations", "key": `"the key"`, "keys of a memory": `"the key"`,
		"order missing": `session "s"`, "count of words": "words",
		"count of memories": "count of memories", "count of archived": "archived memories",
		"count of known": "instant", "count of vectors": "vectors", "count of links": "associations",
		"count of touched": "use", "written: reliability": `source "Ada"`, "written: key": `"the key"`,
		"written: judgements": "judgements",
	}
	for _, how := range store.Corruptions() {
		told(t, entangled(t, true), how, unnamed[how])
		if strings.HasPrefix(how, "written: ") {
			told(t, entangled(t, false), how, unnamed[how])
		}
	}
}

// told makes something of memory "mm" wrong, and fails the test unless verify tells of it, by its name or another.
func told(t *testing.T, s *store.Space, how, other string) {
	t.Helper()
	if err := store.Corrupt(s, how, "mm"); err != nil {
		t.Fatal(err)
	}
	report, err := s.Verify(context.Background())
	if err != nil {
		t.Errorf("%s: Verify = %v", how, err)
	}
	var told []string
	for _, p := range report.Problems {
		told = append(told, p.What)
	}
	want := cmp.Or(other, `"mm"`)
	if !strings.Contains(fmt.Sprint(told), want) || strings.Contains(fmt.Sprint(told), "panic") {
		t.Errorf("%s: Verify tells of %q, want %q among it", how, told, want)
	}
	if testing.Verbose() {
		t.Logf("%s: %q", how, told)
	}
}

// TestVerifyBesideWriters verifies over and over while memories are written, replaced, archived, erased and linked,
// some writes fail, and what they leave is sealed and compacted: nothing is wrong at any moment.
func TestVerifyBesideWriters(t *testing.T) {
	t.Parallel()
	fsys := newFS(t)
	s := mustOpen(t, fsys, func(o *store.Options) { o.HotBytes, o.HotLimit = 16<<10, 256<<10 })
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				t.Logf("verified %d times", n)
				return
			default:
				verified(t, s)
			}
		}
	})
	rng := rand.New(rand.NewPCG(26, 1))
	b := newBook()
	b.reembeds = 1
	for i := range 600 {
		b.do(t, s, b.random(rng))
		if i%7 == 0 {
			if err := write(s, []action{b.put("m1"), {kind: "no such"}}); err == nil {
				t.Fatal("a failing write succeeded")
			}
		}
		if i%150 == 149 {
			mustCompact(t, s)
		}
	}
	close(stop)
	reader.Wait()
	b.holds(t, "written", s)
	mustClose(t, s)
}
