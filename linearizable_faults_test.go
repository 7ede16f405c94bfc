//go:build faults

package engram_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

// TestLinearizableThroughPanics is TestLinearizable while steps of write paths panic, fail, or end their goroutine, of
// writes as of sealings, compactions and openings.
func TestLinearizableThroughPanics(t *testing.T) {
	injected := errors.New("injected")
	count := map[string]int{}
	for _, clients := range linearClients {
		for _, seed := range linearSeeds(t) {
			h := newHistory(t, seed)
			h.fails = true
			undo := isolate.OnPoint(func(string) error {
				if !h.armed.Load() || !h.chance(40) {
					return nil
				}
				switch {
				case h.chance(3):
					h.note("errors")
					return injected
				case h.chance(4):
					h.note("ended goroutines")
					runtime.Goexit()
				}
				h.note("panics")
				panic(injected)
			})
			h.run(clients, 160/clients+10)
			undo()
			h.explained()
			for what, n := range h.count {
				count[what] += n
			}
		}
	}
	happened(t, count, "panics", "errors", "ended goroutines", "failed", "in doubt", "reopened", "wrong answers tried")
}
