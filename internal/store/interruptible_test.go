package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// interruptible has run, which writes a segment of much content anew, ended by its pace at every step: nothing has
// changed, no file is left over, and the next one does it all. run says whether all is done, or with an error whether
// anything is.
func interruptible(
	t *testing.T, erased []string, run func(ctx context.Context, s *store.Space, pace func(int) error) (bool, error),
) {
	t.Helper()
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	big := strings.Repeat("much ", 20_000)
	for i := range 8 {
		a := b.put(fmt.Sprint("m", i))
		a.version.Record.Content += big
		b.do(t, s, a)
	}
	mustSeal(t, s)
	for _, id := range erased {
		b.do(t, s, action{kind: "erase", id: id})
		mustSeal(t, s)
	}
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		done, err := run(ctx, s, func(int) error {
			if calls++; calls == n {
				cancel()
				return ctx.Err()
			}
			return nil
		})
		cancel()
		b.holds(t, "interrupted", s)
		if err == nil {
			if n < 3 || !done {
				t.Errorf("interrupted at step %d it ends without an error, done: %v", n, done)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || done {
			t.Fatalf("interrupted at step %d: %v, done: %v, want it cancelled", n, err, done)
		}
	}
	for _, name := range fsys.Files() {
		if filepath.Ext(name) == ".tmp" {
			t.Errorf("%s is left over", name)
		}
	}
	mustClose(t, s)
}

func TestCompactionIsInterruptible(t *testing.T) {
	interruptible(t, []string{"m3"}, func(ctx context.Context, s *store.Space, pace func(int) error) (bool, error) {
		report, err := s.Compact(ctx, store.CompactOptions{Pace: pace})
		if err != nil {
			return report.Written > 0, err
		}
		return report.Dropped == 1, nil
	})
}

func TestMoveIsInterruptible(t *testing.T) {
	interruptible(t, nil, func(ctx context.Context, s *store.Space, pace func(int) error) (bool, error) {
		o := toCold
		o.Pace = pace
		report, err := s.Move(ctx, o)
		if err != nil {
			return report.Written > 0 || s.Stats().Cold > 0, err
		}
		return report.Cooled == 1, nil
	})
}
