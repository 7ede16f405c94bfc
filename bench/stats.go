package main

import (
	"fmt"
	"io"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"time"
)

// rotate runs slot for every contender in every round, each round beginning with another one, so that no contender
// always follows the same one. Before each slot the process has come to rest and its garbage is collected.
func rotate(s *session, rounds, contenders int, slot func(round, contender int) error) error {
	for round := range rounds {
		for i := range contenders {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			settle()
			if err := slot(round, (round+i)%contenders); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle collects garbage and waits until background work of the contender before is done: until the process uses
// less than a tenth of a processor, two seconds at most.
func settle() {
	runtime.GC()
	const look = 10 * time.Millisecond
	before, ok := cpuTime()
	if !ok {
		time.Sleep(200 * time.Millisecond)
		return
	}
	for range 200 {
		time.Sleep(look)
		now, _ := cpuTime()
		if now-before < look/10 {
			return
		}
		before = now
	}
}

// median of what was measured; 0 if nothing was.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// quantile is the smallest sample that a share q of all do not exceed; 0 if there are none.
func quantile(samples []time.Duration, q float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	i := int(q*float64(len(sorted))+.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// histogram counts durations in buckets that are at most 1/32 wide, and keeps the longest. It allocates nothing while
// it counts. The zero value is empty.
type histogram struct {
	counts [60 * 32]uint64
	total  uint64
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	ns := uint64(max(d, 0))
	i := ns
	if ns >= 64 {
		shift := bits.Len64(ns) - 6
		i = uint64(shift)*32 + ns>>shift
	}
	h.counts[i]++
	h.total++
	h.max = max(h.max, d)
}

// quantile is the upper end of the bucket in which a share q of all lies.
func (h *histogram) quantile(q float64) time.Duration {
	want := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if n > 0 && seen >= want {
			return min(bucketEnd(uint64(i)), h.max)
		}
	}
	return h.max
}

func bucketEnd(i uint64) time.Duration {
	if i < 64 {
		return time.Duration(i)
	}
	shift := i/32 - 1
	return time.Duration((i-shift*32+1)<<shift - 1)
}

// table is printed as markdown.
type table struct {
	columns []string
	rows    [][]string
}

func newTable(columns ...string) *table { return &table{columns: columns} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(out io.Writer) {
	line := func(cells []string) { fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | ")) }
	fmt.Fprintln(out)
	line(t.columns)
	rule := make([]string, len(t.columns))
	for i := range rule {
		rule[i] = "---"
		if i > 0 {
			rule[i] = "---:"
		}
	}
	line(rule)
	for _, r := range t.rows {
		line(r)
	}
	fmt.Fprintln(out)
}

// settings prints lines that say what is measured and how.
func settings(s *session, lines ...string) {
	for _, l := range lines {
		fmt.Fprintf(s.out, "- %s\n", l)
	}
}

// verdict prints a target and whether this run met it; a quick run measures too little to say.
func verdict(s *session, what string, met bool) {
	word := "missed"
	if met {
		word = "met"
	}
	if s.quick {
		word = "not judged in a quick run"
	}
	fmt.Fprintf(s.out, "Target: %s: %s.\n", what, word)
}

// thousands prints a count with separators.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// plural prints a count of things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// pick is the median of one figure of all rounds.
func pick[T any](rounds []T, figure func(T) float64) float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = figure(r)
	}
	return median(all)
}

// mebibytes prints a size.
func mebibytes(n float64) string { return fmt.Sprintf("%.1f MiB", n/(1<<20)) }

// short prints a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	default:
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
}
