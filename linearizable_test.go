package engram_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// call is one operation on one memory, and reply what it answered.
type call struct {
	op      string // remember, update, archive, restore, erase, get
	id      string
	content string
}

// reply is what an operation answered.
type reply struct {
	failed  bool // it ended with an error or a panic that says that nothing was changed
	inDoubt bool // nobody was told whether it was done: it was, or it was not
	known   bool // get: it is there; others: it was done
	content string
	active  bool
	version int
}

// register is what one memory is: the model that histories are held against.
type register struct {
	exists, archived bool
	content          string
	version          int
}

// memoryModel says what each operation may answer and what it leaves behind.
func memoryModel() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byID := map[string][]porcupine.Operation{}
			for _, op := range history {
				id := op.Input.(call).id
				byID[id] = append(byID[id], op)
			}
			var parts [][]porcupine.Operation
			for _, part := range byID {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{register{}} },
		Step: func(state, input, output any) []any {
			return step(state.(register), input.(call), output.(reply))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
	return model.ToModel()
}

// step gives the states that an operation may leave behind with this answer; none if it cannot give the answer.
func step(s register, in call, out reply) []any {
	if out.failed {
		return []any{s}
	}
	after, done := s.after(in)
	if out.inDoubt {
		return []any{s, after}
	}
	same := true
	switch in.op {
	case "get":
		same = !done || out.content == s.content && out.version == s.version && out.active == !s.archived
	case "update":
		same = !done || out.version == after.version
	}
	if out.known != done || !same {
		return nil
	}
	return []any{after}
}

// after is what an operation makes of a memory, and whether it does anything. Contents are never repeated.
func (s register) after(in call) (register, bool) {
	done := s.exists
	switch in.op {
	case "get":
		return s, done
	case "remember":
		if done = !s.exists; done {
			s = register{exists: true, content: in.content, version: 1}
		}
	case "update":
		if done = s.exists && !s.archived; done {
			s.content = in.content
			s.version++
		}
	case "archive":
		done = s.exists && !s.archived
		s.archived = s.archived || done
	case "restore":
		done = s.exists && s.archived
		s.archived = false
	case "erase":
		s = register{}
	}
	return s, done
}

// perform does one operation.
func perform(t *testing.T, s *engram.Space, in call) (out reply, err error) {
	t.Helper()
	forget := func(mode engram.ForgetMode) (reply, error) {
		report, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{in.id}, Mode: mode})
		return reply{known: report.Matched == 1}, err
	}
	switch in.op {
	case "get":
		m, err := s.Get(t.Context(), in.id)
		out = reply{known: err == nil, content: m.Content, version: m.Version, active: m.ArchivedAt.IsZero()}
		return out, ignore(err, engram.ErrNotFound)
	case "remember":
		_, err = s.Remember(t.Context(), engram.Draft{ID: in.id, Content: in.content})
		return reply{known: err == nil}, ignore(err, engram.ErrConflict)
	case "update":
		o, err := s.Update(t.Context(), in.id, engram.Change{Content: &in.content})
		return reply{known: err == nil, version: o.Version}, ignore(ignore(err, engram.ErrNotFound), engram.ErrConflict)
	case "restore":
		_, err = s.Restore(t.Context(), in.id)
		return reply{known: err == nil}, ignore(ignore(err, engram.ErrNotFound), engram.ErrConflict)
	case "archive":
		return forget(engram.Archive)
	}
	return forget(engram.Erase)
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// history is what clients did to one directory, through faults and reopenings.
type history struct {
	t     *testing.T
	seed  uint64
	start time.Time
	mem   *vfs.Mem
	armed atomic.Bool                       // faults happen
	fails bool                              // faults are armed while clients run
	fail  func(h *history, op vfs.Op) error // decides which file operations fail; nil lets all work

	gate   sync.RWMutex // held by whoever does an operation; alone, by whoever reopens
	db     *engram.DB
	space  *engram.Space
	broken atomic.Bool // the space is to be opened again

	mu    sync.Mutex // guards the fields below
	rng   *rand.Rand
	ops   []porcupine.Operation
	open  []int // which of ops are in doubt until the space is opened again
	count map[string]int
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	h := &history{
		t: t, seed: seed, start: time.Now(), mem: vfs.NewMem(), rng: rand.New(rand.NewPCG(seed, 7)),
		count: map[string]int{},
	}
	h.opens()
	return h
}

