package engram_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/vfs"
)

// page is what a disk loses at once.
const page = 4096

// paged is a directory whose files have many pages, and what is right to say of each of its spaces.
type paged struct {
	o     engram.Options
	now   *vfs.Mem
	old   *vfs.Mem // the same directory some sealings before
	bytes map[string][]byte
	was   map[string][]byte
	right map[string]map[string]engram.Memory // by space and id
	hist  map[string]map[string][]engram.Memory
}

// pagedDir makes the directory. Space default has a cold segment, warm ones with and without vectors, and vectors that
// are being built; in space apart those that serve are apart from their rows.
func pagedDir(t *testing.T) *paged {
	t.Helper()
	c := &clock{now: day(1)}
	fs := vfs.NewMem()
	p := &paged{
		o: engram.Options{Clock: c.tell, Compaction: engram.BackgroundCompaction{ErasedShare: -1, ColdAfter: -1}},
	}
	db, err := p.o.On(fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(8, 8))
	put := func(s *engram.Space, from, to int, vectors bool) {
		var drafts []engram.Draft
		for i := from; i < to; i++ {
			d := engram.Draft{ID: fmt.Sprint("m", i), Content: sentence(rng, i), Source: fmt.Sprint("source", i%3)}
			if vectors {
				d.Embedding, d.EmbeddingModel = make([]float32, 16), "small"
				for j := range d.Embedding {
					d.Embedding[j] = rng.Float32() - .5
				}
			}
			drafts = append(drafts, d)
		}
		must(s.RememberBatch(t.Context(), drafts))
	}
	for _, name := range []string{engram.DefaultSpace, "apart"} {
		s, err := db.Space(name)
		must(nil, err)
		put(s, 0, 150, true)
		goBy(t, s, dynamics.DefaultWeights())
		must(nil, s.Seal(t.Context()))
		if name == "apart" {
			continue
		}
		must(s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold}))
		put(s, 150, 230, true)
		must(s.Update(t.Context(), "m3", engram.Change{Content: new("Note 3 was corrected."), Reason: "new"}))
		must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m4", "m5"}}))
		must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m6"}, Mode: engram.Erase}))
		must(nil, s.Seal(t.Context()))
	}
	p.old = fs.CrashClone(1, vfs.KeepAll)
	c.set(day(2))
	for _, name := range []string{engram.DefaultSpace, "apart"} {
		s, err := db.Space(name)
		must(nil, err)
		put(s, 230, 320, false)
		for i := 7; i < 120; i++ {
			must(nil, s.Link(t.Context(), fmt.Sprint("m", i), engram.Link{To: fmt.Sprint("m", i+1), Type: "next"}))
			must(s.Feedback(t.Context(), engram.Feedback{IDs: []string{fmt.Sprint("m", i)}, Signal: engram.Useful}))
		}
		reembedded(t, s, name == engram.DefaultSpace)
		must(nil, s.Seal(t.Context()))
		must(s.Update(t.Context(), "m8", engram.Change{Content: new("Note 8 was corrected."), Reason: "new"}))
		must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m9"}}))
		goBy(t, s, fast())
	}
	other, err := db.Space("other")
	must(nil, err)
	remember(t, other, engram.Draft{ID: "o", Content: "Another space."})
	p.right, p.hist = map[string]map[string]engram.Memory{}, map[string]map[string][]engram.Memory{}
	for _, name := range []string{engram.DefaultSpace, "apart"} {
		s, err := db.Space(name)
		must(nil, err)
		p.right[name], p.hist[name] = map[string]engram.Memory{}, map[string][]engram.Memory{}
		for i := range 320 {
			id := fmt.Sprint("m", i)
			m, err := s.Get(t.Context(), id)
			if errors.Is(err, engram.ErrNotFound) {
				continue
			}
			must(nil, err)
			p.right[name][id] = m
			p.hist[name][id], err = s.History(t.Context(), id)
			must(nil, err)
		}
	}
	must(nil, db.Close())
	p.now = fs.CrashClone(1, vfs.KeepAll)
	p.bytes, p.was = contents(t, p.now), contents(t, p.old)
	return p
}

// sentence is a note with a word that no other has.
func sentence(rng *rand.Rand, i int) string {
	words := strings.Fields("harbour pilot boat stone tide lantern captain morning rope wind quay letter storm north")
	out := []string{fmt.Sprintf("Note%d:", i)}
	for range 24 {
		out = append(out, words[rng.IntN(len(words))])
	}
	return strings.Join(out, " ")
}

