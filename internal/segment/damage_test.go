package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// unit is a part of a file that is verified as one.
type unit struct {
	name     string
	from, to int
	row      int  // the row it belongs to; -1 for the whole file
	body     bool // Read of the row needs it
	vector   bool // Vector of the row, and its place in its group, need it
	codes    bool // its place among the codes needs it
	line     bool // everything of the row needs it
	unused   bool
	mended   bool // a copy makes up for it, and Mended tells so once all was verified
	copy     int  // where the copy of it is; 0 if there is none
	nth      int  // the number of the row's vector
}

// alone is a unit that is damaged while its copy is whole.
func (u unit) alone() unit {
	if u.copy > 0 {
		u.mended, u.line, u.vector, u.codes = true, false, false, false
	}
	return u
}

// parts lists every byte of a file of samples with vectors of dim floats, by docs/format/segment.md.
func parts(dim int, samples []sample, file []byte) []unit {
	units := []unit{
		{name: "header", from: 0, to: 64, row: -1, mended: true},
		{name: "summary", from: 64, to: 128, row: -1, mended: true},
	}
	at := 128
	add := func(u unit, size int) {
		u.from, u.to = at, at+size
		at += size
		units = append(units, u)
	}
	for i := range samples {
		add(unit{name: "line", row: i, line: true}, 64)
	}
	stride := (dim*4 + 63) / 64 * 64
	var owners []int
	for i, s := range samples {
		if s.vector != nil && !s.void {
			owners = append(owners, i)
		}
	}
	for n, i := range owners {
		add(unit{name: "block", row: i, vector: true, codes: true, nth: n}, 32)
	}
	add(unit{name: "padding", row: -1, unused: true}, (4096-at%4096)%4096)
	for n, i := range owners {
		add(unit{name: "codes", row: i, mended: true, nth: n}, (dim+63)/64*64)
	}
	for n, i := range owners {
		add(unit{name: "vector", row: i, vector: true, nth: n}, stride)
	}
	for i, s := range samples {
		if !s.void {
			if n := int(binary.LittleEndian.Uint32(file[128+64*i+24:])); n > 8 { // else it is in the line
				add(unit{name: "body", row: i, body: true}, n)
			}
		}
	}
	add(unit{name: "padding", row: -1, unused: true}, (4096-at%4096)%4096)
	for i, u := range slices.Clone(units) {
		switch u.name {
		case "header", "summary":
			add(unit{name: "copy of the " + u.name, row: -1, mended: true}, 64)
		case "line", "block":
			units[i].copy = at
			add(unit{name: "copy of the " + u.name, row: -1, mended: true}, u.to-u.from)
		}
	}
	return units
}

// refused checks that err is damage that names the file and the place of the unit.
func refused(path string, u unit, err error) error {
	var corrupt *codec.CorruptError
	switch {
	case !errors.As(err, &corrupt):
		return fmt.Errorf("got %w, want a *codec.CorruptError", err)
	case corrupt.Path != path || corrupt.Offset < 0:
		return fmt.Errorf("error names %s at %d, want %s and an offset", corrupt.Path, corrupt.Offset, path)
	case u.row >= 0 && (int(corrupt.Offset) < u.from&^63 && !u.vector || int(corrupt.Offset) >= u.to):
		return fmt.Errorf("error names offset %d, damaged is %s at %d to %d", corrupt.Offset, u.name, u.from, u.to)
	}
	return nil
}

