package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// needles are what a memory could be found by in a file.
func needles(a action) map[string][]byte {
	r := a.version.Record
	return map[string][]byte{
		"id": []byte(r.ID), "content": []byte(r.Content), "tag": []byte(r.Tags[0]), "key": []byte(r.Metadata[0].Key),
		"value": []byte(r.Metadata[0].Value), "source": []byte(r.Source), "speaker": []byte(r.Speaker),
		"vector": vec.Bytes(a.version.Vector),
	}
}

// secret is a memory all of whose parts can be told from those of others.
func (b *book) secret(name string) action {
	a := b.put("id-" + name)
	r := &a.version.Record
	r.Content, r.Tags = "content-"+name, []string{"tag-" + name}
	r.Metadata = []store.Pair{{Key: "key-" + name, Value: "value-" + name}}
	r.Source, r.Speaker, r.Session = "source-"+name, "speaker-"+name, "s1"
	a.version.Vector = make([]float32, dim)
	for i := range a.version.Vector {
		a.version.Vector[i] = float32(len(name)*1000+i) + .123
	}
	return a
}

// found lists the files in which something of a is.
func found(t *testing.T, fsys *vfs.Mem, a action) (where []string) {
	t.Helper()
	for _, name := range fsys.Files() {
		b, err := fsys.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, needle := range needles(a) {
			if bytes.Contains(b, needle) {
				where = append(where, what+" in "+name)
			}
		}
	}
	slices.Sort(where)
	return where
}

// TestEraseLeavesNoByte erases memories in every place that they can be in: unsealed, sealed, in the log that is kept
// for backups, named by associations, keys and superseded memories. Until the compaction they are found, which shows
// that the search works; afterwards no file has a byte of them.
func TestEraseLeavesNoByte(t *testing.T) {
	fsys := newFS(t)
	keepLog := func(o *store.Options) { o.LogKeepBytes = 1 << 20 }
	s := mustOpen(t, fsys, keepLog)
	b := newBook()
	sealed, versions, hot := b.secret("sealed"), b.secret("versions1"), b.secret("hot")
	b.do(t, s, b.put("a"), b.put("bb"))
	b.do(t, s, sealed, versions)
	b.do(t, s, action{kind: "link", id: "a", other: "id-sealed", linkType: "about", weight: .5})
	b.do(t, s, action{kind: "supersede", id: "bb", other: "id-sealed", at: 5})
	b.do(t, s, action{kind: "key", key: store.Key{Name: "idempotency-sealed", ID: "id-sealed", Result: "created"}})
	mustSeal(t, s)
	again := versions
	again.version.Record.Version = 2
	again.version.Record.Content = "content-versions2"
	b.do(t, s, again)
	mustSeal(t, s)
	b.do(t, s, hot, b.put("ccc"))
	secrets := []action{sealed, versions, again, hot}
	for _, id := range []string{"id-sealed", "id-versions1", "id-hot"} {
		b.do(t, s, action{kind: "erase", id: id})
	}
	b.holds(t, "erased", s)
	for _, a := range secrets {
		if where := found(t, fsys, a); len(where) == 0 {
			t.Errorf("%v is in no file before the compaction: the search finds nothing", a)
		}
	}
	before := recalled(s.View())
	report := mustCompact(t, s)
	if report.Dropped != 3 || report.Written != 1 || len(report.Left) != 0 {
		t.Errorf("Compact = %+v, want three sealed rows dropped and one segment", report)
	}
	for range 2 {
		for _, a := range secrets {
			if where := found(t, fsys, a); len(where) > 0 {
				t.Errorf("%v is still in %v", a, where)
			}
		}
		for _, name := range fsys.Files() {
			if raw, _ := fsys.Bytes(name); bytes.Contains(raw, []byte("idempotency-sealed")) {
				t.Errorf("the idempotency key is still in %s", name)
			}
		}
		b.holds(t, "compacted", s)
		verified(t, s)
		if diff := changed(before, recalled(s.View())); diff != "" {
			t.Errorf("recall: %s", diff)
		}
		mustClose(t, s)
		s = mustOpen(t, fsys, keepLog)
	}
	mustClose(t, s)
}

