// Package lab replicates published experiments on memory with the engine, through the public API and with a clock that
// it sets itself, and says of each whether the engine's numbers match: [Run].
//
// A row has the published numbers, those of a reference model where there is one, and the engine's. Beside it stands
// the same run with the mechanism switched off that the row is about: it must fail, else the row shows nothing. Most
// are switched off by the engine's own switches (engram.Mechanisms, Cue.Without); where an ablation is made otherwise,
// it says how. What is published and not reproduced is a row of its own, which is expected not to match and says why;
// so is what is not built.
//
// # Invariants
//
//   - No published outcome stands in code: numbers are loaded from published/, which cites them, bounds included.
//   - Nothing depends on the machine's time or on unseeded randomness: two runs give the same rows.
//   - Each experiment has spaces of its own in a temporary directory, which is removed.
//
// Sources: published/README.md; docs/lab.md explains each row.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Verdict says how an engine's numbers compare.
type Verdict string

// The verdicts.
const (
	Match   Verdict = "match"
	NoMatch Verdict = "no match"
	// NotShipped: the numbers to compare with are not part of the project, and not on this machine.
	NotShipped Verdict = "data not shipped"
	// NotBuilt: the engine has no such mechanism.
	NotBuilt Verdict = "not built"
)

// Row is one replication.
type Row struct {
	ID         string `json:"id"`
	Replicates string `json:"replicates"`
	Source     string `json:"source"`
	// Published, Reference and Engine are the numbers, as text; Reference is "" if there is no other model.
	Published string  `json:"published"`
	Reference string  `json:"reference,omitempty"`
	Engine    string  `json:"engine"`
	Verdict   Verdict `json:"verdict"`
	// Misses says what does not match; empty for Match.
	Misses []string `json:"misses,omitempty"`
	// Documented, if not "", says why the row is expected not to match, or why it is not built.
	Documented string `json:"documented,omitempty"`
	// NotClaimed is what the experiment showed and the row says nothing of.
	NotClaimed string    `json:"not_claimed,omitempty"`
	Ablation   *Ablation `json:"ablation,omitempty"`
}

// Ablation is a row's run with a mechanism switched off.
type Ablation struct {
	// Off is the mechanism, and how it was switched off.
	Off    string `json:"off"`
	Engine string `json:"engine"`
	// Failed is true if the numbers no longer match, as they must not.
	Failed bool     `json:"failed"`
	Misses []string `json:"misses,omitempty"`
}

// OK reports whether the row is as documented: it matches, or is expected not to, or its data is not there; and its
// ablation fails.
func (r *Row) OK() bool {
	if r.Ablation != nil && !r.Ablation.Failed {
		return false
	}
	if r.Documented != "" {
		return r.Verdict == NoMatch || r.Verdict == NotBuilt
	}
	return r.Verdict == Match || r.Verdict == NotShipped
}

// finding is what one run showed.
type finding struct {
	engine string
	misses []string
}

// check notes a miss unless ok.
func (f *finding) check(ok bool, format string, args ...any) {
	if !ok {
		f.misses = append(f.misses, fmt.Sprintf(format, args...))
	}
}

// errNotShipped is returned by an experiment that lacks its data.
var errNotShipped = errors.New("data not shipped")

// experiment is one replication as it is made.
type experiment struct {
	row       Row // what is known beforehand
	reference func(*bench) (string, error)
	run       func(*bench) (finding, error) // nil: not built
	off       string                        // "": nothing is switched off
	ablated   func(*bench) (finding, error)
}

// Run makes the replications of these ids, or all, in the order of their table, in a temporary directory. dataDir is
// the folder with data that is not shipped, or "". An id that there is not is an error.
func Run(ctx context.Context, dataDir string, ids ...string) (rows []Row, err error) {
	if err := Known(ids...); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "engram-lab-")
	if err != nil {
		return nil, fmt.Errorf("make temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := newBench(ctx, dir, dataDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all := experiments(b.published)
	for _, e := range all {
		if len(ids) > 0 && !slices.Contains(ids, e.row.ID) {
			continue
		}
		row, err := e.make(b)
		if err != nil {
			return nil, fmt.Errorf("replicate %s: %w", e.row.ID, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Known checks that there are replications of these ids.
func Known(ids ...string) error {
	p, err := loadPublished()
	if err != nil {
		return err
	}
	var names []string
	for _, e := range experiments(p) {
		names = append(names, e.row.ID)
	}
	for _, id := range ids {
		if !slices.Contains(names, id) {
			return fmt.Errorf("there is no row %q: there are %s", id, strings.Join(names, ", "))
		}
	}
	return nil
}

// experiments are all replications.
func experiments(p *published) []experiment {
	var all []experiment
	for _, part := range [][]experiment{
		forgetting(p), reviewing(p), spacing(p), retrievals(p), spreading(p), reaching(p), priming(p), competition(p),
		reconsolidation(p), lures(p), completions(p), slots(p), beliefs(p), consolidations(p),
	} {
		all = append(all, part...)
	}
	return all
}

// make runs an experiment and its ablation.
func (e *experiment) make(b *bench) (Row, error) {
	row := e.row
	if e.run == nil {
		row.Verdict = NotBuilt
		return row, nil
	}
	found, err := e.run(b)
	if errors.Is(err, errNotShipped) {
		row.Verdict, row.Engine = NotShipped, err.Error()
		return row, nil
	}
	if err != nil {
		return row, err
	}
	row.Engine, row.Misses, row.Verdict = found.engine, found.misses, Match
	if len(found.misses) > 0 {
		row.Verdict = NoMatch
	}
	if e.reference != nil {
		if row.Reference, err = e.reference(b); err != nil {
			return row, fmt.Errorf("reference: %w", err)
		}
	}
	if e.ablated == nil {
		return row, nil
	}
	if found, err = e.ablated(b); err != nil {
		return row, fmt.Errorf("without %s: %w", e.off, err)
	}
	row.Ablation = &Ablation{Off: e.off, Engine: found.engine, Failed: len(found.misses) > 0, Misses: found.misses}
	return row, nil
}
