//go:build faults

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// rooms are the packages whose points the matrix drives through a space.
var rooms = []string{"wal", "segment", "lexical", "graph", "store"}

var pointCall = regexp.MustCompile(`isolate\.(Point|Fault)\("([a-z]+/[a-z.]+)"\)`)

// points lists the fault points in the source of the rooms; canFail tells which of them can also return an error.
func points(t *testing.T) (names []string, canFail map[string]bool) {
	t.Helper()
	canFail = map[string]bool{}
	for _, room := range rooms {
		paths, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			for _, call := range pointCall.FindAllStringSubmatch(string(source), -1) {
				if name := call[2]; strings.HasPrefix(name, room+"/") {
					names = append(names, name)
					canFail[name] = call[1] == "Fault"
				} else {
					t.Errorf("%s: the point %q is named after another room", path, name)
				}
			}
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a point has the name of another: %v", names)
	}
	return names, canFail
}

var errInjected = errors.New("injected")

// trap makes one hit of one point fail, once.
type trap struct {
	name string
	kind string
	nth  int64 // which hit, from 1
	hits atomic.Int64
	shut atomic.Bool
}

func (p *trap) spring(name string) error {
	if name != p.name || p.shut.Load() || p.hits.Add(1) != p.nth {
		return nil
	}
	switch p.kind {
	case "panic":
		panic(errInjected)
	case "goexit":
		runtime.Goexit()
	}
	return errInjected
}

func (p *trap) sprung() bool { return p.hits.Load() >= p.nth }

// on runs fn as a caller of the engine does, inside the boundary, on a goroutine of its own, which Goexit ends; returned
// tells whether it came back.
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
// A point that no operation reaches fails the test. With -v it prints what became of each point.
func TestFaultMatrix(t *testing.T) {
	names, canFail := points(t)
	outcomes := map[string]int{}
	cases := 0
	for _, name := range names {
		kinds := []string{"panic", "goexit"}
		if canFail[name] {
			kinds = append(kinds, "error")
		}
		for _, kind := range kinds {
			for _, nth := range hitsTried(t) {
				m := &matrix{t: t, trap: &trap{name: name, kind: kind, nth: nth}}
				outcome := m.run()
				if nth > 1 && outcome == outcomeNotReached {
					continue
				}
				cases++
				outcomes[outcome]++
				t.Logf("%-24s %-6s hit %d: %s", name, kind, nth, outcome)
				if outcome == outcomeNotReached {
					t.Errorf("%s is reached by no operation of the matrix", name)
				}
				if t.Failed() {
					t.Fatalf("stopped at %s, %s, hit %d", name, kind, nth)
				}
			}
		}
	}
	t.Logf("%d points, %d faults: %v", len(names), cases, outcomes)
	fmt.Printf("fault matrix: %d points x {panic, goexit, error} = %d faults: %v; losses 0\n", len(names), cases, outcomes)
}

