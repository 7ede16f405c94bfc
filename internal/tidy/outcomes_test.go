package tidy

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outcomes says which fields of the files with published and reference numbers are results, by file: the engine must
// come to these by itself. The other fields are what was asked, or names.
var outcomes = map[string][]string{
	"internal/lab/published/ebbinghaus_savings.csv": {"savings"},
	"internal/lab/published/fan_anderson1974.csv":   {"human_s", "actr_model_s"},
	"internal/graph/testdata/fan_anderson1974.csv":  {"human_s", "actr_model_s"},
	"internal/lab/published/points.csv":             {"value"},
	"internal/lab/published/model_reference.json": {
		"schedules.S", "schedules.R30", "belief.L", "belief.P",
	},
	"internal/lab/published/ppr_reference.json":        {"exact.expect"},
	"internal/graph/testdata/ppr_reference.json":       {"exact.expect"},
	"internal/dynamics/testdata/fsrs_conformance.json": {"cases.expect"},
	"internal/dynamics/testdata/confidence_reference.json": {
		"wilson95", "beta", "opinion", "noisy_or", "logodds_pool", "brier_ece",
	},
	"internal/dynamics/complete/testdata/hopfield_completion_targets.csv": {"top1", "cos_in", "cos_out", "mean_margin"},
	"internal/dynamics/testdata/engram_model_reference.json": {
		"base.R", "base.B", "schedules.S", "schedules.R30", "expiry.days", "score.A", "belief.L", "belief.P",
		"hopfield_bound",
	},
	"internal/lab/actr/testdata/actr_conformance.json": {"cases.expect"},
}

// bystanders are literals of engine code that happen to be a result, with the reason why they are not copied from it.
var bystanders = map[string]string{
	"2.3065": "w2 of FSRS-6, which is also the stability after one use",
	".975":   "the quantile of a 95 % interval, which is also where Beta(1,1) has it",
	".177":   "the intercept of Pavlik and Anderson's decay, which is also the decay of a first use",
}

// tell is how many digits a number must have to be recognised: fewer are shared by too much.
const tell = 3

// digits counts the significant ones of a number as it is written; those of whole numbers do not count, since 365 is
// days as often as a result.
func digits(number string) int {
	number, _, _ = strings.Cut(strings.ToLower(strings.TrimLeft(number, "+-")), "e")
	if !strings.Contains(number, ".") {
		return 0
	}
	return len(strings.TrimLeft(strings.ReplaceAll(number, ".", ""), "0"))
}

// results are the numbers with three digits or more of the fields that are results.
type results map[float64]string

func (r results) add(where, number string) {
	x, err := strconv.ParseFloat(number, 64)
	if err == nil && digits(number) >= tell {
		r[max(x, -x)] = where
	}
}

// walk adds the numbers below the fields of path, or all if path is empty.
func (r results) walk(where string, value any, path []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			switch {
			case len(path) == 0:
				r.walk(where, inner, nil)
			case name == path[0]:
				r.walk(where+" "+name, inner, path[1:])
			}
		}
	case []any:
		for _, inner := range v {
			r.walk(where, inner, path)
		}
	case json.Number:
		if len(path) == 0 {
			r.add(where, v.String())
		}
	}
}

func loadResults(t *testing.T) results {
	t.Helper()
	r := results{}
	for name, fields := range outcomes {
		raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		before := len(r)
		if strings.HasSuffix(name, ".json") {
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			var value any
			if err := d.Decode(&value); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, f := range fields {
				r.walk(name, value, strings.Split(f, "."))
			}
		} else {
			rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, column := range rows[0] {
				for _, row := range rows[1:] {
					if slices.Contains(fields, column) {
						r.add(name+" "+column, row[i])
					}
				}
			}
		}
		if len(r) == before && !strings.Contains(name, "graph/testdata") && !strings.Contains(name, "lab/published/") {
			t.Errorf("%s has no result in %v: is the list out of date?", name, fields)
		}
	}
	return r
}

// TestNoOutcomeInCode: no number that a paper or a reference came to, of three digits or more, is a literal outside
// tests: a model that contains what it should predict predicts nothing.
func TestNoOutcomeInCode(t *testing.T) {
	known := loadResults(t)
	if len(known) < 300 {
		t.Fatalf("only %d results are known", len(known))
	}
	for _, sure := range []float64{.582, 1.357, .888889, 20.65, 53.62691} {
		if _, ok := known[sure]; !ok {
			t.Errorf("%v is not among the results", sure)
		}
	}
	met := map[string]bool{}
	sources(t, func(_, path string, file *ast.File, files *token.FileSet) {
		for _, lit := range known.in(file) {
			if met[lit.Value] = true; bystanders[lit.Value] == "" {
				t.Errorf("%s: %s is a result of %s: compute it, or load it", files.Position(lit.Pos()), lit.Value,
					known.where(lit))
			}
		}
	})
	for value := range bystanders {
		if !met[value] {
			t.Errorf("%s stands nowhere any more: take it off the list", value)
		}
	}
	const one = "package p\nvar recalled = []float64{.5, .582, 7}"
	planted, err := parser.ParseFile(token.NewFileSet(), "planted.go", one, 0)
	if err != nil || len(known.in(planted)) != 1 {
		t.Errorf("of a file with one result %v are found, %v", known.in(planted), err)
	}
}

// in lists the literals of a file that are results.
func (r results) in(file *ast.File) (found []*ast.BasicLit) {
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if ok && lit.Kind == token.FLOAT && digits(lit.Value) >= tell && r.where(lit) != "" {
			found = append(found, lit)
		}
		return true
	})
	return found
}

// where is the file that a literal is a result of, or "".
func (r results) where(lit *ast.BasicLit) string {
	x, err := strconv.ParseFloat(lit.Value, 64)
	if err != nil {
		return ""
	}
	return r[x]
}