// opens opens the directory; faults may make it fail, and are switched off then.
func (h *history) opens() {
	h.t.Helper()
	for tries := 0; ; tries++ {
		fault := vfs.NewFault(h.mem)
		fault.Inject = func(op vfs.Op) error {
			if h.fail == nil || !h.armed.Load() {
				return nil
			}
			return h.fail(h, op)
		}
		var db *engram.DB
		err := errors.New("the goroutine ended")
		done := make(chan struct{})
		go func() { // which a fault may end
			defer close(done)
			db, err = engram.Options{}.On(fault).Open("/data")
		}()
		<-done
		if err == nil {
			h.db = db
			break
		}
		if !h.armed.Load() {
			h.t.Fatalf("seed %d: Open without faults = %v", h.seed, err)
		}
		h.note("openings failed")
		h.armed.Store(tries < 3)
	}
	space, err := h.db.Space(engram.DefaultSpace)
	if err != nil {
		h.t.Fatal(err)
	}
	h.space = space
}

// chance is true once in n times.
func (h *history) chance(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rng.IntN(n) == 0
}

func (h *history) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count[what]++
}

func (h *history) now() int64 { return time.Since(h.start).Nanoseconds() }

// do does one operation and notes it. It runs on a goroutine of its own, which a fault may end.
func (h *history) do(client int, in call) {
	h.gate.RLock()
	defer h.gate.RUnlock()
	out := reply{inDoubt: true} // if nobody says otherwise
	called := h.now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := perform(h.t, h.space, in)
		switch {
		case err == nil:
			out = got
		case errors.Is(err, engram.ErrInDoubt):
		case !h.fails:
			h.t.Errorf("seed %d: %+v = %v", h.seed, in, err)
		default:
			out = reply{failed: true}
		}
		if errors.Is(err, engram.ErrReadOnly) {
			h.broken.Store(true)
		}
	}()
	<-done
	returned := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if out.inDoubt {
		h.count["in doubt"]++
		h.open = append(h.open, len(h.ops))
	}
	if out.failed {
		h.count["failed"]++
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: called, Return: returned})
}

// reopen ends what is in doubt: it happened before now, or never. Every second time the power is cut instead.
func (h *history) reopen() {
	h.t.Helper()
	h.gate.Lock()
	defer h.gate.Unlock()
	if !h.broken.Load() {
		return
	}
	h.note("reopened")
	if h.chance(2) {
		h.mu.Lock()
		seed := h.rng.Uint64()
		h.mu.Unlock()
		clone := h.mem.CrashClone(seed, vfs.Random)
		_ = h.db.Close()
		h.mem = clone
	} else {
		_ = h.db.Close() // says again that the log failed
	}
	h.opens()
	h.broken.Store(false)
	for _, i := range h.open {
		h.ops[i].Return = h.now()
	}
	h.open = nil
}

// run lets clients do things to three memories, with sealings and compactions in between, and looks at all of them at
// the end.
func (h *history) run(clients, rounds int) {
	h.t.Helper()
	h.armed.Store(h.fails)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(h.seed, uint64(c)))
			for n := range rounds {
				ops := []string{"get", "get", "get", "remember", "update", "update", "archive", "restore", "erase"}
				h.do(c, call{
					op: ops[rng.IntN(len(ops))], id: fmt.Sprint("m", rng.IntN(3)),
					content: fmt.Sprintf("client %d says %d", c, n),
				})
				if c == 0 && n%10 == 5 {
					h.maintain(n)
				}
				if h.broken.Load() {
					h.reopen()
				}
			}
		})
	}
	all.Wait()
	h.armed.Store(false)
	h.broken.Store(h.broken.Load() || h.fails)
	h.reopen()
	for i := range 3 {
		h.do(clients, call{op: "get", id: fmt.Sprint("m", i)})
	}
	report, err := h.space.Verify(h.t.Context())
	if err != nil || len(report.Problems) > 0 {
		h.t.Errorf("seed %d: Verify = %+v, %v", h.seed, report.Problems, err)
	}
	if err := h.db.Close(); err != nil {
		h.t.Errorf("seed %d: Close = %v", h.seed, err)
	}
}