// hitsTried are the hits of a point that are made to fail: the first, and some in the middle of larger operations. With
// ENGRAM_FAULT_HITS=n the first n all are.
func hitsTried(t *testing.T) []int64 {
	t.Helper()
	text := os.Getenv("ENGRAM_FAULT_HITS")
	if text == "" {
		return []int64{1, 2, 5}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("ENGRAM_FAULT_HITS is %q, want a number above 0", text)
	}
	var hits []int64
	for i := range n {
		hits = append(hits, i+1)
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

// matrix is one fault in one life of a space.
type matrix struct {
	t    *testing.T
	fsys *vfs.Mem
	s    *store.Space
	b    *book
	trap *trap
}

func (m *matrix) options(o *store.Options) { o.LogFileBytes = 4096 }

// run goes through everything a space does until the trap is sprung, and then checks.
func (m *matrix) run() string {
	m.fsys = newFS(m.t)
	m.s = mustOpen(m.t, m.fsys, m.options)
	m.b = newBook()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff"} {
		m.b.do(m.t, m.s, m.b.put(id))
	}
	m.b.do(m.t, m.s, action{kind: "link", id: "a", other: "bb", linkType: "t", weight: .5},
		action{kind: "link", id: "bb", other: "ccc", linkType: "t", weight: .5}, action{kind: "archive", id: "d", at: 1})
	undo := isolate.OnPoint(m.trap.spring)
	defer undo()
	steps := []func() string{m.write, m.grow, m.seal, m.compact, m.cool, m.reopen, m.make}
	for _, step := range steps {
		if outcome := step(); outcome != outcomeNotReached {
			m.trap.shut.Store(true)
			m.after(outcome)
			return outcome
		}
	}
	m.trap.shut.Store(true)
	mustClose(m.t, m.s)
	return outcomeNotReached
}

// everything is one write with every op in it.
func (m *matrix) everything() []action {
	return []action{
		m.b.put("new"), m.b.put("a"), m.b.put("d"), m.b.put("other new"),
		{kind: "link", id: "new", other: "a", linkType: "t", weight: 1},
		{kind: "unlink", id: "bb", other: "ccc", linkType: "t"},
		{kind: "supersede", id: "bb", other: "new", at: 9},
		{kind: "reinforce", id: "ccc", count: 4, at: 9},
		{kind: "judge", id: "ccc", other: "Ada", count: 6, at: 9},
		{kind: "judge", id: "ccc", other: "Bo", count: 7, at: 10},
		{kind: "key", key: store.Key{Name: "k", ID: "new"}},
		{kind: "absent", id: "ccc", at: 2},
		{kind: "model", id: "ccc", other: "e5-small"},
		{kind: "archive", id: "ee", at: 9},
		{kind: "erase", id: "fff"},
	}
}

// write does one large write beside readers.
func (m *matrix) write() string { return m.during(m.everything()) }

// grow writes until the log has rotated, a memory at a time, with times that go into the middle of a session.
func (m *matrix) grow() string {
	for i := range 8 {
		a := m.b.put(fmt.Sprint("grown", i))
		a.version.Record.Session = "s1"
		a.version.Record.OccurredAt.Nanos = int64(1e15) + int64(8-i)
		if outcome := m.during([]action{a}); outcome != outcomeNotReached {
			return outcome
		}
	}
	return outcomeNotReached
}

// during does one write beside readers, who may see the state before or the one after.
func (m *matrix) during(actions []action) string {
	m.t.Helper()
	after := m.b.clone()
	for _, a := range actions {
		after.note(a)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := m.s.View()
				if before := m.b.differs(v); before != "" && after.differs(v) != "" {
					m.t.Errorf("a reader saw neither the state before nor the one after:\n%s", before)
					return
				}
			}
		})
	}
	err, returned := on(func() error { return write(m.s, actions) })
	close(stop)
	readers.Wait()
	switch {
	case !m.trap.sprung():
		if err != nil {
			m.t.Fatalf("Write without a fault = %v", err)
		}
		m.b = after
		return outcomeNotReached
	case err == nil && returned:
		m.b = after
		if errors.Is(m.s.Health(), store.ErrReadOnly) { // what failed came behind the write
			m.inDoubt(after)
			return outcomeInDoubt
		}
		return outcomeAbsorbed
	case m.trap.name == "store/afterwards", m.trap.name == "store/publish": // the goroutine ended behind a write that is durable
		m.b = after
		return outcomeAbsorbed
	case m.s.Health() != nil:
		m.inDoubt(after)
		return outcomeInDoubt
	}
	var panicked *isolate.PanicError
	if m.trap.kind == "panic" && (!errors.As(err, &panicked) || len(panicked.Stack) == 0 || !errors.Is(err, errInjected)) {
		m.t.Errorf("Write that panicked = %v, want a *PanicError with what it was and its stack", err)
	}
	if m.trap.kind == "error" && !errors.Is(err, errInjected) {
		m.t.Errorf("Write = %v, want the error that was injected", err)
	}
	for _, a := range actions {
		if a.kind == "put" {
			m.b.refused = append(m.b.refused, a.version.Record)
		}
	}
	return outcomeFailed
}