// compare reads everything of w, in which only u is damaged. It returns the first thing that is not as it must be.
func compare(w *segment.Sealed, u unit, samples []sample) error {
	judge := func(what string, hit bool, err error, same bool) error {
		switch {
		case hit && err == nil:
			return fmt.Errorf("%s is not refused", what)
		case hit:
			if err := refused(w.Path(), u, err); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		case err != nil:
			return fmt.Errorf("%s is refused: %w", what, err)
		case !same:
			return fmt.Errorf("%s is wrong", what)
		}
		return nil
	}
	for i, s := range samples {
		slot := uint32(i)
		row, err := w.Row(slot)
		own := u.row == i
		same := row.Void == s.void && (s.void || row.Identity == identity(i) && row.IDHash == hash(i))
		if err := judge(fmt.Sprintf("Row(%d)", i), own && u.line, err, same); err != nil {
			return err
		}
		if s.void {
			continue
		}
		var body []byte
		err = w.Read(slot, func(b []byte) error { body = bytes.Clone(b); return nil })
		err = judge(fmt.Sprintf("Read(%d)", i), own && (u.line || u.body), err, string(body) == s.body)
		if err != nil {
			return err
		}
		v, err := w.Vector(slot)
		hit := own && (u.line || u.vector && s.vector != nil)
		if err := judge(fmt.Sprintf("Vector(%d)", i), hit, err, sameVector(v, s.vector)); err != nil {
			return err
		}
	}
	var scratch []byte
	group, err := w.Group(0, &scratch)
	if err := judge("Group(0)", u.vector, err, bad(u.vector, u.nth) == group.Bad); err != nil {
		return err
	}
	codes, err := w.Codes(0, &scratch)
	if err := codesOf(codes, samples); err != nil {
		return err
	}
	if err := judge("Codes(0)", u.codes, err, bad(u.codes, u.nth) == codes.Bad); err != nil {
		return err
	}
	if len(group.Slots) != 2 || len(codes.Slots) != 2 || group.Bad != bad(u.vector, u.nth) ||
		codes.Bad != bad(u.codes, u.nth) {
		return fmt.Errorf("groups of %d and %d vectors, of which %b and %b are bad", len(group.Slots), len(codes.Slots),
			group.Bad, codes.Bad)
	}
	problems := 0
	if _, err := w.Verify(nil, func(error) { problems++ }); err != nil {
		return fmt.Errorf("Verify = %w", err)
	}
	if (problems > 0) == u.unused || problems > 1 {
		return fmt.Errorf("Verify finds %d problems", problems)
	}
	return nil
}

// codesOf holds codes, but for bad ones, to those of the vectors.
func codesOf(codes segment.Codes, samples []sample) error {
	for i, slot := range codes.Slots {
		if codes.Bad>>i&1 != 0 {
			continue
		}
		want := make([]int8, vec.CodeLen(len(samples[slot].vector)))
		scale, residual := vec.Quantize(samples[slot].vector, want)
		if got := codes.Codes[i*len(want) : (i+1)*len(want)]; !slices.Equal(got, want) || codes.Scale[i] != scale ||
			codes.Residual[i] != residual {
			return fmt.Errorf("the codes of row %d are not those of its vector", slot)
		}
	}
	return nil
}

// bad is the mask in which only vector n is bad, if it is.
func bad(is bool, n int) uint64 {
	if !is {
		return 0
	}
	return 1 << n
}

// TestEveryFlippedBit flips every bit of a file: every read gives the right bytes or says what is damaged where, and
// only what the bit belongs to is refused: of header, summary, lines and blocks nothing, as there are two, unless it is
// flipped in both. Padding is the only part that may change unseen.
func TestEveryFlippedBit(t *testing.T) {
	for _, tier := range tiers {
		t.Run(tier.String(), func(t *testing.T) { flipEveryBit(t, tier) })
	}
}

func flipEveryBit(t *testing.T, tier segment.Tier) {
	const dim = 9
	samples := samplesOf(dim)
	fsys := newFS(t)
	f, size := sealedIn(t, fsys, tier, samples)
	whole, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	end := 0
	for _, u := range parts(dim, samples, whole) {
		if u.from != end {
			t.Fatalf("%s begins at %d, the part before ends at %d", u.name, u.from, end)
		}
		end = u.to
		for off := u.from; off < u.to; off++ {
			bits := 8
			if u.unused {
				bits = 1
			}
			for bit := range bits {
				flipped := bytes.Clone(whole)
				flipped[off] ^= 1 << bit
				try := func(u unit) {
					t.Helper()
					if err := fsys.SetBytes(f.Path(), flipped); err != nil {
						t.Fatal(err)
					}
					if err := openAndCompare(f, size, u, samples); err != nil {
						t.Errorf("bit %d of byte %d (%s of row %d): %v", bit, off, u.name, u.row, err)
					}
				}
				try(u.alone())
				if u.copy > 0 {
					flipped[u.copy+off-u.from] ^= 1 << bit
					try(u)
				}
			}
		}
	}
	if end != len(whole) {
		t.Errorf("parts end at %d, the file at %d", end, len(whole))
	}
}

func openAndCompare(f segment.File, size int64, u unit, samples []sample) error {
	w, err := segment.Open(f, size)
	if err != nil {
		return fmt.Errorf("Open refuses it: %w", err)
	}
	err = compare(w, u, samples)
	if n := len(w.Mended()); u.mended != (n == 1) || n > 1 {
		err = errors.Join(err, fmt.Errorf("Mended tells of %v", w.Mended()))
	}
	return errors.Join(err, w.Close())
}

