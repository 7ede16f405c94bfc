package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// TestModel: the first name that is written is the space's for good, through restart and sealing; a failing write names
// nothing.
func TestModel(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	name := func(model string, then error) error {
		return s.Write(context.Background(), "name", nil, func(tx *store.Tx) error {
			return errors.Join(tx.NameModel(model), then)
		})
	}
	want := func(when, model string) {
		t.Helper()
		if got := s.View().Model; got != model {
			t.Errorf("%s: the model is %q, want %q", when, got, model)
		}
	}
	stop := errors.New("stop")
	if err := name("lost", stop); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	want("after a write that failed", "")
	if err := name("first", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want("after the name was written", "first")
		err := name("second", nil)
		if wrong, ok := errors.AsType[*store.ModelError](err); !ok || wrong.Got != "second" || wrong.Want != "first" {
			t.Errorf("a second name = %v, want a ModelError with both", err)
		}
		if err := errors.Join(name("first", nil), name("", nil)); err != nil {
			t.Errorf("the same name, or none = %v", err)
		}
		mustClose(t, s)
		s = mustOpen(t, fsys) // from the log, then from the manifest
		want("after a restart", "first")
		err = write(s, []action{{kind: "put", version: version{Record: store.Record{ID: "a", Version: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		mustSeal(t, s)
	}
	mustClose(t, s)
}

// TestManifestWithoutModel: version 1, which has no model, is still read.
func TestManifestWithoutModel(t *testing.T) {
	fsys := newFS(t)
	mustClose(t, mustOpen(t, fsys))
	f, err := fsys.Open(manifestPath, true)
	if err != nil {
		t.Fatal(err)
	}
	old := framed("MF", 1, 0, 0, unhex(t,
		"08000000 00 0000000000000000 0100000000000000 0000000000000000 0000000000000000 00"))
	if _, err := f.WriteAt(old, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(int64(len(old))), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, fsys)
	if v := s.View(); v.Dim != 8 || v.Model != "" {
		t.Errorf("version 1 gives dimension %d and model %q", v.Dim, v.Model)
	}
	mustClose(t, s)
}
