package store_test

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestLeftoversStayBesideDamage puts a segment that the manifest does not name beside a damaged row: it stays, since it
// may be what a repair needs, and goes when nothing is damaged any more.
func TestLeftoversStayBesideDamage(t *testing.T) {
	t.Parallel()
	fsys, b, rows := scarred(t)
	left := filepath.Join(spaceDir, "00000000000000ff.seg")
	bytes, err := fsys.Bytes(rows[0].path)
	if err != nil {
		t.Fatal(err)
	}
	if err := fsys.SetBytes(left, bytes); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []bool{true, false} {
		if err := fsys.Corrupt(rows[0].path, rows[0].places["body"], 1); err != nil { // the second time it is put right
			t.Fatal(err)
		}
		s := mustOpen(t, fsys)
		if there := slices.Contains(fsys.Files(), left); there != damaged {
			t.Errorf("damaged: %t, the leftover is there: %t", damaged, there)
		}
		if !damaged {
			b.holds(t, "put right again", s)
		}
		mustClose(t, s)
	}
}
