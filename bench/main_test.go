package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Every benchmark runs to its end at the quick size, prints a table, and leaves nothing behind.
func TestQuickRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every benchmark at its quick size: some ten seconds")
	}
	for _, b := range benchmarks() {
		t.Run(b.name, func(t *testing.T) {
			var out strings.Builder
			dir := t.TempDir()
			if err := run(t.Context(), []string{b.name, "-quick", "-dir", dir}, &out); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			for _, want := range []string{"## " + b.name, "- machine: ", "- Go: ", "QUICK", "| ---"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("output lacks %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), ": met.") {
				t.Errorf("a quick run claims to have met a target:\n%s", out.String())
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestUnknownBenchmarkIsRefused(t *testing.T) {
	var out strings.Builder
	dir := filepath.Join(t.TempDir(), "results")
	if err := run(t.Context(), []string{"nothing", "-dir", dir}, &out); err == nil {
		t.Error("run(nothing) = nil, want an error that names it")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(%s) = %v, want that it does not exist", dir, err)
	}
}

// The yardstick does what it is compared for: after put has returned, the record is in the file, whole.
func TestBareLogHoldsEveryRecord(t *testing.T) {
	dir := t.TempDir()
	w, err := openBare(dir, 8)
	if err != nil {
		t.Fatal(err)
	}
	const callers, each = 8, 50
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				if err := w.put(0, fmt.Sprintf("%d/%d", c, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// The log is not closed: what is missing now would be missing after a crash.
	b, err := os.ReadFile(filepath.Join(dir, "a.log"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for number := uint64(1); number <= callers*each; number++ {
		size := int(binary.LittleEndian.Uint32(b))
		sum := crc32.Checksum(b[8:bareHeader+size], crc32.MakeTable(crc32.Castagnoli))
		if got := binary.LittleEndian.Uint64(b[8:]); got != number || binary.LittleEndian.Uint32(b[4:]) != sum {
			t.Fatalf("record %d has number %d and a checksum that matches: %v", number, got,
				binary.LittleEndian.Uint32(b[4:]) == sum)
		}
		seen[string(b[bareHeader:bareHeader+size])] = true
		b = b[bareHeader+size:]
	}
	if len(seen) != callers*each {
		t.Errorf("the log holds %d different records, want %d", len(seen), callers*each)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

func TestTextsDifferAndHaveTheirSize(t *testing.T) {
	c := newCorpus(7)
	seen := map[string]bool{}
	for i := range 60_000 { // more than one pass through the corpus at this size
		text := c.text(i, 256)
		if len(text) != 256 {
			t.Fatalf("text(%d, 256) has %d bytes", i, len(text))
		}
		if seen[text] {
			t.Fatalf("text(%d, 256) came before", i)
		}
		seen[text] = true
	}
	if a, b := c.text(123, 200), newCorpus(7).text(123, 200); a != b {
		t.Errorf("the same seed gives %q and %q", a, b)
	}
}

// Function words make up somewhat less than half of English text.
func TestFunctionWordsHaveTheirShare(t *testing.T) {
	c, n := newCorpus(7), 0
	for _, rank := range c.ranks {
		if rank < c.function {
			n++
		}
	}
	if share := float64(n) / float64(len(c.ranks)); share < .4 || share > .55 {
		t.Errorf("function words make up %.2f of the text, want .40 to .55", share)
	}
}

// The histogram agrees with sorting, within the width of a bucket.
func TestHistogramQuantiles(t *testing.T) {
	const seed = 5
	random := rand.New(rand.NewPCG(seed, 0))
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * 1e5)
		h.add(d)
		all = append(all, d)
	}
	for _, q := range []float64{.01, .5, .9, .99, .9999, 1} {
		want, got := quantile(all, q), h.quantile(q)
		if got < want || float64(got) > float64(want)*(1+1./32)+1 {
			t.Errorf("seed %d: quantile(%v) = %v, sorting gives %v", seed, q, got, want)
		}
	}
	if h.max != slices.Max(all) {
		t.Errorf("max = %v, want %v", h.max, slices.Max(all))
	}
	for _, d := range []time.Duration{0, 63, 64, 65, 127, 128, 1<<62 + 1} {
		var one histogram
		one.add(d)
		if got := one.quantile(.5); got != d {
			t.Errorf("quantile of %d alone = %d", d, got)
		}
	}
}

func TestMedianAndThousands(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.samples); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.samples, got, c.want)
		}
	}
	for n, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%v) = %q, want %q", n, got, want)
		}
	}
}

// A seed gives one year, in which time goes on, everything needed was told before, and its answer is what was told
// last.
func TestYearsAreTold(t *testing.T) {
	const days = 90
	events := newYear(7, days, 40)
	if again := newYear(7, days, 40); !reflect.DeepEqual(events, again) {
		t.Error("the same seed gives two years")
	}
	truth, said := map[int]string{}, map[string]statement{}
	counts := map[string]int{}
	for i, e := range events {
		if i > 0 && !e.at.After(events[i-1].at) {
			t.Fatalf("event %d is at %v, the one before at %v", i, e.at, events[i-1].at)
		}
		if e.ask != "" {
			counts["needs"]++
			if truth[e.fact] == "" || truth[e.fact] != e.value {
				t.Fatalf("event %d needs %q of fact %d, told was %q", i, e.value, e.fact, truth[e.fact])
			}
			if e.with != nil {
				counts["partners"]++
				if e.with.fact == e.fact || truth[e.with.fact] != e.with.value {
					t.Fatalf("event %d needs %q of fact %d with it, told was %q",
						i, e.with.value, e.with.fact, truth[e.with.fact])
				}
			}
			continue
		}
		if known, ok := said[e.text]; ok && known != e.statement {
			t.Fatalf("%q says %v and %v", e.text, known, e.statement)
		}
		said[e.text] = e.statement
		switch {
		case e.fact < 0:
			counts["chatter"]++
		case e.wrong:
			counts["wrong"]++
			if e.value == truth[e.fact] {
				t.Fatalf("event %d, which is to be wrong, is true", i)
			}
		case e.correction:
			counts["corrections"]++
			fallthrough
		default:
			counts["told"]++
			truth[e.fact] = e.value
		}
	}
	for _, what := range []string{"needs", "partners", "chatter", "wrong", "corrections", "told"} {
		if counts[what] < 5 {
			t.Errorf("%d days have %d %s", days, counts[what], what)
		}
	}
}

// A difference is that of the same needs; its interval widens with what facts differ in, and those without the figure
// do not count.
func TestDifference(t *testing.T) {
	var base, better, mixed []need
	for i := range 200 {
		base = append(base, need{cluster: i / 10, right: 3})
		better = append(better, need{cluster: i / 10, right: 0})
		mixed = append(mixed, need{cluster: i / 10, right: 3 * (i / 10 % 2)})
	}
	if got := difference(base, base, hit1, 1); got != "+0.000 [+0.000, +0.000]" {
		t.Errorf("of the same = %s", got)
	}
	if got := difference(better, base, hit1, 1); got != "+1.000 [+1.000, +1.000]" {
		t.Errorf("of always and never = %s", got)
	}
	var mean, low, high float64
	if _, err := fmt.Sscanf(difference(mixed, base, hit1, 1), "%f [%f, %f]", &mean, &low, &high); err != nil {
		t.Fatal(err)
	}
	// Half of 20 facts: the standard error of a mean of 20 is .11.
	if mean != .5 || !(low > .2 && low < .4 && high > .6 && high < .8) {
		t.Errorf("of half the facts = %v [%v, %v]", mean, low, high)
	}
	if got := share(better, partner5); got != "0.000" {
		t.Errorf("a share of nothing = %s", got)
	}
}
