package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// TestKeysLapse: a space knows the newest 65,536 idempotency keys, the same ones before and after sealing and opening.
// A write that fails lets none lapse.
func TestKeysLapse(t *testing.T) {
	const most, more = 1 << 16, 3
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	put := func(from, to int, err error) error {
		return s.Write(context.Background(), "test", nil, func(tx *store.Tx) error {
			for i := from; i < to; i++ {
				err := tx.PutKey(store.Key{
					Name: fmt.Sprint("k", i), ID: fmt.Sprint("m", i), Result: "created", Version: 1,
				})
				if err != nil {
					return err
				}
			}
			return err
		})
	}
	if err := put(0, most, nil); err != nil {
		t.Fatal(err)
	}
	if err := put(most, most+more, context.Canceled); err == nil {
		t.Fatal("the write that was to fail did not")
	}
	known := func(stage string, lapsed int) {
		t.Helper()
		for i := range 2 * more {
			if _, ok := s.View().Key(fmt.Sprint("k", i)); ok != (i >= lapsed) {
				t.Errorf("%s: key %d is known: %v, want %v", stage, i, ok, i >= lapsed)
			}
		}
		if n := len(s.View().Keys()); n > most {
			t.Errorf("%s: %d keys, want at most %d", stage, n, most)
		}
	}
	known("full", 0)
	if err := put(most+more, most+2*more, nil); err != nil {
		t.Fatal(err)
	}
	lapsed := 2 * more // the places of the write that failed count
	known("beyond", lapsed)
	for _, stage := range []string{"opened", "sealed and opened"} {
		if stage != "opened" {
			mustSeal(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, fsys)
		if _, ok := s.View().Key(fmt.Sprint("k", most+2*more-1)); !ok {
			t.Errorf("%s: the newest key is gone", stage)
		}
		if n := len(s.View().Keys()); n > most {
			t.Errorf("%s: %d keys, want at most %d", stage, n, most)
		}
	}
}