// inDoubt reopens a space whose log failed: the write in flight is wholly there or not at all.
func (m *matrix) inDoubt(after *book) {
	m.t.Helper()
	if err := write(m.s, []action{m.b.put("refused")}); !errors.Is(err, store.ErrReadOnly) {
		m.t.Errorf("Write after the log failed = %v, want ErrReadOnly", err)
	}
	if diff := m.b.differs(m.s.View()); diff != "" {
		m.t.Errorf("readers after the log failed: %s", diff)
	}
	m.trap.shut.Store(true)
	_ = m.s.Close() // says again that the log failed
	m.s = mustOpen(m.t, m.fsys, m.options)
	if m.b.differs(m.s.View()) != "" {
		m.b = after
	}
}

// seal seals, and again if that failed.
func (m *matrix) seal() string {
	err, returned := on(func() error { return m.s.Seal(context.Background()) })
	if !m.trap.sprung() {
		if err != nil {
			m.t.Fatalf("Seal without a fault = %v", err)
		}
		return outcomeNotReached
	}
	if err == nil && returned {
		return outcomeAbsorbed
	}
	if m.s.Health() == nil {
		m.t.Error("sealing failed and Health says nothing")
	}
	m.trap.shut.Store(true)
	m.b.holds(m.t, "after a failed sealing", m.s)
	if err := m.s.Seal(context.Background()); err != nil {
		m.t.Errorf("Seal again = %v", err)
	}
	return outcomeReported
}

// compact erases and compacts, and again if that failed.
func (m *matrix) compact() string {
	if outcome := m.during([]action{{kind: "erase", id: "grown1"}, m.b.put("more")}); outcome != outcomeNotReached {
		return outcome
	}
	return m.rebuild("a compaction", func() error {
		_, err := m.s.Compact(context.Background(), store.CompactOptions{})
		return err
	})
}

// cool moves the segments to the cold tier, and back.
func (m *matrix) cool() string {
	if outcome := m.during([]action{m.b.put("grown2")}); outcome != outcomeNotReached {
		return outcome
	}
	for _, o := range []store.MoveOptions{toCold, toWarm, toCold} {
		v := m.s.View()
		f, _, err := v.Lookup("a")
		if err != nil {
			m.t.Fatal(err)
		}
		v.Need(uint32(v.Position), f.Row) // the move writes it down
		outcome := m.rebuild("a move", func() error {
			_, err := m.s.Move(context.Background(), o)
			return err
		})
		if outcome != outcomeNotReached {
			return outcome
		}
	}
	return outcomeNotReached
}

// rebuild builds segments anew, and again if that failed.
func (m *matrix) rebuild(what string, fn func() error) string {
	err, returned := on(fn)
	if !m.trap.sprung() {
		if err != nil {
			m.t.Fatalf("%s without a fault = %v", what, err)
		}
		return outcomeNotReached
	}
	if err == nil && returned {
		return outcomeAbsorbed
	}
	if errors.Is(m.s.Health(), store.ErrReadOnly) {
		m.inDoubt(m.b)
		return outcomeInDoubt
	}
	m.trap.shut.Store(true)
	m.b.holds(m.t, "after "+what+" that failed", m.s)
	if err := fn(); err != nil {
		m.t.Errorf("%s again = %v", what, err)
	}
	return outcomeReported
}

// reopen closes and opens the space, and again if that failed.
func (m *matrix) reopen() string {
	if outcome := m.during([]action{m.b.put("in the log")}); outcome != outcomeNotReached {
		return outcome
	}
	closeErr, returned := on(m.s.Close)
	if m.trap.sprung() {
		m.trap.shut.Store(true)
		m.s = mustOpen(m.t, m.fsys, m.options)
		return outcomeClosing
	}
	if closeErr != nil || !returned {
		m.t.Fatalf("Close without a fault = %v", closeErr)
	}
	if err := m.fsys.SetBytes(filepath.Join(spaceDir, "00000000000000ff.seg.tmp"), []byte("left")); err != nil {
		m.t.Fatal(err)
	}
	m.tear()
	err, returned := on(func() (err error) {
		s, err := open(m.fsys, m.options)
		if err == nil {
			m.s = s
		}
		return err
	})
	if err == nil && returned {
		if m.trap.sprung() {
			return outcomeAbsorbed
		}
		return outcomeNotReached
	}
	m.trap.shut.Store(true)
	m.s = mustOpen(m.t, m.fsys, m.options)
	return outcomeOpening
}

