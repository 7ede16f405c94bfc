package segment_test

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestShrunkFileIsDamage cuts a mapped file off: reading behind the end, which is a signal to the process, is that
// read's error; what is left is read as before.
func TestShrunkFileIsDamage(t *testing.T) {
	f := segment.File{FS: vfs.OS{}, Dir: t.TempDir(), Store: storeID, Number: 5}
	h := segment.NewHot(768)
	h.Add(identity(0), hash(0), []byte("head"), nil)
	h.Add(identity(1), hash(1), bytes.Repeat([]byte("x"), 64<<10), vectorOf(768, 1))
	size, err := segment.Seal(f, h)
	if err != nil {
		t.Fatal(err)
	}
	w := opened(t, f, size)
	if err := os.Truncate(f.Path(), 4096); err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, err error) {
		t.Helper()
		var corrupt *codec.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Path != f.Path() || corrupt.Offset < 4096 {
			t.Errorf("%s of a shrunk file = %v, want damage with path and offset", what, err)
		}
	}
	damaged("Read", w.Read(1, func([]byte) error { return nil }))
	_, err = w.Vector(1)
	damaged("Vector", err)
	_, err = w.Group(0, nil)
	damaged("Group", err)
	problems := 0
	if _, err := w.Verify(nil, func(err error) { problems++; damaged("Verify", err) }); err != nil || problems == 0 {
		t.Errorf("Verify = %d problems, %v", problems, err)
	}
	if row, err := w.Row(1); err != nil || row.IDHash != hash(1) {
		t.Errorf("Row(1), whose line is still there, = %+v, %v", row, err)
	}
	again := opened(t, f, size)
	damaged("Read after opening it again", again.Read(1, func([]byte) error { return nil }))
	if row, err := again.Row(1); err != nil || row.IDHash != hash(1) {
		t.Errorf("Row(1), whose line is still there, = %+v, %v", row, err)
	}
}

// TestUnreadablePageOfLines has a page of a mapped file that cannot be read, as of a disk that does not deliver it: its
// lines are read from their copy, and the damage is told.
func TestUnreadablePageOfLines(t *testing.T) {
	f := segment.File{FS: vfs.OS{}, Dir: t.TempDir(), Store: storeID, Number: 5}
	samples := remarks(300, 8)
	size, err := segment.Seal(f, fill(0, samples))
	if err != nil {
		t.Fatal(err)
	}
	w := opened(t, f, size)
	page := w.Mapped()[4096:8192]
	if err := syscall.Mprotect(page, syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	check(t, w, samples)
	var corrupt *codec.CorruptError
	if told := w.Mended(); len(told) != 1 || !errors.As(told[0], &corrupt) || corrupt.Offset/4096 != 1 {
		t.Errorf("Mended = %v, want the page at 4096", told)
	}
}