// reembedded gives the vectors of another model, to some memories or to all.
func reembedded(t *testing.T, s *engram.Space, some bool) {
	t.Helper()
	var lines strings.Builder
	for i := range 150 {
		m, err := s.Get(t.Context(), fmt.Sprint("m", i))
		if err == nil && m.Embedding != nil && (!some || i%2 == 0) {
			lines.WriteString(vectorLine(t, m.ID, m.Version, append(slices.Clone(m.Embedding), m.Embedding[:4]...)))
		}
	}
	o := engram.ReembedOptions{Model: "large", Partial: some, AllowMissing: !some}
	r, err := s.Reembed(t.Context(), strings.NewReader(lines.String()), o)
	if err != nil || r.BadCount > 0 || r.Served == some {
		t.Fatalf("Reembed = %+v, %v", r, err)
	}
}

// contents are the files of a directory, by path.
func contents(t *testing.T, fs *vfs.Mem) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for path, content := range tree(t, fs, "/data") {
		out[path] = []byte(content)
	}
	return out
}

// hashes finds ids by what segments keep of them.
func hashes(right map[string]engram.Memory) map[uint64]string {
	out := map[uint64]string{}
	for id := range right {
		out[xxhash.Sum64String(id)] = id
	}
	return out
}

// try damages a file, of a directory that is closed or open, and compares what it says then.
func (p *paged) try(t *testing.T, l loss, open bool, rng *rand.Rand) (outcome string) {
	t.Helper()
	fs := p.now.CrashClone(1, vfs.KeepAll)
	name := strings.TrimPrefix(filepath.Base(filepath.Dir(l.path)), "space-")
	if _, is := p.right[name]; !is {
		name = engram.DefaultSpace
	}
	if !open {
		p.damage(t, fs, l)
	}
	db, err := p.o.On(fs).Open("/data")
	if err != nil {
		t.Fatalf("%v: Open = %v", l, err)
	}
	defer db.Close() //nolint:errcheck // it may be damaged
	s, err := db.Space(name)
	other, err2 := db.Space("other")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if open {
		if _, err := s.Stats(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.damage(t, fs, l)
	}
	if m, err := other.Get(t.Context(), "o"); err != nil || m.Content != "Another space." {
		t.Errorf("%v: Get in another space = %+v, %v", l, m, err)
	}
	e := p.expect(l, hashes(p.right[name]))
	if _, err := s.Stats(t.Context()); err != nil {
		corrupt, ok := errors.AsType[*engram.CorruptError](err)
		if !e.space || !ok || corrupt.Path != l.path && l.how != "an older file" {
			t.Errorf("%v: the space is refused: %v", l, err)
		} else if !strings.Contains(err.Error(), "engram repair") {
			t.Errorf("%v: Stats = %v, which does not say what to do", l, err)
		}
		p.repaired(t, fs, l, name)
		return "space refused"
	}
	report, err := s.Verify(t.Context())
	if err != nil || e.told && len(report.Problems) == 0 {
		t.Errorf("%v: Verify = %+v, %v, want problems", l, report, err)
	}
	return p.answers(t, s, l, e, name, rng)
}

// damage writes what a file is by now. One that is open is changed under its mapping.
func (p *paged) damage(t *testing.T, fs *vfs.Mem, l loss) {
	t.Helper()
	was, err := fs.Bytes(l.path)
	switch {
	case err != nil:
	case l.now == nil:
		err = fs.Remove(l.path)
	case len(l.now) != len(was):
		err = fs.SetBytes(l.path, l.now)
	default:
		for i := range was {
			if was[i] != l.now[i] && err == nil {
				err = fs.Corrupt(l.path, int64(i), was[i]^l.now[i])
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answers reads everything: it is right, or refused as damaged and touched.
func (p *paged) answers(
	t *testing.T, s *engram.Space, l loss, e expected, name string, rng *rand.Rand,
) (outcome string) {
	t.Helper()
	refused := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(p.right[name])) {
		want := p.right[name][id]
		got, err := s.Get(t.Context(), id)
		var versions []engram.Memory
		if err == nil {
			versions, err = s.History(t.Context(), id)
		}
		if err != nil {
			corrupt, ok := errors.AsType[*engram.CorruptError](err)
			if refused[id] = true; !ok || corrupt.Path == "" || !e.ids[id] {
				t.Errorf("%v: Get(%s) = %v, touched: %v", l, id, err, e.ids[id])
			}
			continue
		}
		old := p.hist[name][id]
		if got.Content != want.Content || got.Version != want.Version || !got.ArchivedAt.Equal(want.ArchivedAt) ||
			!slices.Equal(got.Embedding, want.Embedding) || len(versions) != len(old) ||
			versions[0].Content != old[0].Content {
			t.Errorf("%v: Get(%s) = %+v, want %+v", l, id, got, want)
		}
		if len(e.ids) == 0 && !slices.Equal(got.Links, want.Links) {
			t.Errorf("%v: links of %s are %+v, want %+v", l, id, got.Links, want.Links)
		}
	}
	for _, id := range []string{"m6", "never"} {
		_, absent := p.right[name][id]
		if _, err := s.Get(t.Context(), id); !absent && !errors.Is(err, engram.ErrNotFound) && !e.doubt {
			t.Errorf("%v: Get(%s), which is not there, = %v", l, id, err)
		}
	}
	p.recalls(t, s, l, e, name, rng)
	switch {
	case e.doubt:
		return "a segment refused"
	case len(refused) > 0:
		return "refused what was touched"
	}
	return "all right"
}

// recalls looks for some memories by what only they have.
func (p *paged) recalls(t *testing.T, s *engram.Space, l loss, e expected, name string, rng *rand.Rand) {
	t.Helper()
	for range 3 {
		want := p.right[name][fmt.Sprint("m", 10+rng.IntN(300))]
		for what, cue := range map[string]engram.Cue{
			"words":      {Text: strings.TrimSuffix(strings.Fields(want.Content + ".")[0], ":"), Limit: 3},
			"its vector": {Embedding: want.Embedding, EmbeddingModel: want.EmbeddingModel, Limit: 3},
		} {
			if what == "its vector" && want.Embedding == nil || want.ID == "" {
				continue
			}
			answer, err := s.Recall(t.Context(), cue)
			if err != nil && !errors.Is(err, engram.ErrCorrupt) {
				t.Errorf("%v: Recall = %v", l, err)
			}
			found := slices.ContainsFunc(answer.Hits, func(h engram.Hit) bool { return h.ID == want.ID })
			if told := err != nil || len(answer.Damaged) > 0; !found && (!told || !e.ids[want.ID]) {
				t.Errorf("%v: Recall of %s by %s = %d hits, %d places are damaged, %v", l, want.ID, what,
					len(answer.Hits), len(answer.Damaged), err)
			}
			for _, h := range answer.Hits {
				if h.Content != p.right[name][h.ID].Content {
					t.Errorf("%v: Recall gives %s: %q, want %q", l, h.ID, h.Content, p.right[name][h.ID].Content)
				}
			}
		}
	}
}

// repaired saves what a space that is refused holds: with the manifest gone, everything.
func (p *paged) repaired(t *testing.T, fs *vfs.Mem, l loss, name string) {
	t.Helper()
	if filepath.Base(l.path) != "MANIFEST" || l.how == "an older file" {
		return // TestRepairSavesWhatIsWhole, TestStaleManifest
	}
	saved := fs.CrashClone(1, vfs.KeepAll)
	report, err := p.o.On(saved).Repair(t.Context(), "/data", "/saved")
	if err != nil {
		t.Errorf("%v: Repair = %v", l, err)
		return
	}
	i := slices.IndexFunc(report.Spaces, func(s engram.RepairedSpace) bool { return s.Space == name })
	if n := report.Spaces[i].Memories; n != len(p.right[name]) {
		t.Errorf("%v: Repair saves %d memories, want %d: %q", l, n, len(p.right[name]), report.Spaces[i].Lost)
	}
}

// TestAnyPage loses a page of a file, or all of the file, in each way in which disks and people do, while the space is
// closed or open: of all files but those of the log, which TestAnyLogPage has. Nothing that is read is wrong or not
// found, the damage is told, and nothing is refused but the memories whose content or vector was in the page. Where a
// whole file is lost, expect says what may be.
func TestAnyPage(t *testing.T) {
	seed, tries := uint64(envInt("ENGRAM_PAGE_SEED", 6)), envInt("ENGRAM_PAGES", 120) // scripts/long.sh sets them
	rng := rand.New(rand.NewPCG(seed, 2))
	p := pagedDir(t)
	all := p.losses(t, rng)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	seen := map[string]bool{}
	var first, rest []loss // one of each damage to each kind of file, and the others
	for _, l := range all {
		kind := cmp.Or(filepath.Ext(l.path), fmt.Sprint(filepath.Base(l.path), l.at)) + " " + l.how
		if !seen[kind] {
			first = append(first, l)
		} else {
			rest = append(rest, l)
		}
		seen[kind] = true
	}
	outcomes := map[string]int{}
	all = append(first, rest...)
	for i, l := range all[:min(tries, len(all))] {
		outcome := p.try(t, l, i%3 == 2 && len(l.now) == len(p.bytes[l.path]), rng)
		outcomes[outcome]++
		outcomes[filepath.Ext(l.path)+" "+l.how+": "+outcome]++
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, l)
		}
	}
	var lines bytes.Buffer
	for _, what := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&lines, "\n%4d %s", outcomes[what], what)
	}
	t.Logf("seed %d, %d of %d pages:%s", seed, min(tries, len(all)), len(all), lines.String())
}
