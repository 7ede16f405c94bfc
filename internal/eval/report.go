package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Headline is the name of the group of all questions but those that are reported apart.
const Headline = "all"

// Report is what a run measured. Its JSON keeps every question, so that two can be compared.
type Report struct {
	Format    Format   `json:"format"`
	Unit      string   `json:"unit"`
	Pool      string   `json:"pool"`
	Spaces    int      `json:"spaces"`
	Documents int      `json:"documents"` // remembered; 0 for a golden set, whose space exists
	Skipped   int      `json:"skipped"`   // documents without text
	Asked     int      `json:"asked"`
	Unscored  int      `json:"unscored"` // questions without a known relevant document
	Settings  Settings `json:"settings"`
	Engine    string   `json:"engine"`
	// SHA256 is that of the file, or, of several, of the lines "sha256  name" that sha256sum prints for them.
	SHA256  string  `json:"sha256"`
	Files   []File  `json:"files"`
	Groups  []Group `json:"groups"`
	Latency Latency `json:"latency"`
	// Ablation tells for each term what the headline is with it, less what it is without it.
	Ablation []Difference `json:"ablation,omitempty"`
	Measures []string     `json:"measures"`
	// Questions are in the order of the set.
	Questions []Judged `json:"questions"`
}

// Settings are the options of a run that results depend on. Language, K1 and B are absent where the engine's defaults
// were taken.
type Settings struct {
	K         []int    `json:"k"`
	Depth     int      `json:"depth"`
	Seed      uint64   `json:"seed"`
	Resamples int      `json:"resamples"`
	Without   []string `json:"without,omitempty"`
	Repeats   bool     `json:"repeats,omitempty"`
	Fill      bool     `json:"fill,omitempty"`
	Off       []string `json:"off,omitempty"`
	LeaveOut  []string `json:"leave_out,omitempty"`
	Dated     bool     `json:"dated,omitempty"`
	Step      float64  `json:"step,omitempty"`
	Language  string   `json:"language,omitempty"`
	K1        *float64 `json:"k1,omitempty"`
	B         *float64 `json:"b,omitempty"`
}

// Group is a group of questions with its measures.
type Group struct {
	Name string `json:"group"`
	// Apart says that its questions are not in the headline.
	Apart     bool       `json:"apart,omitempty"`
	N         int        `json:"n"`
	Estimates []Estimate `json:"estimates"`
}

