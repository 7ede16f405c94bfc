package eval

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// Comparison tells how two reports on the same questions differ.
type Comparison struct {
	A string `json:"a"` // versions of the engine
	B string `json:"b"`
	// Settings are those that are not the same in both; none are if the engine alone can be what differs.
	Settings  []Setting     `json:"settings"`
	Seed      uint64        `json:"seed"`
	Resamples int           `json:"resamples"`
	Groups    []GroupChange `json:"groups"`
}

// Setting is one that differs, as it was in each report; "" where it was left to the engine.
type Setting struct {
	Name string `json:"setting"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// GroupChange is a group of questions with its changes.
type GroupChange struct {
	Name    string   `json:"group"`
	N       int      `json:"n"`
	Changes []Change `json:"changes"`
}

// Change is one measure of b less that of a: the mean of the paired differences with its interval.
type Change struct {
	Estimate
	// P is the two-sided p-value of the paired randomisation test. It is that of one test: of many measures and groups,
	// one in twenty is below .05 by chance.
	P float64 `json:"p"`
}

// Compare tests whether b differs from a. Both must be on the same data and ask the same questions. resamples 0 means
// 2000.
func Compare(a, b *Report, seed uint64, resamples int) (*Comparison, error) {
	resamples = cmp.Or(resamples, defaultResamples)
	if err := checkResamples(resamples); err != nil {
		return nil, err
	}
	for _, f := range []struct{ what, a, b string }{
		{"format", string(a.Format), string(b.Format)},
		{"data (sha256)", a.SHA256, b.SHA256},
		{"unit", a.Unit, b.Unit},
		{"pool", a.Pool, b.Pool},
		{"measures", strings.Join(a.Measures, " "), strings.Join(b.Measures, " ")},
		{"depth", fmt.Sprint(a.Settings.Depth), fmt.Sprint(b.Settings.Depth)},
		{"questions", idsOf(a), idsOf(b)},
	} {
		if f.a != f.b {
			return nil, &engram.InvalidError{
				Field: f.what, Value: fmt.Sprintf("not the same in both reports: %s and %s", short(f.a), short(f.b)),
				Allowed: "compare two runs on the same data and ranks",
			}
		}
	}
	out := &Comparison{
		A: a.Engine, B: b.Engine, Settings: differing(&a.Settings, &b.Settings), Seed: seed, Resamples: resamples,
	}
	for _, g := range a.Groups {
		var rows [][]float64
		for i, q := range a.Questions {
			if g.Name == Headline && !q.Apart || g.Name != Headline && q.Category == g.Name {
				rows = append(rows, less(b.Questions[i].Values, q.Values))
			}
		}
		change := GroupChange{Name: g.Name, N: len(rows)}
		for j, e := range resample(a.Measures, rows, resamples, rand.New(rand.NewPCG(seed, 1))) {
			differences := make([]float64, len(rows))
			for i := range rows {
				differences[i] = rows[i][j]
			}
			p := randomisation(differences, resamples, rand.New(rand.NewPCG(seed, 2)))
			change.Changes = append(change.Changes, Change{Estimate: e, P: p})
		}
		out.Groups = append(out.Groups, change)
	}
	return out, nil
}

// short is text that is short enough for an error.
func short(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// differing lists the settings of two runs that can change an answer and are not the same.
func differing(a, b *Settings) []Setting {
	number := func(x *float64) string {
		if x == nil {
			return ""
		}
		return fmt.Sprint(*x)
	}
	sorted := func(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), " ") }
	all := []Setting{
		{"without", sorted(a.Without), sorted(b.Without)},
		{"off", sorted(a.Off), sorted(b.Off)},
		{"leave-out", sorted(a.LeaveOut), sorted(b.LeaveOut)},
		{"dated", fmt.Sprint(a.Dated), fmt.Sprint(b.Dated)},
		{"repeats", fmt.Sprint(a.Repeats), fmt.Sprint(b.Repeats)},
		{"step", fmt.Sprint(a.Step), fmt.Sprint(b.Step)},
		{"fill", fmt.Sprint(a.Fill), fmt.Sprint(b.Fill)},
		{"language", a.Language, b.Language},
		{"k1", number(a.K1), number(b.K1)},
		{"b", number(a.B), number(b.B)},
	}
	return slices.DeleteFunc(all, func(s Setting) bool { return s.A == s.B })
}

// idsOf joins the ids of the questions in their order.
func idsOf(r *Report) string {
	ids := make([]string, len(r.Questions))
	for i, q := range r.Questions {
		ids[i] = fmt.Sprintf("%q", q.ID)
	}
	return strings.Join(ids, " ")
}

// text writes tables and keeps the first error.
type text struct {
	w   io.Writer
	err error
}

func (t *text) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	t := &text{w: w}
	t.printf("%s: %d documents, each a %s, in %d x pool %s; %d questions asked, %d not scored, %d documents without "+
		"text\n", r.Format, r.Documents, r.Unit, r.Spaces, r.Pool, r.Asked, r.Unscored, r.Skipped)
	s := r.Settings
	t.printf("settings: depth %d, seed %d, %d resamples", s.Depth, s.Seed, s.Resamples)
	if s.Repeats {
		t.printf(", with repeats")
	}
	if s.Fill {
		t.printf(", filled up by position")
	}
	if len(s.Without) > 0 {
		t.printf(", without %s", strings.Join(s.Without, " and "))
	}
	if len(s.Off) > 0 {
		t.printf(", %s off", strings.Join(s.Off, " and "))
	}
	if len(s.LeaveOut) > 0 {
		t.printf(", no %s", strings.Join(s.LeaveOut, ", no "))
	}
	if s.Dated {
		t.printf(", dated text")
	}
	if s.Step > 0 {
		t.printf(", one step of %v", s.Step)
	}
	if s.Language != "" {
		t.printf(", language %s", s.Language)
	}
	if s.K1 != nil {
		t.printf(", k1 %v", *s.K1)
	}
	if s.B != nil {
		t.printf(", b %v", *s.B)
	}
	t.printf("\nengine %s\nsha256 %s\n\n", r.Engine, r.SHA256)
	t.heads("", r.Groups)
	for j, name := range r.Measures {
		t.printf("%-12s", name)
		for _, g := range r.Groups {
			e := g.Estimates[j]
			t.printf("  %.3f [%.3f,%.3f]", e.Mean, e.Low, e.High)
		}
		t.printf("\n")
	}
	if slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Apart }) {
		t.printf("* not in %s\n", Headline)
	}
	for _, d := range r.Ablation {
		t.printf("\nwhat %q is worth in %s: with it, less without it\n", d.Term, Headline)
		for _, e := range d.Estimates {
			t.printf("%-12s  %+.4f [%+.4f,%+.4f]\n", e.Name, e.Mean, e.Low, e.High)
		}
	}
	l := r.Latency
	t.printf("\nlatency of %d recalls of %d hits: p50 %.3f ms, p99 %.3f ms\n", l.N, l.Limit, l.P50, l.P99)
	return t.err
}

// heads writes the names of groups and their numbers of questions.
func (t *text) heads(first string, groups []Group) {
	t.printf("%-12s", first)
	for _, g := range groups {
		name := fmt.Sprintf("%s (n=%d)", g.Name, g.N)
		if g.Apart {
			name += "*"
		}
		t.printf("  %-19s", name)
	}
	t.printf("\n")
}

// WriteText writes the comparison for people.
func (c *Comparison) WriteText(w io.Writer) error {
	t := &text{w: w}
	t.printf("b (%s) less a (%s); paired bootstrap and randomisation test, seed %d, %d resamples\n",
		c.B, c.A, c.Seed, c.Resamples)
	if len(c.Settings) == 0 {
		t.printf("the same data and settings\n")
	} else {
		t.printf("the same data; settings that differ:\n")
	}
	for _, s := range c.Settings {
		t.printf("  %-9s  a %s, b %s\n", s.Name, cmp.Or(s.A, "the engine's"), cmp.Or(s.B, "the engine's"))
	}
	if c.A == c.B && len(c.Settings) == 0 {
		t.printf("the engines have the same name: that these are two builds is not seen here\n")
	}
	for _, g := range c.Groups {
		t.printf("\n%s (n=%d)\n", g.Name, g.N)
		for _, e := range g.Changes {
			t.printf("%-12s  %+.4f [%+.4f,%+.4f]  p %.4f\n", e.Name, e.Mean, e.Low, e.High, e.P)
		}
	}
	return t.err
}
