package engram_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	engram "github.com/orchard9/engram-go"
)

// call is one operation on one memory, and reply what it answered.
type call struct {
	op      string // remember, update, archive, restore, erase, get
	id      string
	content string
}

type reply struct {
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
	return porcupine.Model{
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
		Init: func() any { return register{} },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(register), input.(call), output.(reply))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
}

func step(s register, in call, out reply) (bool, any) {
	switch in.op {
	case "get":
		same := out.content == s.content && out.version == s.version && out.active == !s.archived
		return out.known == s.exists && (!out.known || same), s
	case "remember": // of contents that are never repeated: done if there is no such memory
		if out.known != !s.exists {
			return false, s
		}
		if out.known {
			s = register{exists: true, content: in.content, version: 1}
		}
		return true, s
	case "update":
		if out.known != (s.exists && !s.archived) {
			return false, s
		}
		if out.known {
			s.content = in.content
			s.version++
			return out.version == s.version, s
		}
		return true, s
	case "archive":
		if out.known != (s.exists && !s.archived) {
			return false, s
		}
		s.archived = s.archived || out.known
		return true, s
	case "restore":
		if out.known != (s.exists && s.archived) {
			return false, s
		}
		s.archived = false
		return true, s
	}
	if out.known != s.exists { // erase
		return false, s
	}
	return true, register{}
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

// TestLinearizable records what 6 goroutines did to 3 memories, with sealings in between, and asks a checker whether
// there is an order of these operations, each between its call and its return, that explains every answer.
func TestLinearizable(t *testing.T) {
	const seed, clients, rounds = 41, 6, 60
	w := newWorld(t, engram.Options{})
	s := w.def()
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for n := range rounds {
				ops := []string{"get", "get", "get", "remember", "update", "update", "archive", "restore", "erase"}
				in := call{
					op: ops[rng.IntN(len(ops))], id: fmt.Sprint("m", rng.IntN(3)), content: fmt.Sprintf("client %d says %d", c, n),
				}
				called := time.Since(start).Nanoseconds()
				out, err := perform(t, s, in)
				returned := time.Since(start).Nanoseconds()
				if err != nil {
					t.Errorf("%+v = %v", in, err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{
					ClientId: c, Input: in, Output: out, Call: called, Return: returned,
				})
				mu.Unlock()
				if n%20 == 10 && c == 0 {
					if err := s.Seal(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if !porcupine.CheckOperations(memoryModel(), history) {
		t.Errorf("seed %d: no order explains the %d operations", seed, len(history))
	}
	// The checker must be able to say no: an answer that was never right.
	for i, op := range history {
		if in := op.Input.(call); in.op == "get" && op.Output.(reply).known {
			wrong := op
			wrong.Output = reply{known: true, content: "nobody ever wrote this", version: 1, active: true}
			history[i] = wrong
			break
		}
	}
	if porcupine.CheckOperations(memoryModel(), history) {
		t.Errorf("seed %d: an answer that nobody ever wrote is explained", seed)
	}
}
