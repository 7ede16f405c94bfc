//go:build faults

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/backup"
	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// matrix is one fault in one life of a space.
type matrix struct {
	t    *testing.T
	fsys *vfs.Mem
	s    *store.Space
	b    *book
	trap *inject.Trap
}

func (m *matrix) options(o *store.Options) { o.LogFileBytes = 4096 }

// files is the space's file system as the engine sees it: its operations are steps.
func (m *matrix) files() vfs.FS { return m.trap.Files(m.fsys) }

// run goes through everything a space does until the trap is sprung, and then checks.
func (m *matrix) run() string {
	m.fsys = newFS(m.t)
	m.b = newBook()
	defer isolate.OnPoint(m.trap.Spring)()
	for _, step := range []func() string{
		m.create, m.write, m.grow, m.seal, m.compact, m.cool, m.backup, m.shut, m.reopen,
	} {
		if outcome := step(); outcome != outcomeNotReached {
			m.trap.Shut()
			m.after(outcome)
			return outcome
		}
	}
	m.trap.Shut()
	mustClose(m.t, m.s)
	return outcomeNotReached
}

// dry goes through everything and counts the steps.
func (m *matrix) dry() map[string]int {
	m.t.Helper()
	if outcome := m.run(); outcome != outcomeNotReached {
		m.t.Fatalf("a life without a fault: %s", outcome)
	}
	return m.trap.Counts()
}

// create makes the space, and again if that failed, and fills it while nothing fails.
func (m *matrix) create() string {
	outcome := m.opens()
	if outcome == outcomeNotReached { // the model is named before there is a vector
		outcome = m.during([]action{{kind: "model", other: "e5-small"}})
	}
	m.trap.Shut()
	defer m.trap.Open()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff"} {
		m.b.do(m.t, m.s, m.b.put(id))
	}
	m.b.do(m.t, m.s, action{kind: "link", id: "a", other: "bb", linkType: "t", weight: .5},
		action{kind: "link", id: "bb", other: "ccc", linkType: "t", weight: .5}, action{
			kind: "archive", id: "d", at: 1,
		})
	return outcome
}

// opens opens the space, and again if that failed.
func (m *matrix) opens() string {
	err, returned := on(func() (err error) {
		s, err := open(m.files(), m.options)
		if err == nil {
			m.s = s
		}
		return err
	})
	if err == nil && returned {
		if m.trap.Sprung() {
			return outcomeAbsorbed
		}
		return outcomeNotReached
	}
	if !m.trap.Sprung() {
		m.t.Fatalf("Open without a fault = %v", err)
	}
	m.trap.Shut()
	m.s = mustOpen(m.t, m.files(), m.options)
	return outcomeOpening
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
		{kind: "archive", id: "ee", at: 9},
		{kind: "erase", id: "fff"},
		{kind: "begin", other: "e5-base", count: 12},
		{kind: "cancel"},
		{kind: "begin", other: "e5-base", count: 8},
		embedded("a", 2, 8),
		embedded("ccc", 1, 8),
		{kind: "serve"},
		{kind: "begin", other: "e5-large", count: 8},
		embedded("a", 2, 8),
		embedded("bb", 1, 8),
	}
}

// embedded gives a version of a memory a vector of those that are being built.
func embedded(id string, n uint32, dim int) action {
	return action{
		kind: "embed", id: id, version: version{Record: store.Record{Version: n}, Vector: vectorOf(int64(n), dim)},
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
	case !m.trap.Sprung():
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
	case m.trap.Step == "store/afterwards",
		m.trap.Step == "store/publish": // the goroutine ended behind a write that is durable
		m.b = after
		return outcomeAbsorbed
	case m.s.Health() != nil:
		m.inDoubt(after)
		return outcomeInDoubt
	}
	var panicked *isolate.PanicError
	fatal := m.trap.Kind == inject.Panic || m.trap.Kind == inject.Late
	if fatal && (!errors.As(err, &panicked) || len(panicked.Stack) == 0 || !errors.Is(err, inject.ErrInjected)) {
		m.t.Errorf("Write that panicked = %v, want a *PanicError with what it was and its stack", err)
	}
	if m.trap.Kind == inject.Error && !errors.Is(err, inject.ErrInjected) {
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
	m.trap.Shut()
	_ = m.s.Close() // says again that the log failed
	m.s = mustOpen(m.t, m.files(), m.options)
	if m.b.differs(m.s.View()) != "" {
		m.b = after
	}
}

// seal seals, and again if that failed, where an earlier attempt left something behind.
func (m *matrix) seal() string {
	for n := range 20 {
		f, err := m.fsys.Create(fmt.Sprintf("%s/%016x.seg.tmp", spaceDir, n))
		if err != nil {
			m.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
	err, returned := on(func() error { return m.s.Seal(context.Background()) })
	if !m.trap.Sprung() {
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
	if errors.Is(m.s.Health(), store.ErrReadOnly) {
		m.inDoubt(m.b)
		return outcomeInDoubt
	}
	m.trap.Shut()
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
	if !m.trap.Sprung() {
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
	m.trap.Shut()
	m.b.holds(m.t, "after "+what+" that failed", m.s)
	if err := fn(); err != nil {
		m.t.Errorf("%s again = %v", what, err)
	}
	return outcomeReported
}

// backup writes the space into a stream, and again if that failed: it leaves nothing behind, in the space neither.
func (m *matrix) backup() string {
	take := func() error {
		w, err := backup.NewWriter(new(bytes.Buffer))
		if err == nil {
			_, err = m.s.Backup(context.Background(), w, 0, store.SideFile{})
		}
		return err
	}
	err, returned := on(take)
	if err == nil && returned && !m.trap.Sprung() {
		return outcomeNotReached
	}
	if !m.trap.Sprung() {
		m.t.Fatalf("Backup without a fault = %v", err)
	}
	m.trap.Shut()
	if err := take(); err != nil {
		m.t.Errorf("Backup again = %v", err)
	}
	return outcomeReported
}

// shut writes and closes the space; if that failed, who opens it next must find everything.
func (m *matrix) shut() string {
	if outcome := m.during([]action{m.b.put("in the log")}); outcome != outcomeNotReached {
		return outcome
	}
	err, returned := on(m.s.Close)
	if err == nil && returned && !m.trap.Sprung() {
		if err := m.fsys.SetBytes(filepath.Join(spaceDir, "00000000000000ff.seg.tmp"), []byte("left")); err != nil {
			m.t.Fatal(err)
		}
		m.tear()
		return outcomeNotReached
	}
	if !m.trap.Sprung() {
		m.t.Fatalf("Close without a fault = %v", err)
	}
	m.trap.Shut()
	m.s = mustOpen(m.t, m.files(), m.options)
	return outcomeClosing
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

// reopen opens the space that was closed.
func (m *matrix) reopen() string { return m.opens() }

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
	m.s = mustOpen(m.t, m.files(), m.options)
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
