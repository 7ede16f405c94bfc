package segment_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/segment"
)

// TestPartsOfAnotherSegment puts each part of one segment where the same part of another one is, as a disk that writes
// to the wrong place does: whole as they are, they are refused as parts of a file that they were not made for.
func TestPartsOfAnotherSegment(t *testing.T) {
	const dim = 9
	samples, others := samplesOf(dim), samplesOf(dim)
	for i := range others {
		others[i].body = strings.ToUpper(others[i].body)
		if others[i].vector != nil {
			others[i].vector = vectorOf(dim, 10+i)
		}
	}
	fsys := newFS(t)
	f, size := sealed(t, fsys, samples)
	whole, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	other := f
	other.Number++
	if _, err := segment.Seal(other, fill(0, others)); err != nil {
		t.Fatal(err)
	}
	from, err := fsys.Bytes(other.Path())
	if err != nil || len(from) != len(whole) {
		t.Fatalf("the other segment has %d bytes, this one %d, %v", len(from), len(whole), err)
	}
	moved := 0
	for _, u := range parts(dim, samples, whole) {
		if bytes.Equal(whole[u.from:u.to], from[u.from:u.to]) {
			continue // nothing is written wrong
		}
		moved++
		mixed := bytes.Clone(whole)
		try := func(u unit) {
			t.Helper()
			if err := fsys.SetBytes(f.Path(), mixed); err != nil {
				t.Fatal(err)
			}
			if err := openAndCompare(f, size, u, samples); err != nil {
				t.Errorf("%s of row %d at %d: %v", u.name, u.row, u.from, err)
			}
		}
		copy(mixed[u.from:u.to], from[u.from:u.to])
		try(u.alone())
		if u.copy > 0 {
			copy(mixed[u.copy:], from[u.copy:u.copy+u.to-u.from])
			try(u)
		}
	}
	if moved < 12 {
		t.Errorf("only %d parts were moved", moved)
	}
}