// TestCompactionPutsSegmentsTogether seals often, and compacts: there is one segment, and nothing else has changed.
func TestCompactionPutsSegmentsTogether(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for i := range 6 {
		b.do(t, s, b.put("m"+strings.Repeat("x", i)), b.put("n"+strings.Repeat("y", i)))
		b.do(t, s, b.put("m"))
		mustSeal(t, s)
	}
	before := recalled(s.View())
	old := s.View()
	report := mustCompact(t, s)
	if st := s.Stats(); st.Segments != 1 || report.Sources != 6 || report.Written != 1 || report.Dropped != 0 {
		t.Errorf("Compact = %+v with %d segments, want one of six", report, st.Segments)
	}
	b.holds(t, "compacted", s)
	if diff := b.differs(old); diff != "" {
		t.Errorf("a view from before: %s", diff)
	}
	if diff := changed(before, recalled(s.View())); diff != "" {
		t.Errorf("recall: %s", diff)
	}
	if again := mustCompact(t, s); again.Written != 0 {
		t.Errorf("Compact again = %+v, want nothing to do", again)
	}
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	mustClose(t, s)
}

// TestOldViewAcrossACompaction holds a view, erases and compacts: what it was shown it is shown until it is let go.
func TestOldViewAcrossACompaction(t *testing.T) {
	s := mustOpen(t, newFS(t))
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"), b.put("ccc"))
	mustSeal(t, s)
	held, was := s.View(), b.clone()
	before := recalled(held)
	b.do(t, s, action{kind: "erase", id: "bb"})
	mustCompact(t, s)
	if diff := was.differs(held); diff != "" {
		t.Errorf("the view from before: %s", diff)
	}
	if diff := changed(before, recalled(held)); diff != "" {
		t.Errorf("recall in the view from before: %s", diff)
	}
	b.holds(t, "now", s)
	mustClose(t, s)
}

// TestCompactionLeavesDamage damages one of three segments: it stays, is told of, and is not copied; the others are
// compacted.
func TestCompactionLeavesDamage(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	var files []string
	for _, id := range []string{"a", "bb", "ccc"} {
		b.do(t, s, b.put(id), b.put(id+"-erased"))
		mustSeal(t, s)
		for _, name := range fsys.Files() {
			if filepath.Ext(name) == ".seg" && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	for _, id := range []string{"a", "bb", "ccc"} {
		b.do(t, s, action{kind: "erase", id: id + "-erased"})
	}
	mustClose(t, s)
	raw, err := fsys.Bytes(files[1])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte("bb "))
	raw[at] ^= 1
	if err := fsys.SetBytes(files[1], raw); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fsys)
	report, err := s.Compact(t.Context(), store.CompactOptions{})
	if err != nil || len(report.Left) != 1 || !errors.Is(report.Left[0], codec.ErrCorrupt) || report.Written != 2 {
		t.Fatalf("Compact = %+v, %v, want one segment left and two written", report, err)
	}
	if still, err := fsys.Bytes(files[1]); err != nil || !bytes.Equal(still, raw) {
		t.Errorf("the damaged segment is gone or changed: %v", err)
	}
	for _, id := range []string{"a", "ccc"} {
		if _, ok, err := s.View().Lookup(id); !ok || err != nil {
			t.Errorf("Lookup(%s) = %v, %v", id, ok, err)
		}
	}
	if _, _, err := s.View().Lookup("bb"); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Lookup of the damaged memory = %v, want the damage", err)
	}
	mustClose(t, s)
}

