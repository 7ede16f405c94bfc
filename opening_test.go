package engram_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestDamagedDefaultSpace damages what the default space cannot be opened without: the directory opens, the other
// spaces serve, every call on the default space says what is wrong, and when the file is put right it works without
// reopening.
func TestDamagedDefaultSpace(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "d", Content: "in the default space"})
	remember(t, w.space("other"), engram.Draft{ID: "x", Content: "one"})
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	flip := func() {
		for _, path := range files(t, w.fs, dataSpace, "") {
			if strings.HasPrefix(strings.TrimPrefix(path, dataSpace+"/"), "MANIFEST") {
				edit(t, w.fs, path, func(b []byte) { b[70] ^= 1; b[4096+70] ^= 1 })
			}
		}
	}
	flip()
	w.open()
	want(t, "the other space", recall(t, w.space("other"), engram.Cue{Text: "one"}), []string{"x"})
	remember(t, w.space("new"), engram.Draft{ID: "y", Content: "two"})
	_, err := w.def().Get(t.Context(), "d")
	if corrupt, ok := errors.AsType[*engram.CorruptError](err); !ok || !strings.HasPrefix(corrupt.Path, dataSpace) {
		t.Errorf("Get in the default space = %v, want its damage", err)
	}
	if _, err := w.def().Remember(t.Context(), engram.Draft{Content: "more"}); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Remember in the default space = %v, want its damage", err)
	}
	if err := w.db.Ready(); !errors.Is(err, engram.ErrCorrupt) || !strings.Contains(err.Error(), "default") {
		t.Errorf("Ready = %v, want the damage of the default space", err)
	}
	flip()
	if m, err := w.def().Get(t.Context(), "d"); err != nil || m.Content != "in the default space" {
		t.Errorf("Get once the file is right = %+v, %v", m, err)
	}
	if err := w.db.Ready(); err != nil {
		t.Errorf("Ready once the file is right = %v", err)
	}
}

// TestOpeningOutlivesItsCaller lets a call give up on a space that is slow to open: the call ends with its context, the
// opening goes on, and the space is there for the next one.
func TestOpeningOutlivesItsCaller(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.space("other"), engram.Draft{ID: "x", Content: "one"})
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	fault := vfs.NewFault(w.fs)
	reading, release := make(chan struct{}), make(chan struct{})
	hold := true
	fault.Inject = func(op vfs.Op) error {
		if hold && op.Kind == vfs.OpOpen && strings.Contains(op.Name, "space-other") {
			hold = false
			close(reading)
			<-release
		}
		return nil
	}
	db, err := w.o.On(fault).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 { // the one that opens, and one that waits for it
		go func() {
			_, err := s.Get(ctx, "x")
			ended <- err
		}()
	}
	<-reading
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Get with a context that ended = %v", err)
		}
	}
	close(release)
	if m, err := s.Get(t.Context(), "x"); err != nil || m.Content != "one" {
		t.Errorf("Get afterwards = %+v, %v", m, err)
	}
	if err := db.Close(); err != nil { // it waits for references: none was left behind
		t.Errorf("Close = %v", err)
	}
	w.open()
}

// TestNoPermissionSaysWhy: who may not write to a directory is told that reading needs it, too.
func TestNoPermissionSaysWhy(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	fault.FailKindAt(vfs.OpLock, 0, fs.ErrPermission)
	_, err := engram.Options{}.On(fault).Open("/data")
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "allowed to write") {
		t.Errorf("Open = %v", err)
	}
}
