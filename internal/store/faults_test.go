//go:build faults

package store_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/isolate"
)

// rooms are the packages whose steps the matrix drives through a space.
var rooms = []string{"../isolate", "../wal", "../segment", "../lexical", "../graph", "."}

// steps lists the steps in the source of the rooms, and the file operations among those seen that the source leaves to
// a writer; without those of restorations, which the matrix of the root drives, and of upgrades, which have one of
// their own. ENGRAM_FAULT_STEPS picks some by a pattern.
func steps(t *testing.T, seen map[string]int) (points, files []inject.Step) {
	t.Helper()
	points, files = inject.Steps(t, rooms...)
	points = slices.DeleteFunc(points, ofUpgrades)
	files = slices.DeleteFunc(files, func(s inject.Step) bool {
		return strings.HasPrefix(s.Name, "store/restore.go") || ofUpgrades(s)
	})
	files = append(files, inject.Indirect(seen, files)...)
	if only := os.Getenv("ENGRAM_FAULT_STEPS"); only != "" {
		match := regexp.MustCompile(only)
		not := func(s inject.Step) bool { return !match.MatchString(s.Name) && !match.MatchString(s.What) }
		points, files = slices.DeleteFunc(points, not), slices.DeleteFunc(files, not)
	}
	return points, files
}

// on runs fn as a caller of the engine does, inside the boundary, on a goroutine of its own, which Goexit ends;
// returned tells whether it came back.
func on(fn func() error) (err error, returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = isolate.Do("call", "test", nil, fn)
		returned = true
	}()
	<-done
	return err, returned
}

// TestFaultMatrix lets every step of every write path fail, in every way, under readers, and looks at what is left:
//
//   - the call that ran into it failed, or the background work reported it;
//   - readers saw the state before or the state after as a whole, and nothing else;
//   - the next read and the next write work. Where the log itself failed, the space is read-only until it is reopened,
//     and the write in flight is wholly there then or not at all;
//   - Verify is clean, and a restart finds what was acknowledged.
//
// Steps are the points in the source, those in the containers that readers look into included, and all calls that
// change a file. One that no operation comes to fails the test. It prints what became of them; with -v, of each.
func TestFaultMatrix(t *testing.T) {
	seen := (&matrix{t: t, trap: &inject.Trap{}}).dry()
	points, files := steps(t, seen)
	table := &outcomes{}
	for _, step := range slices.Concat(points, files) {
		for _, kind := range step.Can {
			for _, nth := range hitsTried(t, step.Name, seen[step.Name]) {
				m := &matrix{t: t, trap: &inject.Trap{Step: step.Name, Kind: kind, Nth: nth}}
				outcome := m.run()
				for name, n := range m.trap.Counts() {
					seen[name] += n
				}
				if outcome == outcomeNotReached {
					continue // the number of hits differs between runs where goroutines meet
				}
				table.note(kind, outcome)
				t.Logf("%-26s %-44s %-6s hit %d: %s", step.Name, step.What, kind, nth, outcome)
				if t.Failed() {
					t.Fatalf("stopped at %s (%s), %s, hit %d", step.Name, step.What, kind, nth)
				}
			}
		}
	}
	for _, step := range slices.Concat(points, files) {
		if seen[step.Name] == 0 && !t.Failed() {
			t.Errorf("no operation of the matrix comes to %s (%s)", step.Name, step.What)
		}
	}
	fmt.Printf("fault matrix: %d points, %d file operations in the source\n%s", len(points), len(files), table)
}

// outcomes counts what became of faults, by kind.
type outcomes struct {
	counts map[[2]string]int
	faults int
}

func (o *outcomes) note(kind, outcome string) {
	if o.counts == nil {
		o.counts = map[[2]string]int{}
	}
	o.counts[[2]string{outcome, kind}]++
	o.faults++
}

// String is a table: a row for each outcome, a column for each kind.
func (o *outcomes) String() string {
	kinds := []string{inject.Panic, inject.Goexit, inject.Error, inject.Late}
	var text strings.Builder
	fmt.Fprintf(&text, "  %-52s", fmt.Sprintf("%d faults", o.faults))
	for _, kind := range kinds {
		fmt.Fprintf(&text, "%8s", kind)
	}
	for _, outcome := range []string{
		outcomeFailed, outcomeInDoubt, outcomeReported, outcomeOpening, outcomeClosing, outcomeAbsorbed,
	} {
		fmt.Fprintf(&text, "\n  %-52s", outcome)
		for _, kind := range kinds {
			fmt.Fprintf(&text, "%8d", o.counts[[2]string{outcome, kind}])
		}
	}
	return text.String() + "\n  losses 0\n" // a loss would have failed the test
}

// hitsTried are the hits of a step, of as many as there are in a life, that are made to fail: the first, and some in
// the middle of larger operations; of the containers' steps, which stand for every single change in memory, more. With
// ENGRAM_FAULT_HITS=n the first n all are.
func hitsTried(t *testing.T, step string, most int) (hits []int64) {
	t.Helper()
	last := 5
	if strings.HasPrefix(step, "isolate/") {
		last = 400
	}
	every := 0
	if text := os.Getenv("ENGRAM_FAULT_HITS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("ENGRAM_FAULT_HITS is %q, want a number above 0", text)
		}
		every, last = n, max(n, last)
	}
	for a, b := 1, 2; a <= last && (a == 1 || a <= most); {
		hits = append(hits, int64(a))
		if a < every {
			a, b = a+1, a+2
		} else {
			a, b = b, a+b // 1, 2, 3, 5, 8, 13, ...
		}
	}
	return hits
}

const (
	outcomeNotReached = "not reached"
	outcomeFailed     = "the call failed, nothing of it is there"
	outcomeInDoubt    = "the log failed: read-only until reopened"
	outcomeReported   = "background work failed and was done again"
	outcomeAbsorbed   = "absorbed"
	outcomeOpening    = "opening failed, the next one worked"
	outcomeClosing    = "closing failed, opening works"
)

// TestEveryStepHasAPoint holds the source to the list: whatever applies an op of the log has a point in it.
func TestEveryStepHasAPoint(t *testing.T) {
	points, files := inject.Steps(t, rooms...)
	if len(points) < 60 || len(files) < 40 {
		t.Errorf("only %d points and %d file operations were found: does the search still fit?",
			len(points), len(files))
	}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	applies := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "apply" || fn.Recv == nil {
				continue
			}
			applies++
			body := string(source[set.Position(fn.Pos()).Offset:set.Position(fn.End()).Offset])
			if !strings.Contains(body, "isolate.Point(") &&
				!strings.Contains(body, "func (o *putOp)") { // which calls many
				t.Errorf("%s is applied without a point in it", body[:strings.Index(body, "\n")])
			}
		}
	}
	if applies < 12 {
		t.Errorf("only %d ops were found", applies)
	}
}