// maintain seals, or compacts every second time, to a tier or not.
func (h *history) maintain(n int) {
	h.gate.RLock()
	defer h.gate.RUnlock()
	done := make(chan struct{})
	go func() { // which a fault may end
		defer close(done)
		err := h.space.Seal(h.t.Context())
		if n%20 > 10 {
			tier := []engram.Tier{"", engram.TierCold, engram.TierWarm}[n%3]
			_, err = h.space.Compact(h.t.Context(), engram.CompactOptions{Tier: tier})
		}
		if err != nil && !h.fails {
			h.t.Errorf("seed %d: seal or compact = %v", h.seed, err)
		}
	}()
	<-done
}

// explained asks the checker for an order that explains every answer, and then whether it can say no: of an answer that
// was never right.
func (h *history) explained() {
	h.t.Helper()
	if !porcupine.CheckOperations(memoryModel(), h.ops) {
		h.t.Errorf("seed %d: no order explains the %d operations (%v)", h.seed, len(h.ops), h.count)
		return
	}
	for i, op := range h.ops {
		if in, out := op.Input.(call), op.Output.(reply); in.op == "get" && out.known {
			h.ops[i].Output = reply{known: true, content: "nobody ever wrote this", version: 1, active: true}
			h.note("wrong answers tried")
			if porcupine.CheckOperations(memoryModel(), h.ops) {
				h.t.Errorf("seed %d: an answer that nobody ever wrote is explained", h.seed)
			}
			return // a history in which nothing was found has no answer to make wrong
		}
	}
}

// linearSeeds are the seeds of the histories: a few, or as many as the environment says.
func linearSeeds(t *testing.T) []uint64 {
	t.Helper()
	n := 2
	if text := os.Getenv("ENGRAM_LINEAR_SEEDS"); text != "" {
		many, err := strconv.Atoi(text)
		if err != nil || many < 1 {
			t.Fatalf("ENGRAM_LINEAR_SEEDS is %q, want a number above 0", text)
		}
		n = many
	}
	seeds := make([]uint64, n)
	for i := range seeds {
		seeds[i] = 41 + uint64(i)
	}
	return seeds
}

// linearClients are how many clients there are at once.
var linearClients = []int{1, 4, 5, 16}

// TestLinearizable records what clients did to 3 memories, with sealings and compactions in between, and asks a checker
// whether there is an order of these operations, each between its call and its return, that explains every answer.
func TestLinearizable(t *testing.T) {
	count := map[string]int{}
	for _, clients := range linearClients {
		for _, seed := range linearSeeds(t) {
			h := newHistory(t, seed)
			h.run(clients, 240/clients+10)
			h.explained()
			for what, n := range h.count {
				count[what] += n
			}
		}
	}
	happened(t, count, "wrong answers tried")
}

// TestLinearizableThroughFailingFiles is TestLinearizable while file operations fail: calls fail, the log does, the
// space is opened again, after a power cut every second time. What is in doubt then happened by the time it is open
// again, or never.
func TestLinearizableThroughFailingFiles(t *testing.T) {
	count := map[string]int{}
	for _, clients := range linearClients {
		for _, seed := range linearSeeds(t) {
			h := newHistory(t, seed)
			h.fails = true
			h.fail = func(h *history, op vfs.Op) error {
				switch op.Kind {
				case vfs.OpWrite, vfs.OpSyncData, vfs.OpSync, vfs.OpCreate, vfs.OpRename, vfs.OpSyncDir:
					if h.chance(25) {
						h.note("faults")
						return syscall.EIO
					}
				}
				return nil
			}
			h.run(clients, 160/clients+10)
			h.explained()
			for what, n := range h.count {
				count[what] += n
			}
		}
	}
	happened(t, count, "faults", "in doubt", "reopened", "wrong answers tried")
}

// happened fails the test if one of these never did.
func happened(t *testing.T, count map[string]int, whats ...string) {
	t.Helper()
	t.Logf("%v", count)
	for _, what := range whats {
		if count[what] == 0 {
			t.Errorf("no %s in all histories", what)
		}
	}
}