// TestReadersBesideCompactions reads all the time while memories are written, erased, sealed and compacted: every
// answer is right for its view.
func TestReadersBesideCompactions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "space")
	s := mustOpen(t, vfs.OS{}, func(o *store.Options) { o.Dir = dir }) // real mappings
	b := newBook()
	for i := range 20 {
		b.do(t, s, b.put(fmt.Sprint("stays", i)))
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				v := s.View()
				first, _, err := read(v)
				if err != nil {
					t.Errorf("read = %v", err)
					return
				}
				once := recalled(v)
				second, _, err := read(v)
				if err != nil || len(first) != len(second) {
					t.Errorf("the same view shows %d, then %d memories, %v", len(first), len(second), err)
				}
				if diff := changed(once, recalled(v)); diff != "" {
					t.Errorf("recall in one view: %s", diff)
				}
			}
		})
	}
	for i := range 10 {
		id := fmt.Sprint("goes", i)
		b.do(t, s, b.put(id))
		if i%3 == 0 {
			mustSeal(t, s)
		}
		b.do(t, s, action{kind: "erase", id: id})
		mustCompact(t, s)
		runtime.GC() // lets go of what was replaced, if nobody reads it
	}
	stop.Store(true)
	wg.Wait()
	b.holds(t, "at the end", s)
	verified(t, s)
	mustClose(t, s)
}

// TestSalvageBehindACompaction loses the manifest of a space whose oldest rows are in its newest file, with and without
// the files that were compacted: everything comes back, once.
func TestSalvageBehindACompaction(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for _, id := range []string{"a", "bb", "ccc"} {
		b.do(t, s, b.put(id), b.put(id+"x"))
		mustSeal(t, s)
	}
	b.do(t, s, action{kind: "erase", id: "bb"})
	before := map[string][]byte{}
	for _, name := range fsys.Files() {
		if filepath.Ext(name) == ".seg" {
			before[name], _ = fsys.Bytes(name)
		}
	}
	if _, err := s.Compact(t.Context(), store.CompactOptions{DeadOnly: true}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if err := fsys.Remove(manifestPath); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"compacted", "with the files before"} {
		saved, err := store.Salvage(options(fsys), func(err error) { t.Logf("%s: %v", what, err) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := b.differs(saved.View()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		mustClose(t, saved)
		for name, raw := range before {
			f, err := fsys.Create(name)
			if err != nil {
				continue // it was not compacted
			}
			if _, err := f.WriteAt(raw, 0); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNobodyWaitsForACompaction holds a compaction in the middle of its work: memories are written, erased, sealed and
// read meanwhile, and it is committed beside what was sealed.
func TestNobodyWaitsForACompaction(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	big := strings.Repeat("much ", 20_000)
	for i := range 8 {
		a := b.put(fmt.Sprint("m", i))
		a.version.Record.Content += big
		b.do(t, s, a)
	}
	mustSeal(t, s)
	b.do(t, s, action{kind: "erase", id: "m3"})
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		report, err := s.Compact(t.Context(), store.CompactOptions{Pace: func(int) error {
			once.Do(func() {
				close(held)
				<-release
			})
			return nil
		}})
		if err == nil && report.Dropped != 1 {
			err = fmt.Errorf("Compact = %+v, want what was erased before it dropped", report)
		}
		done <- err
	}()
	<-held
	b.do(t, s, b.put("meanwhile"), action{kind: "erase", id: "m5"}, b.put("m6"))
	b.holds(t, "beside the compaction", s)
	mustSeal(t, s)
	b.do(t, s, b.put("in memory"))
	b.holds(t, "beside the compaction, sealed", s)
	if st := s.Stats(); st.Segments != 2 {
		t.Errorf("%d segments beside the compaction, want two", st.Segments)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.holds(t, "compacted", s)
	verified(t, s)
	again := mustOpen(t, fsys.CrashClone(0, vfs.LoseAll))
	b.holds(t, "after a power cut", again)
	verified(t, again)
	mustClose(t, again)
	if report := mustCompact(t, s); report.Dropped != 1 {
		t.Errorf("Compact again = %+v, want what was erased meanwhile dropped", report)
	}
	b.holds(t, "compacted again", s)
	mustClose(t, s)
}
