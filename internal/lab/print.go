package lab

import (
	"fmt"
	"strings"
)

// Summary counts rows.
type Summary struct {
	Rows       int `json:"rows"`
	Match      int `json:"match"`
	NoMatch    int `json:"no_match"`
	NotShipped int `json:"data_not_shipped"`
	NotBuilt   int `json:"not_built"`
	// Ablations counts those that were made, Failed those of them that failed, as all must.
	Ablations int `json:"ablations"`
	Failed    int `json:"ablations_failed"`
}

// Summarize counts rows.
func Summarize(rows []Row) Summary {
	s := Summary{Rows: len(rows)}
	for i := range rows {
		switch rows[i].Verdict {
		case Match:
			s.Match++
		case NoMatch:
			s.NoMatch++
		case NotShipped:
			s.NotShipped++
		case NotBuilt:
			s.NotBuilt++
		}
		if a := rows[i].Ablation; a != nil {
			s.Ablations++
			if a.Failed {
				s.Failed++
			}
		}
	}
	return s
}

// String is the summary in a line.
func (s Summary) String() string {
	return fmt.Sprintf("%d rows: %d match, %d do not, %d lack data that is not shipped, %d not built; of %d ablations "+
		"%d fail, "+
		"as all must.", s.Rows, s.Match, s.NoMatch, s.NotShipped, s.NotBuilt, s.Ablations, s.Failed)
}

// Table prints rows for people.
func Table(rows []Row) string {
	var b strings.Builder
	for i := range rows {
		rows[i].print(&b)
	}
	fmt.Fprintln(&b, Summarize(rows))
	return b.String()
}

func (r *Row) print(b *strings.Builder) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "    %-11s %s\n", name, text)
		}
	}
	fmt.Fprintf(b, "%-4s %s: %s\n", r.ID, r.Replicates, r.Verdict)
	line("source", r.Source)
	line("published", r.Published)
	line("reference", r.Reference)
	line("engine", r.Engine)
	line("not matched", strings.Join(r.Misses, "; "))
	line("why", r.Documented)
	line("not claimed", r.NotClaimed)
	if a := r.Ablation; a != nil {
		line("without", fmt.Sprintf("%s (must fail): %s; %s", a.Off, a.verdict(), a.Engine))
	}
	b.WriteByte('\n')
}

func (a *Ablation) verdict() string {
	if a.Failed {
		return "fails"
	}
	return "PASSES all the same: the row shows nothing"
}

// Markdown prints rows as a table, a row each, and the summary.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| | replicates | published | engine | verdict | fails without |\n|---|---|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		without := ""
		if r.Ablation != nil {
			without = r.Ablation.Off
			if !r.Ablation.Failed {
				without = r.Ablation.verdict() + ": " + without
			}
		}
		engine := strings.TrimRight(r.Engine, "; ")
		if r.Verdict == NotBuilt {
			engine = r.Documented
		}
		cells := []string{r.ID, r.Replicates, r.Published, engine, string(r.Verdict), without}
		for j := range cells {
			cells[j] = strings.ReplaceAll(cells[j], "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintf(&b, "\n%s\n", Summarize(rows))
	return b.String()
}
