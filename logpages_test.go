package engram_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

const logPage = 4096

// logLife builds a space whose log has a long history in several files, of singles and batches, updates, feedback,
// sources, links, archiving and erasing.
func logLife(t *testing.T, sealed, closed bool) *flipped {
	t.Helper()
	c, s, finish := buildFlipped(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	note := func(i int) engram.Draft {
		d := engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprintf("Note %d of the harbour, told by the pilot.", i),
			Session: fmt.Sprint("s", i/9), Source: fmt.Sprint("source", i%5),
		}
		if i%2 == 0 {
			d.Embedding = []float32{1, 2, float32(i), 4, 5, 6, 7, 8}
		}
		if i%17 == 0 {
			d.Content += strings.Repeat(" And so on.", 700) // more than a page
		}
		return d
	}
	const memories = 120
	for i := 0; i < memories; i++ {
		c.set(day(1 + i/10))
		switch {
		case i%12 == 3 && i+5 < memories:
			batch := []engram.Draft{note(i), note(i + 1), note(i + 2), note(i + 3), note(i + 4)}
			must(s.RememberBatch(t.Context(), batch))
			i += 4
		default:
			remember(t, s, note(i))
		}
		id := func(back int) string { return fmt.Sprint("m", max(i-back, 0)) }
		switch i % 7 {
		case 1:
			text := fmt.Sprintf("Note %s was corrected at %d.", id(1), i)
			must(s.Update(t.Context(), id(1), engram.Change{Content: &text, Reason: "new"}))
		case 2:
			must(nil, s.Link(t.Context(), id(1), engram.Link{To: id(0), Type: fmt.Sprint("t", i)}))
		case 4:
			must(s.Feedback(t.Context(), engram.Feedback{
				EventID: fmt.Sprint("e", i), IDs: []string{id(2)}, Signal: engram.Useful,
			}))
		case 5:
			must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{id(3)}}))
		}
		switch i {
		case 30, 80:
			gone := fmt.Sprint("gone", i/40+1)
			remember(t, s, engram.Draft{ID: gone, Content: "To be erased."})
			must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{gone}, Mode: engram.Erase}))
		case 60:
			if sealed {
				must(nil, s.Seal(t.Context()))
			}
		case 70, 110:
			must(s.Feedback(t.Context(), engram.Feedback{
				EventID: fmt.Sprint("f", i), IDs: []string{id(0)}, Signal: engram.Confirmed, Source: "me",
			}))
		}
	}
	return finish(memories, closed)
}

// pagedLog is a file of the log, and what each page of it holds records of.
type pagedLog struct {
	path     string
	content  []byte
	memories []map[uint64]bool // by page: hashes of ids
	sources  []map[uint64]bool // by page: hashes of names of sources
}

// pagedLogs reads the log by docs/format/log.md and frame.md.
func pagedLogs(t *testing.T, f *flipped) (logs []pagedLog) {
	t.Helper()
	for _, path := range files(t, f.fs, dataSpace+"/wal", ".wal") {
		b, err := f.fs.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		log := pagedLog{path: path, content: b}
		for range len(b) / logPage {
			log.memories = append(log.memories, map[uint64]bool{})
			log.sources = append(log.sources, map[uint64]bool{})
		}
		for off := 128; off+32 <= len(b) && b[off+24] != 0; {
			n := int(binary.LittleEndian.Uint32(b[off:]))
			end := off + 32 + n
			if b[off+24] == 1 {
				counts := end - 24
				of, others := int(binary.LittleEndian.Uint32(b[counts:])), int(binary.LittleEndian.Uint32(b[counts+4:]))
				for page := off / logPage; page <= (end-1)/logPage; page++ {
					for i := range of + others {
						hash := binary.LittleEndian.Uint64(b[counts-8*(of+others-i):])
						if i < of {
							log.memories[page][hash] = true
						} else {
							log.sources[page][hash] = true
						}
					}
				}
			}
			off += 32 + (n+7)&^7
		}
		logs = append(logs, log)
	}
	return logs
}

// pageAt is a page of a log.
type pageAt struct{ log, page int }

// pageDamage is what is done to pages of logs: each becomes what is at the same place of from.
type pageDamage struct {
	what    string
	touched []pageAt
	from    [][]byte
}

// pageDamages lists what may happen to each page.
func pageDamages(logs []pagedLog, rng *rand.Rand) (list []pageDamage) {
	var all []pageAt
	for i, log := range logs {
		for p := range log.memories {
			all = append(all, pageAt{i, p})
		}
	}
	bytesAt := func(p pageAt) []byte { return logs[p.log].content[p.page*logPage : (p.page+1)*logPage] }
	for i, p := range all {
		noise := make([]byte, logPage)
		for k := range noise {
			noise[k] = byte(rng.Uint32())
		}
		list = append(list, pageDamage{"zeros", []pageAt{p}, [][]byte{make([]byte, logPage)}},
			pageDamage{"noise", []pageAt{p}, [][]byte{noise}})
		for _, j := range []int{(i + 1) % len(all), rng.IntN(len(all))} {
			if q := all[j]; q != p {
				list = append(list, pageDamage{"copy", []pageAt{p}, [][]byte{bytesAt(q)}},
					pageDamage{"swap", []pageAt{p, q}, [][]byte{bytesAt(q), bytesAt(p)}})
			}
		}
	}
	return list
}

