package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

var manifestPath = filepath.Join(spaceDir, "MANIFEST")

// statePath finds the one state file.
func statePath(t *testing.T, fsys *vfs.Mem) string {
	t.Helper()
	var found []string
	for _, name := range fsys.Files() {
		if strings.HasSuffix(name, ".state") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("state files are %v, want one", found)
	}
	return found[0]
}

// framed is a manifest or state file around body, by docs/format/manifest.md.
func framed(kind string, version uint32, number, position uint64, body []byte) []byte {
	h := append([]byte("ENGRAM"+kind), binary.LittleEndian.AppendUint32(nil, version)...)
	h = append(binary.LittleEndian.AppendUint32(h, 64), storeID[:]...)
	h = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(h, number), position)
	h = append(h, make([]byte, 12)...)
	table := crc32.MakeTable(crc32.Castagnoli)
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, table))
	rest := append(binary.LittleEndian.AppendUint64(nil, uint64(len(body))), body...)
	seed := crc32.Update(0, table, binary.LittleEndian.AppendUint64(bytes.Clone(storeID[:]), number))
	return append(append(h, rest...), binary.LittleEndian.AppendUint32(nil, crc32.Update(seed, table, rest))...)
}

// twice is a file that holds one of at most a page two times.
func twice(one []byte) []byte {
	return append(append(bytes.Clone(one), make([]byte, 4096-len(one))...), one...)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenFiles writes one small space and compares its manifest and state file, byte by byte, with what
// docs/format says they are.
func TestGoldenFiles(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	empty, err := fsys.Bytes(manifestPath)
	if err != nil {
		t.Fatal(err)
	}
	// dimension, metric, position, next file, state number and size, no segments, no model; generation that serves,
	// generations begun, none being built, no vectors apart
	want := twice(framed("MF", 5, 0, 0, unhex(t, "00000000 00 0000000000000000 0100000000000000"+
		"0000000000000000 0000000000000000 00 00 00000000 00000000 00 00")))
	if !bytes.Equal(empty, want) {
		t.Errorf("manifest of an empty space\n% x, want\n% x", empty, want)
	}
	none := store.Time{Nanos: store.NoTime}
	put := func(id string, v uint32) action {
		return action{kind: "put", version: version{Record: store.Record{
			ID: id, Version: v, OccurredAt: none, ValidFrom: none, ValidUntil: none, ExpiresAt: none, CreatedAt: none,
			UpdatedAt: none,
		}, Vector: []float32{1, 0, 0, 0, 0, 0, 0, 0}}}
	}
	for _, a := range []action{ // positions 1 to 10, rows 0 to 4
		{kind: "put", version: put("a", 1).version, model: "m1"},
		put("b", 1), put("c", 1), put("d", 1), put("a", 2),
		{kind: "erase", id: "b"},
		{kind: "supersede", id: "c", other: "d", at: 0x0102},
		{kind: "link", id: "a", other: "d", linkType: "t", weight: 1},
		{kind: "key", key: store.Key{Name: "k", Fingerprint: 0x0a0b, ID: "a", Result: "r", Version: 3}},
		{kind: "absent", id: "c", at: 0x0200},
	} {
		if err := write(s, []action{a}); err != nil {
			t.Fatal(err)
		}
	}
	mustGolden(t, s)
	mustSeal(t, s)
	state := twice(framed("ST", 6, 2, 11, unhex(t, strings.Join([]string{
		"02", // ends: row, position, erased; row 1 was erased before it was sealed, and is in no file
		"00000000 0500000000000000 00",
		"02000000 0700000000000000 00",
		"01", // memories: row, archived at, superseded by, until (one hour east), reinforced, superseded at, spans
		"02000000 0000000000000080 01 64 01 0201000000000000 a038 00000000",
		"0201000000000000 01 0002000000000000 0502000000000000",
		"01", // links: rows, type, weight
		"04000000 03000000 01 74 0000803f",
		"01", // keys: name, fingerprint, id, outcome, version
		"01 6b 0b0a000000000000 01 61 01 72 03000000",
		"01", // uses and belief: row, states; of each at, stability, difficulty, since, last use, labile till, ...
		"04000000 02",
		"0500000000000000 00000040 0000a040 0100000000000000 0200000000000000 0300000000000000 0000000000000000",
		"00 01 01 73 01 0000803f", // ... lapse, in which session, evidence: source, flags, log-odds
		"0700000000000000 0000803f 0000c040 0100000000000000 0200000000000000 0300000000000000 0700000000000000",
		"01 64 02 01 73 01 0000803f 01 78 02 00000040",
		"01 01 73 02", // sources: name, states: at, right, wrong
		"0600000000000000 00008040 00000040 0800000000000000 0000a040 00000040",
		"01", // feedback: row, at, position, signal, grade, used, verified, R, days, ...
		"04000000 0400000000000000 0b 06 75736566756c 03 01 01 0000003f 0000000000000040",
		"01 000000000000f03f 01 01 77 000000000000f03f", // ... rank, score, terms, ...
		"01 78 01 72 01 65 01 64 01 63",                 // ... source, reason, event, session, contradicting memory
		"08000000 00 02 6d31 01 0100000000000000",       // again: dimension, metric, model, segments, ...
		"00000000 00000000 00000000 00 00",              // ... generations, that of the segment, none built or apart
	}, ""))))
	got, err := fsys.Bytes(filepath.Join(spaceDir, "0000000000000002.state"))
	if err != nil || !bytes.Equal(got, state) {
		t.Errorf("state file (%v)\n% x, want\n% x", err, got, state)
	}
	segment, err := fsys.Bytes(filepath.Join(spaceDir, "0000000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	manifest := twice(framed("MF", 5, 0, 0, unhex(t, "08000000 00 0b00000000000000 0300000000000000 0200000000000000"+
		fmt.Sprintf("%016x", swap64(len(state)))+"01 0100000000000000 00000000 05000000"+
		fmt.Sprintf("%016x", swap64(len(segment)))+"02 6d31 00000000 00000000 00000000 00 00")))
	got, err = fsys.Bytes(manifestPath)
	if err != nil || !bytes.Equal(got, manifest) {
		t.Errorf("manifest (%v)\n% x, want\n% x", err, got, manifest)
	}
	mustClose(t, s)
}