// Latency is how long a recall of Limit hits took, in milliseconds; each question was asked once before.
type Latency struct {
	N     int     `json:"n"`
	Limit int     `json:"limit"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

// Difference is what a term is worth: the measures with it, less those without, paired by question.
type Difference struct {
	Term      string     `json:"term"`
	Estimates []Estimate `json:"estimates"`
}

// Judged is one question's measures, in the order of Report.Measures.
type Judged struct {
	ID       string    `json:"id"`
	Category string    `json:"category,omitempty"`
	Apart    bool      `json:"apart,omitempty"`
	Values   []float64 `json:"values"`
}

func (m *measurement) report() *Report {
	r := &Report{
		Format: m.set.Format, Unit: m.set.Unit, Pool: m.set.Pool, Spaces: len(m.set.Pools), Documents: m.documents,
		Skipped: m.set.Skipped, Asked: len(m.questions), Unscored: m.set.Unscored, Engine: m.o.Engine,
		Settings: Settings{
			K: m.o.K, Depth: m.o.Depth, Seed: m.o.Seed, Resamples: m.o.Resamples, Without: m.o.Without,
			Repeats: m.o.Repeats, Fill: m.o.Fill, Language: m.o.Language, K1: m.o.K1, B: m.o.B,
			Off: m.o.Off, LeaveOut: m.set.LeaveOut, Dated: m.set.Dated, Step: m.o.Step,
		},
		SHA256: digest(m.set.Files), Files: m.set.Files, Measures: m.names,
	}
	for i, q := range m.questions {
		r.Questions = append(r.Questions, Judged{ID: q.ID, Category: q.Category, Apart: q.Apart, Values: m.rows[i]})
	}
	r.Groups = m.groups(r.Questions)
	for _, term := range m.terms() {
		r.Ablation = append(r.Ablation, Difference{Term: term, Estimates: m.worth(m.ablated[term])})
	}
	slices.Sort(m.times)
	r.Latency = Latency{
		N: len(m.times), Limit: askLimit, P50: millis(quantile(m.times, .5)), P99: millis(quantile(m.times, .99)),
	}
	return r
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// digest is the checksum of all files.
func digest(files []File) string {
	if len(files) == 1 {
		return files[0].SHA256
	}
	sorted := slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, f := range sorted {
		fmt.Fprintf(h, "%s  %s\n", f.SHA256, f.Name) //nolint:errcheck // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// groups estimates the headline and each category.
func (m *measurement) groups(questions []Judged) []Group {
	out := []Group{m.group(Headline, questions, func(q Judged) bool { return !q.Apart })}
	for _, category := range m.set.Categories {
		if g := m.group(category, questions, func(q Judged) bool { return q.Category == category }); g.N > 0 {
			out = append(out, g)
		}
	}
	return out
}

func (m *measurement) group(name string, questions []Judged, in func(Judged) bool) Group {
	g := Group{Name: name}
	rows := valuesOf(questions, in)
	g.N, g.Estimates = len(rows), resample(m.names, rows, m.o.Resamples, m.rng())
	g.Apart = name != Headline && slices.ContainsFunc(questions, func(q Judged) bool { return in(q) && q.Apart })
	return g
}

// valuesOf gives the measures of the questions that belong to a group.
func valuesOf(questions []Judged, in func(Judged) bool) [][]float64 {
	var rows [][]float64
	for _, q := range questions {
		if in(q) {
			rows = append(rows, q.Values)
		}
	}
	return rows
}

// worth estimates the differences between the headline and the same without a term.
func (m *measurement) worth(without [][]float64) []Estimate {
	var rows [][]float64
	for i, q := range m.questions {
		if !q.Apart {
			rows = append(rows, less(m.rows[i], without[i]))
		}
	}
	return resample(m.names, rows, m.o.Resamples, m.rng())
}

func less(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

// Below is returned by Report.Require when a measure is below what is required.
type Below struct {
	Measure    string
	Mean, Want float64
}

// Error says which measure, its value and what was required.
func (e *Below) Error() string {
	return fmt.Sprintf("%s is %.4f, below the required %v", e.Measure, e.Mean, e.Want)
}

// Require returns a *Below if a measure of the headline is below least, and an *InvalidError if there is no such
// measure.
func (r *Report) Require(measure string, least float64) error {
	for _, e := range r.Groups[0].Estimates {
		if e.Name == measure && e.Mean < least {
			return &Below{Measure: measure, Mean: e.Mean, Want: least}
		}
		if e.Name == measure {
			return nil
		}
	}
	return &engram.InvalidError{
		Field: "measure", Value: fmt.Sprintf("%q", measure), Allowed: "use " + strings.Join(r.Measures, ", "),
	}
}

// ParseReport reads a report's JSON as Run wrote it; path is for errors.
func ParseReport(path string, data []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, jsonFailure(path, data, err)
	}
	for i, q := range r.Questions {
		if len(q.Values) != len(r.Measures) {
			return nil, &DataError{
				File: path, Line: lineAt(data, offsetOf(data, []string{"questions", fmt.Sprint(i)})),
				What: fmt.Sprintf("question %q has %d values for %d measures", q.ID, len(q.Values), len(r.Measures)),
			}
		}
	}
	if len(r.Questions) == 0 || len(r.Measures) == 0 {
		return nil, &DataError{File: path, What: "it is no report of eval --json: it has no questions"}
	}
	return &r, nil
}
