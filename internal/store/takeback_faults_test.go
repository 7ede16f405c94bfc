//go:build faults

package store_test

import (
	"errors"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// TestTakingBackFailsAlone has a write refused, and a panic while what it staged is taken back: nothing follows it,
// since that might go by what is not in the log; what was acknowledged is there, now and opened again.
func TestTakingBackFailsAlone(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("kept"))
	put, armed := b.put("refused"), false
	undo := isolate.OnPoint(func(name string) error {
		if armed && name == "isolate/column" {
			armed = false
			panic("taking back")
		}
		return nil
	})
	defer undo()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nothing panicked")
			}
		}()
		_ = s.Write(t.Context(), "refused", nil, func(tx *store.Tx) error {
			if err := put.stage(s, tx); err != nil {
				t.Error(err)
			}
			armed = true
			return errors.New("refused")
		})
	}()
	if armed {
		t.Fatal("taking back changed no column")
	}
	if err := write(s, []action{b.put("later")}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("the next write = %v, want ErrReadOnly", err)
	}
	if _, ok, err := s.View().Lookup("kept"); err != nil || !ok {
		t.Errorf("read-only, Lookup = %v, %v", ok, err)
	}
	if _, ok, err := s.View().Lookup("refused"); err != nil || ok {
		t.Errorf("read-only, Lookup of what was refused = %v, %v", ok, err)
	}
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "opened again", s)
	b.do(t, s, b.put("after"))
	b.holds(t, "written to again", s)
	mustClose(t, s)
}