// tear leaves, behind the last record of the log, what a write that was cut off can leave.
func (m *matrix) tear() {
	m.t.Helper()
	names := slices.DeleteFunc(m.fsys.Files(), func(name string) bool { return !strings.HasSuffix(name, ".wal") })
	last := names[len(names)-1]
	b, err := m.fsys.Bytes(last)
	if err != nil {
		m.t.Fatal(err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	copy(b[end+16:], "torn")
	if err := m.fsys.SetBytes(last, b); err != nil {
		m.t.Fatal(err)
	}
}

// make makes another space, and again if that failed: it is empty then, and takes writes.
func (m *matrix) make() string {
	fsys := newFS(m.t)
	var s *store.Space
	err, returned := on(func() (err error) {
		s, err = open(fsys, m.options)
		return err
	})
	m.trap.shut.Store(true)
	outcome := outcomeNotReached
	if err != nil || !returned {
		outcome = outcomeOpening
		s = mustOpen(m.t, fsys, m.options)
	} else if m.trap.sprung() {
		outcome = outcomeAbsorbed
	}
	b := newBook()
	b.holds(m.t, "made", s)
	b.do(m.t, s, b.put("first"))
	mustClose(m.t, s)
	return outcome
}

// after checks that nothing has to be recovered.
func (m *matrix) after(outcome string) {
	m.t.Helper()
	m.b.holds(m.t, "after "+outcome, m.s)
	before := recalled(m.s.View())
	verified(m.t, m.s)
	m.b.do(m.t, m.s, m.b.put("next"), action{kind: "reinforce", id: "ccc", count: 9, at: 1})
	if err := m.s.Seal(context.Background()); err != nil {
		m.t.Errorf("Seal = %v", err)
	}
	m.b.holds(m.t, "sealed", m.s)
	verified(m.t, m.s)
	again := recalled(m.s.View())
	mustClose(m.t, m.s)
	m.s = mustOpen(m.t, m.fsys, m.options)
	m.b.holds(m.t, "reopened", m.s)
	if diff := changed(again, recalled(m.s.View())); diff != "" {
		m.t.Errorf("recall reopened: %s", diff)
	}
	verified(m.t, m.s)
	mustClose(m.t, m.s)
	if len(before) == 0 {
		m.t.Error("nothing was asked")
	}
}

// TestEveryStepHasAPoint holds the source to the list: what applies an op, and what changes a file on a write path, has
// a point in it or is called between two of them.
func TestEveryStepHasAPoint(t *testing.T) {
	names, _ := points(t)
	source, err := os.ReadFile("apply.go")
	if err != nil {
		t.Fatal(err)
	}
	applies := regexp.MustCompile(`(?ms)^func \(o \*(\w+)\) apply\(tx \*Tx\) error \{.*?^\}`)
	for _, match := range applies.FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(match[0], "isolate.") && match[1] != "putOp" {
			t.Errorf("%s is applied without a point in it", match[1])
		}
	}
	for _, room := range []string{"wal", "segment", "store"} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if !strings.HasSuffix(path, "_test.go") {
				stepsOf(t, path)
			}
		}
	}
	if len(names) < 40 {
		t.Errorf("only %d points", len(names))
	}
}

var (
	functions = regexp.MustCompile(`(?ms)^func (?:\([^)]*\) )?(\w+)\(.*?^\}`)
	changes   = regexp.MustCompile(`\.(Create|Rename|SyncDir|SyncData|Sync)\(`)
)

// covered are functions that change files and have no point: each is called by one that has, right behind it.
var covered = []string{
	"makeSpare", "adopt", "syncDir", "empty", "create", "settle", "writeControl", "copyTorn", // of wal, by rotate, Trim, Open
	"endFile", "File", "Finish", "placeSide", // of store; the latter build what nobody may open yet
}

func stepsOf(t *testing.T, path string) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range functions.FindAllStringSubmatch(string(source), -1) {
		if changes.MatchString(fn[0]) && !strings.Contains(fn[0], "isolate.Fault(") && !strings.Contains(fn[0], "isolate.Point(") &&
			!slices.Contains(covered, fn[1]) {
			t.Errorf("%s: %s changes files and has no fault point", path, fn[1])
		}
	}
}