// mayRefuse are the ids that lay in damaged pages, and those whose confidence follows from a source that did.
func (d pageDamage) mayRefuse(f *flipped, logs []pagedLog) map[string]bool {
	may := map[string]bool{}
	for _, p := range d.touched {
		log := logs[p.log]
		for id, m := range f.right {
			if log.memories[p.page][xxhash.Sum64String(id)] || log.sources[p.page][xxhash.Sum64String(m.Source)] {
				may[id] = true
			}
		}
		for _, id := range f.absent {
			may[id] = may[id] || log.memories[p.page][xxhash.Sum64String(id)]
		}
	}
	maps.DeleteFunc(may, func(_ string, yes bool) bool { return !yes })
	return may
}

func (d pageDamage) on(t *testing.T, f *flipped, logs []pagedLog) *vfs.Mem {
	t.Helper()
	fs := f.fs.CrashClone(1, vfs.KeepAll)
	for i, p := range d.touched {
		edit(t, fs, logs[p.log].path, func(b []byte) { copy(b[p.page*logPage:], d.from[i]) })
	}
	return fs
}

// try opens the directory with the damage, and compares everything with what is right.
func (d pageDamage) try(t *testing.T, f *flipped, logs []pagedLog) (outcome string) {
	t.Helper()
	db, err := f.o.On(d.on(t, f, logs)).Open("/data")
	if err != nil {
		return othersRefused
	}
	defer db.Close() //nolint:errcheck // it may be damaged
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := other.Get(t.Context(), "o"); err != nil || m.Content != "Another space." {
		return othersRefused
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "never"); !errors.Is(err, engram.ErrNotFound) {
		t.Logf("%s of %v: %v", d.what, d.touched, err)
		return spaceRefused
	}
	refused := f.refused(t, s)
	f.found(t, s)
	may := d.mayRefuse(f, logs)
	for id := range refused {
		if !may[id] {
			_, err := s.Get(t.Context(), id)
			t.Logf("%s of %v: %s is refused, %v may be: %v", d.what, d.touched, id, slices.Sorted(maps.Keys(may)), err)
			return moreRefused
		}
	}
	if len(refused) > 0 {
		return someRefused
	}
	return allRight
}

// TestAnyLogPage damages pages of the log files of a space, closed or killed, sealed in between or not: by zeros, by
// noise, by a copy of another page, and two by letting them change places. Nothing that is read then is wrong or said
// not to be there, and no more is refused than what lay in these pages. ENGRAM_LOG_PAGES=0 takes all pages.
func TestAnyLogPage(t *testing.T) {
	seed, most := uint64(envInt("ENGRAM_FLIP_SEED", 4)), envInt("ENGRAM_LOG_PAGES", 40) // scripts/long.sh sets them
	for _, sealed := range []bool{false, true} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("sealed=%v,closed=%v", sealed, closed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 1))
				f := logLife(t, sealed, closed)
				logs := pagedLogs(t, f)
				damages := pageDamages(logs, rng)
				if most > 0 {
					rng.Shuffle(len(damages), func(i, j int) { damages[i], damages[j] = damages[j], damages[i] })
					damages = damages[:min(most, len(damages))]
				}
				outcomes := map[string]int{}
				for _, d := range damages {
					outcomes[d.try(t, f, logs)]++
					if t.Failed() {
						t.Fatalf("seed %d: %s of %v", seed, d.what, d.touched)
					}
				}
				t.Logf("seed %d, %d log files, %v, %d pages damaged", seed, len(logs), outcomes, len(damages))
				if n := len(damages) - outcomes[allRight] - outcomes[someRefused]; n > 0 {
					t.Errorf("seed %d: %d damages refuse more than what lay there: %v", seed, n, outcomes)
				}
			})
		}
	}
}

// TestRepairAfterALostLogPage saves what is whole after a page of the log is gone: every memory that did not lie in it
// is there as it was, and what is lost is listed.
func TestRepairAfterALostLogPage(t *testing.T) {
	f := logLife(t, false, true)
	logs := pagedLogs(t, f)
	for _, p := range []pageAt{{0, 0}, {0, 5}, {1, 0}, {1, 3}} {
		d := pageDamage{"zeros", []pageAt{p}, [][]byte{make([]byte, logPage)}}
		fs := d.on(t, f, logs)
		report, err := f.o.On(fs).Repair(t.Context(), "/data", "/repaired")
		if err != nil {
			t.Fatalf("%v: Repair = %v", p, err)
		}
		lost := 0
		for _, space := range report.Spaces {
			lost += space.LostCount
		}
		may := d.mayRefuse(f, logs)
		if (lost > 0) != (len(may) > 0) {
			t.Errorf("%v: Repair lists %d losses, %d memories lay there", p, lost, len(may))
		}
		db, err := f.o.On(fs).Open("/repaired")
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range f.right {
			got, err := s.Get(t.Context(), id)
			switch {
			case may[id] && err == nil && got.ArchivedAt.IsZero() && got.Content != want.Content:
				t.Errorf("%v: Get(%s) = %q, which was %q", p, id, got.Content, want.Content)
			case !may[id] && (err != nil || got.Content != want.Content || got.Version != want.Version ||
				got.ArchivedAt.IsZero() != want.ArchivedAt.IsZero()):
				t.Errorf("%v: Get(%s) = %+v, %v, want it as it was", p, id, got, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