// mustGolden writes position 11 of the golden files: what dynamics.go keeps.
func mustGolden(t *testing.T, s *store.Space) {
	t.Helper()
	err := s.Write(context.Background(), "golden", nil, func(tx *store.Tx) error {
		own := dynamics.Evidence{Source: "s", Supports: true, LogOdds: 1}
		denied := dynamics.Evidence{Source: "x", LogOdds: 2, Counted: dynamics.Right}
		return errors.Join(
			tx.SetDynamics("a", &store.Dynamics{
				State:    dynamics.State{Stability: 2, Difficulty: 5, Since: 1, LastUse: 2, LabileTill: 3},
				Evidence: []dynamics.Evidence{own}, At: 5,
			}),
			tx.SetDynamics("a", &store.Dynamics{
				State:    dynamics.State{Stability: 1, Difficulty: 6, Since: 1, LastUse: 2, LabileTill: 3, Lapse: 7},
				Evidence: []dynamics.Evidence{own, denied}, At: 7, During: "d",
			}),
			tx.SetSource(store.Source{Name: "s", Reliability: dynamics.Reliability{Right: 4, Wrong: 2}, At: 6}),
			tx.SetSource(store.Source{Name: "s", Reliability: dynamics.Reliability{Right: 5, Wrong: 2}, At: 8}),
			tx.Feedback(store.FeedbackRecord{
				Memory: "a", At: 4, Signal: "useful", Grade: 3, Used: true, Verified: true, Retrievability: .5, Days: 2,
				FeedbackContext: store.FeedbackContext{
					Rank: 1, Score: 1, Terms: []store.FeedbackTerm{{Name: "w", Value: 1}}, Source: "x", Reason: "r",
					EventID: "e", During: "d", By: "c",
				},
			}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func swap64(n int) uint64 {
	return binary.BigEndian.Uint64(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// TestEveryFlippedBitOfManifestAndState damages one copy, by a bit in each byte and by cutting the file anywhere behind
// the first: nothing is lost, and the damage is told. Where the same bit of both is flipped the space is refused by the
// file's name.
func TestEveryFlippedBitOfManifestAndState(t *testing.T) {
	fsys, b, _ := scarred(t)
	for _, path := range []string{manifestPath, statePath(t, fsys)} {
		whole, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		d := copies{t, fsys, b, path}
		second := 4096 * ((len(whole)/2 + 4095) / 4096)
		size := len(whole) - second
		if size <= 0 || !bytes.Equal(whole[:size], whole[second:]) || !allZero(whole[size:second]) {
			t.Fatalf("%s is not two copies of the same %d bytes, the second at %d", path, size, second)
		}
		for at := range size {
			d.mended(fmt.Sprint("first copy, byte ", at), flipped(whole, 8*at+at%8), at)
			d.mended(fmt.Sprint("second copy, byte ", at), flipped(whole, 8*(second+at)+at%8), at)
		}
		for bit := range 8 * size {
			d.refused(fmt.Sprint("bit ", bit, " of both"), flipped(whole, bit, 8*second+bit))
		}
		for n := range size {
			d.refused(fmt.Sprint("cut to ", n), whole[:n])
		}
		for n := size; n < len(whole); n += 1 + 63*(len(whole)-n)/(2*size+64) {
			d.mended(fmt.Sprint("cut to ", n), whole[:n], n)
		}
		d.mended("a byte more", append(bytes.Clone(whole), 0), 0)
		d.write(whole)
	}
	mustClose(t, mustOpen(t, fsys))
}

func flipped(whole []byte, bits ...int) []byte {
	b := bytes.Clone(whole)
	for _, bit := range bits {
		b[bit/8] ^= 1 << (bit % 8)
	}
	return b
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// copies is a space, one of whose files is damaged.
type copies struct {
	t    *testing.T
	fsys *vfs.Mem
	b    *book
	path string
}

func (d copies) write(content []byte) {
	d.t.Helper()
	if err := d.fsys.SetBytes(d.path, content); err != nil {
		d.t.Fatal(err)
	}
}

// refused opens the space with the file as it is given.
func (d copies) refused(what string, content []byte) {
	d.t.Helper()
	d.write(content)
	s, err := open(d.fsys)
	var corrupt *codec.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Path != d.path {
		d.t.Errorf("%s, %s: Open = %v, want damage with the path", d.path, what, err)
	}
	if err == nil {
		mustClose(d.t, s)
	}
}

// mended is refused where one copy is whole. All that is there is compared now and then.
func (d copies) mended(what string, content []byte, n int) {
	d.t.Helper()
	d.write(content)
	s := mustOpen(d.t, d.fsys)
	report, err := s.Verify(context.Background())
	if err != nil || len(report.Problems) != 1 || report.Problems[0].File != d.path || report.Problems[0].Offset < 0 {
		d.t.Errorf("%s, %s: Verify = %+v, %v, want one problem with the path", d.path, what, report, err)
	}
	if told := s.Stats().Damaged; len(told) != 1 || !strings.Contains(told[0], d.path) {
		d.t.Errorf("%s, %s: Stats tells of %q", d.path, what, told)
	}
	if n%64 == 0 {
		d.b.holds(d.t, what, s)
	}
	mustClose(d.t, s)
}

// TestMendedManifestAndState damages a copy of each: the next sealing writes both anew.
func TestMendedManifestAndState(t *testing.T) {
	fsys, b, _ := scarred(t)
	for _, path := range []string{manifestPath, statePath(t, fsys)} {
		if err := fsys.Corrupt(path, 70, 1); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, fsys)
	b.do(t, s, b.put("new"))
	mustSeal(t, s)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	verified(t, s)
	if err := s.Health(); err != nil {
		t.Errorf("Health = %v", err)
	}
	b.holds(t, "sealed", s)
	mustClose(t, s)
}

// TestMissingFilesAreNamed takes files away: what is missing is said, and nothing is made in its place.
func TestMissingFilesAreNamed(t *testing.T) {
	whole, b, _ := scarred(t)
	state := statePath(t, whole)
	logs := slices.DeleteFunc(whole.Files(), func(name string) bool { return !strings.HasSuffix(name, ".wal") })
	for path, remove := range map[string][]string{
		manifestPath: {manifestPath}, state: {state}, filepath.Join(spaceDir, "wal"): logs,
	} {
		fsys := whole.CrashClone(0, vfs.KeepAll)
		saved := map[string][]byte{}
		for _, name := range remove {
			saved[name], _ = fsys.Bytes(name) //nolint:errcheck // Remove fails likewise
			if err := fsys.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second opening finds what the first left
			_, err := open(fsys)
			var corrupt *codec.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Path != path {
				t.Errorf("Open without %s = %v, want damage with the path", path, err)
			}
		}
		for name, content := range saved {
			if err := fsys.SetBytes(name, content); err != nil {
				t.Fatal(err)
			}
		}
		s := mustOpen(t, fsys)
		b.holds(t, "put back", s)
		mustClose(t, s)
	}
	// A directory that cannot be listed is no new space.
	fault := vfs.NewFault(newFS(t))
	fault.FailKindAt(vfs.OpReadDir, 0, errors.New("no access"))
	if _, err := open(fault); err == nil {
		t.Error("Open makes a space in a directory that it could not list")
	}
}

func TestUnknownVersionsAreRefused(t *testing.T) {
	fsys, _, rows := scarred(t)
	for _, path := range []string{manifestPath, statePath(t, fsys), rows[0].path} {
		whole, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[8:], 7)
		binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli)))
		if err := fsys.SetBytes(path, b); err != nil {
			t.Fatal(err)
		}
		var format *codec.FormatError
		if _, err := open(fsys); !errors.As(err, &format) || format.Path != path || format.Found != 7 {
			t.Errorf("Open with version 7 of %s = %v, want a *codec.FormatError with path and version", path, err)
		}
		if err := fsys.SetBytes(path, whole); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeftoversAreRemoved puts files beside the space that no manifest names.
func TestLeftoversAreRemoved(t *testing.T) {
	fsys, b, _ := scarred(t)
	kept := fsys.Files()
	for _, name := range []string{
		"00000000000000ff.seg", "00000000000000fe.state", "MANIFEST.tmp", "0000000000000001.seg.tmp",
	} {
		if err := fsys.SetBytes(filepath.Join(spaceDir, name), []byte("left")); err != nil {
			t.Fatal(err)
		}
	}
	foreign := filepath.Join(spaceDir, "notes.txt")
	if err := fsys.SetBytes(foreign, []byte("not ours")); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, fsys)
	files := slices.DeleteFunc(fsys.Files(), func(name string) bool {
		return name == foreign || filepath.Ext(name) == ".spare"
	})
	if !slices.Equal(files, kept) {
		t.Errorf("after opening there are %v, want %v", files, kept)
	}
	if _, err := fsys.Stat(foreign); err != nil {
		t.Errorf("a file that is not ours: %v", err)
	}
	b.holds(t, "opened", s)
	mustClose(t, s)
}

// TestSealingAgainMakesNoFiles seals without anything new, and with changes that add no row.
func TestSealingAgainMakesNoFiles(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	mustSeal(t, s)
	if _, err := fsys.Stat(filepath.Join(spaceDir, "0000000000000001.seg")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sealing nothing makes a file: %v", err)
	}
	b.do(t, s, b.put("a"), b.put("bb"))
	mustSeal(t, s)
	mustSeal(t, s)
	b.do(t, s, action{kind: "archive", id: "a", at: 4}) // no row, but a new state
	mustSeal(t, s)
	if n := s.Stats().Segments; n != 1 {
		t.Errorf("%d segments, want 1", n)
	}
	b.holds(t, "sealed", s)
	b.do(t, s, b.put("ccc"))
	mustSeal(t, s)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	verified(t, s)
	// Where every row is erased or void there is nothing to find, and that is no failure.
	for _, id := range b.ids() {
		b.do(t, s, action{kind: "erase", id: id})
	}
	mustSeal(t, s)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "all erased", s)
	recalled(s.View())
	verified(t, s)
	mustClose(t, s)
}

// TestManySegmentsInOrder seals after each write and opens.
func TestManySegmentsInOrder(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for i := range 30 {
		b.do(t, s, b.put(fmt.Sprint("m", i%20)))
		mustSeal(t, s)
	}
	st := s.Stats()
	if st.Segments != 30 || st.Hot != 0 || st.Warm != 30 {
		t.Errorf("Stats = %d segments, %d hot, %d warm", st.Segments, st.Hot, st.Warm)
	}
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	mustClose(t, s)
}