// TestEveryTruncation cuts a file off at every byte, and makes it longer. It is refused where lines are missing, and
// else what is still there is read, and the rest refused.
func TestEveryTruncation(t *testing.T) {
	for _, tier := range tiers {
		const dim = 9
		samples := samplesOf(dim)
		fsys := newFS(t)
		f, size := sealedIn(t, fsys, tier, samples)
		whole, err := fsys.Bytes(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		units := parts(dim, samples, whole)
		lines := 128 + 64*len(samples)
		for n := range len(whole) {
			if n > 600 && n%64 != 0 && len(bytes.Trim(whole[n-64:min(n+64, len(whole))], "\x00")) == 0 {
				continue // in the padding one length is like another
			}
			if err := fsys.SetBytes(f.Path(), whole[:n]); err != nil {
				t.Fatal(err)
			}
			if _, err := segment.Open(f, int64(n)); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("%v: Open of %d bytes as that = %v, want damage", tier, n, err)
			}
			if n < lines {
				if _, err := segment.Open(f, size); !errors.Is(err, codec.ErrCorrupt) {
					t.Errorf("%v: Open of %d bytes as %d = %v, want damage", tier, n, size, err)
				}
				continue
			}
			if err := readShort(f, size, n, units, samples); err != nil {
				t.Errorf("%v: cut off at byte %d of %d: %v", tier, n, size, err)
			}
		}
		if err := fsys.SetBytes(f.Path(), append(whole, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := segment.Open(f, size+1); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("%v: Open with a byte too many as %d = %v, want damage", tier, size+1, err)
		}
		if err := readShort(f, size, len(whole)+1, units, samples); err != nil {
			t.Errorf("%v: a byte too many: %v", tier, err)
		}
	}
}

// readShort reads all of a file that is to have size bytes and has n: what is cut off is refused, and nothing else.
func readShort(f segment.File, size int64, n int, units []unit, samples []sample) error {
	w, err := segment.Open(f, size)
	if err != nil {
		return fmt.Errorf("Open = %w", err)
	}
	defer w.Close() //nolint:errcheck // a test's
	if len(w.Mended()) == 0 {
		return errors.New("Mended tells of nothing")
	}
	gone := func(row int, is func(u unit) bool) bool {
		return slices.ContainsFunc(units, func(u unit) bool {
			return u.row == row && u.to > u.from && u.to > n && is(u)
		})
	}
	for i, s := range samples {
		row, err := w.Row(uint32(i))
		if err != nil || row.Void != s.void || !s.void && row.IDHash != hash(i) {
			return fmt.Errorf("Row(%d) = %+v, %w", i, row, err)
		}
		if s.void {
			continue
		}
		var body []byte
		err = w.Read(uint32(i), func(b []byte) error { body = bytes.Clone(b); return nil })
		if want := gone(i, func(u unit) bool { return u.body }); errors.Is(err, codec.ErrCorrupt) != want ||
			err == nil && string(body) != s.body {
			return fmt.Errorf("Read(%d) = %q, %w, want it refused: %v", i, body, err, want)
		}
		v, err := w.Vector(uint32(i))
		if want := gone(i, func(u unit) bool { return u.vector }); errors.Is(err, codec.ErrCorrupt) != want ||
			err == nil && !sameVector(v, s.vector) {
			return fmt.Errorf("Vector(%d) = %v, %w, want it refused: %v", i, v, err, want)
		}
	}
	problems := 0
	if _, err := w.Verify(nil, func(error) { problems++ }); err != nil || problems == 0 {
		return fmt.Errorf("Verify finds %d problems, %w", problems, err)
	}
	return nil
}

// TestSwappedParts puts whole, valid parts in the place of others.
func TestSwappedParts(t *testing.T) {
	for _, tier := range tiers {
		for _, name := range []string{"line", "block", "codes", "vector", "body"} {
			t.Run(fmt.Sprint(tier, " ", name), func(t *testing.T) { swapParts(t, tier, name) })
		}
	}
}

func swapParts(t *testing.T, tier segment.Tier, name string) {
	const dim = 9
	samples := []sample{
		{body: strings.Repeat("one ", 30), vector: vectorOf(dim, 1)},
		{body: strings.Repeat("two ", 30), vector: vectorOf(dim, 2)},
		{body: "six"},
	}
	fsys := newFS(t)
	f, size := sealedIn(t, fsys, tier, samples)
	b, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	var two []unit
	for _, u := range parts(dim, samples, b) {
		if u.name == name && len(two) < 2 {
			two = append(two, u)
		}
	}
	swap := func(at, other, n int) {
		first := bytes.Clone(b[at : at+n])
		copy(b[at:], b[other:other+n])
		copy(b[other:], first)
	}
	n := two[0].to - two[0].from
	if other := two[1].to - two[1].from; other != n {
		t.Fatalf("the second is %d bytes long, the first %d", other, n)
	}
	swap(two[0].from, two[1].from, n)
	if two[0].copy > 0 {
		swap(two[0].copy, two[1].copy, n)
	}
	if err := fsys.SetBytes(f.Path(), b); err != nil {
		t.Fatal(err)
	}
	w := opened(t, f, size)
	for slot := range uint32(2) {
		err := w.Read(slot, func([]byte) error { return nil })
		if want := name == "line" || name == "body"; errors.Is(err, codec.ErrCorrupt) != want {
			t.Errorf("Read(%d) = %v, want damage %v", slot, err, want)
		}
		_, err = w.Vector(slot)
		if want := name != "body" && name != "codes"; errors.Is(err, codec.ErrCorrupt) != want {
			t.Errorf("Vector(%d) = %v, want damage %v", slot, err, want)
		}
	}
	if err := w.Read(2, func([]byte) error { return nil }); err != nil {
		t.Errorf("Read(2) = %v", err)
	}
	codes, err := w.Codes(0, new([]byte))
	want := bad(name == "block", 0) * 3
	if codes.Bad != want || errors.Is(err, codec.ErrCorrupt) != (want > 0) {
		t.Errorf("Codes = %b bad, %v, want %b", codes.Bad, err, want)
	}
	problems := 0
	if _, err := w.Verify(nil, func(error) { problems++ }); err != nil || problems == 0 {
		t.Errorf("Verify finds %d problems, %v", problems, err)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	fsys := newFS(t)
	f, size := sealed(t, fsys, samplesOf(8))
	b, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	number, store := f, f
	number.Number = 6
	store.Store[0]++
	if err := fsys.SetBytes(number.Path(), b); err != nil {
		t.Fatal(err)
	}
	for what, file := range map[string]segment.File{"another number": number, "another store": store} {
		if _, err := segment.Open(file, size); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("Open of a file of %s = %v, want damage", what, err)
		}
	}
	missing := f
	missing.Number = 77
	if _, err := segment.Open(missing, size); !errors.Is(err, codec.ErrCorrupt) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a missing file = %v, want damage", err)
	}
	// A version that this program does not know is named, not called damage.
	h := codec.Header{Kind: segment.Kind, Version: segment.FormatVersion + 1, Store: storeID, Number: 5}
	copy(b, codec.AppendHeader(nil, h))
	if err := fsys.SetBytes(f.Path(), b); err != nil {
		t.Fatal(err)
	}
	var format *codec.FormatError
	_, err = segment.Open(f, size)
	if !errors.As(err, &format) || format.Path != f.Path() || format.Found != segment.FormatVersion+1 {
		t.Errorf("Open of a newer version = %v, want a *codec.FormatError with path and version", err)
	}
	// What the file system refuses is no damage.
	fault := vfs.NewFault(fsys)
	fault.FailAt(0, errors.New("too many open files"))
	f.FS = fault
	if _, err := segment.Open(f, size); err == nil || errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Open without descriptors = %v, want a plain error", err)
	}
}

// TestBuildIsAllOrNothing fails every operation of a sealing: nothing stands under the name, and the next try works.
func TestBuildIsAllOrNothing(t *testing.T) {
	samples := samplesOf(8)
	for _, tier := range tiers {
		for n := 0; ; n++ {
			mem := newFS(t)
			fault := vfs.NewFault(mem)
			fault.FailAt(n, errors.New("injected"))
			f := segment.File{FS: fault, Dir: dir, Store: storeID, Number: 5}
			plan := segment.Plan{Sources: []segment.Source{fill(0, samples)}, Tier: tier}
			built, err := segment.Build(f, plan)
			if err == nil {
				if fault.Ops() > n {
					continue // an operation that may fail
				}
				// What was sealed survives a power cut that keeps nothing unsynced.
				f.FS = mem.CrashClone(0, vfs.LoseAll)
				check(t, opened(t, f, built.SizeBytes), samples)
				break
			}
			if files := mem.Files(); len(files) > 0 {
				t.Errorf("operation %d failed, %v are left", n, files)
			}
			built, err = segment.Build(f, plan)
			if err != nil {
				t.Fatalf("Build again after operation %d failed = %v", n, err)
			}
			check(t, opened(t, f, built.SizeBytes), samples)
		}
	}
}
