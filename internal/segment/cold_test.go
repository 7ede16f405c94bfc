package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

var coldWords = strings.Fields("the ferry leaves at seven and we should pack tonight because of her brother who " +
	"lives near harbour with two dogs that never sleep before midnight when it rains over hills beyond town where " +
	"nobody goes alone")

// remarks are rows of short texts that have much in common, some with vectors; what none says twice is in each.
func remarks(n, dim int) []sample {
	rng := rand.New(rand.NewPCG(5, 5))
	all := make([]sample, n)
	for i := range all {
		var text strings.Builder
		fmt.Fprintf(&text, "id-%08x ", rng.Uint32())
		for range 20 + rng.IntN(20) {
			text.WriteString(coldWords[rng.IntN(len(coldWords))])
			text.WriteByte(' ')
		}
		all[i] = sample{body: text.String(), void: i%97 == 5}
		if i%3 == 0 {
			all[i].vector = vectorOf(dim, i)
		}
	}
	return all
}

// places gives the offsets of the dictionary's copies and its length.
func dictOf(t *testing.T, file []byte) (places []int64, n int) {
	t.Helper()
	u64 := func(off int) int64 { return int64(binary.LittleEndian.Uint64(file[off:])) }
	n = int(binary.LittleEndian.Uint32(file[64+48:]))
	u32 := func(off int) int64 { return int64(binary.LittleEndian.Uint32(file[off:])) }
	first := 128 + 64*u32(64) + 32*u32(68)
	return []int64{first, (u64(64+40)+4095)/4096*4096 + first}, n
}

// TestColdIsSmaller packs rows that have much in common: with a dictionary, which makes them smaller than without; and
// everything reads as before, also by many at a time, and after being built again into either tier.
func TestColdIsSmaller(t *testing.T) {
	const dim = 16
	samples := remarks(1500, dim)
	fsys := newFS(t)
	f, size := sealedIn(t, fsys, segment.Cold, samples)
	raw, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if _, n := dictOf(t, raw); n < 1<<10 || n > 16<<10 {
		t.Errorf("a dictionary of %d bytes", n)
	}
	w := opened(t, f, size)
	bodies := int64(0)
	for _, s := range samples {
		if !s.void {
			bodies += int64(len(s.body))
		}
	}
	if w.RawBytes() != bodies || w.BodyBytes() > bodies/2 {
		t.Errorf("%d bytes of bodies are %d, packed %d, want less than half", bodies, w.RawBytes(), w.BodyBytes())
	}
	t.Logf("%d bytes of bodies are packed into %d", w.RawBytes(), w.BodyBytes())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { check(t, w, samples) })
	}
	readers.Wait()
	for i, tier := range []segment.Tier{segment.Warm, segment.Cold} {
		next := f
		next.Number = uint64(6 + i)
		built, err := segment.Build(next, segment.Plan{Sources: []segment.Source{w}, Tier: tier})
		if err != nil {
			t.Fatal(err)
		}
		again := opened(t, next, built.SizeBytes)
		if again.RawBytes() != bodies || tier == segment.Warm && again.BodyBytes() != bodies {
			t.Errorf("%v: %d bytes of bodies, %d in the file", tier, again.RawBytes(), again.BodyBytes())
		}
		check(t, again, samples)
	}
}

// TestDictionaryWhereItHelps: few rows have none, and neither have rows that have nothing in common; these are stored
// as they are.
func TestDictionaryWhereItHelps(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var noise []sample
	for range 1000 {
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		noise = append(noise, sample{body: string(b)})
	}
	for name, samples := range map[string][]sample{
		"few": remarks(100, 8), "noise": noise, "empty": {{}, {}}, "none": nil,
	} {
		fsys := newFS(t)
		f, size := sealedIn(t, fsys, segment.Cold, samples)
		raw, err := fsys.Bytes(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		if _, n := dictOf(t, raw); n != 0 {
			t.Errorf("%s: a dictionary of %d bytes", name, n)
		}
		w := opened(t, f, size)
		check(t, w, samples)
		if name == "noise" && w.BodyBytes() != w.RawBytes() {
			t.Errorf("noise of %d bytes takes %d", w.RawBytes(), w.BodyBytes())
		}
		if w.BodyBytes() > w.RawBytes() {
			t.Errorf("%s: %d bytes are packed into %d", name, w.RawBytes(), w.BodyBytes())
		}
	}
}

// TestDictionaryHasNothingOfWhatIsDropped builds a cold segment, and from it another without most rows: neither its
// dictionary nor any body has a word of these.
func TestDictionaryHasNothingOfWhatIsDropped(t *testing.T) {
	samples := remarks(3000, 8)
	for i := range samples {
		if i%3 > 0 {
			samples[i].body = strings.ReplaceAll(samples[i].body, "harbour", "treasure"+strings.Repeat("xyz", 3))
		}
	}
	fsys := newFS(t)
	f, size := sealedIn(t, fsys, segment.Cold, samples)
	holds := func(f segment.File) bool {
		raw, err := fsys.Bytes(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		places, n := dictOf(t, raw)
		if n == 0 {
			t.Fatal("there is no dictionary")
		}
		if !bytes.Equal(raw[places[0]:places[0]+int64(n)], raw[places[1]:places[1]+int64(n)]) {
			t.Error("the copies of the dictionary differ")
		}
		return bytes.Contains(raw, []byte("treasure"))
	}
	if !holds(f) {
		t.Fatal("the dictionary has nothing of the rows: the search finds nothing")
	}
	next := f
	next.Number = 6
	built, err := segment.Build(next, segment.Plan{
		Sources: []segment.Source{opened(t, f, size)}, Tier: segment.Cold,
		Drop: func(row uint32) bool { return row%3 > 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if holds(next) {
		t.Error("the new dictionary has words of rows that were dropped")
	}
	for i := range samples {
		samples[i].void = samples[i].void || i%3 > 0
	}
	check(t, opened(t, next, built.SizeBytes), samples)
}

// TestDamagedDictionary damages one copy, which the other makes up for, and both: what is packed is refused then, with
// the place, and the vectors are there.
func TestDamagedDictionary(t *testing.T) {
	const dim = 8
	samples := remarks(1500, dim)
	samples[0].body = "short"
	whole := newFS(t)
	f, size := sealedIn(t, whole, segment.Cold, samples)
	raw, err := whole.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	places, n := dictOf(t, raw)
	for _, at := range []int64{0, 4, int64(n) / 2, int64(n) - 1} {
		for damaged := 1; damaged < 4; damaged++ {
			f.FS = newFS(t)
			b := bytes.Clone(raw)
			for i, place := range places {
				if damaged>>i&1 != 0 {
					b[place+at] ^= 4
				}
			}
			if err := f.FS.(*vfs.Mem).SetBytes(f.Path(), b); err != nil {
				t.Fatal(err)
			}
			w := opened(t, f, size)
			problems := 0
			if _, err := w.Verify(nil, func(error) { problems++ }); err != nil || problems == 0 {
				t.Errorf("copies %b damaged at %d: Verify finds %d problems, %v", damaged, at, problems, err)
			}
			if mended := len(w.Mended()); mended != map[int]int{1: 1, 2: 1, 3: 0}[damaged] {
				t.Errorf("copies %b damaged at %d: %d mended", damaged, at, mended)
			}
			for slot := range uint32(30) {
				s := samples[slot]
				if s.void {
					continue
				}
				err := w.Read(slot, func(b []byte) error {
					if string(b) != s.body {
						return errors.New("another body")
					}
					return nil
				})
				var corrupt *codec.CorruptError
				if refused := errors.As(err, &corrupt); refused != (damaged == 3 && slot > 0) ||
					err != nil && !refused {
					t.Errorf("copies %b damaged at %d: Read(%d) = %v", damaged, at, slot, err)
				} else if refused && (corrupt.Offset != places[0] || corrupt.Path != f.Path()) {
					t.Errorf("copies %b damaged at %d: Read names %d, want %d", damaged, at, corrupt.Offset, places[0])
				}
				if v, err := w.Vector(slot); err != nil || !sameVector(v, s.vector) {
					t.Errorf("copies %b damaged at %d: Vector(%d) = %v, %v", damaged, at, slot, v, err)
				}
			}
		}
	}
}

// forge makes a file in which the body of row 0 is stored as it is given, with every checksum right.
func forge(t *testing.T, stored []byte, raw uint32) (segment.File, int64) {
	t.Helper()
	fsys := newFS(t)
	f, _ := sealedIn(t, fsys, segment.Cold, []sample{{body: strings.Repeat("forged ", 100)}})
	b, err := fsys.Bytes(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	const front = 128 + 64
	line, bodies := b[128:front], int(le.Uint64(b[64+32:]))
	le.PutUint32(line[24:], uint32(len(stored)))
	le.PutUint32(line[28:], sum(5, 0, stored))
	le.PutUint32(line[44:], raw)
	le.PutUint32(line[60:], sum(2, 0, line[:60]))
	b = append(b[:bodies:bodies], stored...)
	s := b[64:128]
	le.PutUint64(s[16:], max(uint64(raw), uint64(len(stored))))
	le.PutUint64(s[40:], uint64(len(b)))
	le.PutUint32(s[60:], sum(1, 0, s[:60]))
	b = append(b, make([]byte, (4096-len(b)%4096)%4096)...)
	b = append(b, b[:front]...)
	if err := fsys.SetBytes(f.Path(), b); err != nil {
		t.Fatal(err)
	}
	return f, int64(len(b))
}

// TestLyingLengths has lines and frames that claim what is not so, with right checksums: damage, and no more memory
// than a line may claim.
func TestLyingLengths(t *testing.T) {
	enc, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	frame := func(n int) []byte { return enc.EncodeAll(bytes.Repeat([]byte("x"), n), nil)[4:] }
	streamed := func() []byte { // without the length in the frame
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), 3000)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Flush(), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()[4:]
	}()
	claims := func(n uint64) []byte { // a frame whose header says that it holds n bytes, with a small block in it
		b := append([]byte{0xe0}, binary.LittleEndian.AppendUint64(nil, n)...)
		return append(b, 0x03, 0x00, 0x00, 'x')
	}
	for name, c := range map[string]struct {
		stored []byte
		raw    uint32
		fine   bool
	}{
		"as it is":                  {frame(1000), 1000, true},
		"line says more":            {frame(1000), 1001, false},
		"line says less":            {frame(1000), 999, false},
		"line says the most":        {frame(1000), 32 << 20, false},
		"line says more than that":  {frame(1000), 32<<20 + 1, false},
		"line says 4 GiB":           {frame(1000), 1<<32 - 1, false},
		"frame says 1 TiB":          {claims(1 << 40), 1000, false},
		"frame says 4 GiB, as line": {claims(1<<32 - 1), 1<<32 - 1, false},
		"frame says 30 MB, as line": {claims(30 << 20), 30 << 20, false},
		"frame without a length":    {streamed, 3000, false},
		"frame holds less": {
			append(binary.LittleEndian.AppendUint32([]byte{0xa0}, 1000), 0x03, 0, 0, 'x'), 1000, false,
		},
		"no frame":                   {[]byte("this is no frame"), 100, false},
		"nothing":                    {nil, 100, false},
		"a frame cut off":            {frame(1000)[:10], 1000, false},
		"a frame with more behind":   {append(frame(1000), frame(1000)...), 1000, false},
		"a skippable frame's length": {[]byte{1, 2}, 100, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, size := forge(t, c.stored, c.raw)
			w := opened(t, f, size)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := w.Read(0, func(b []byte) error {
				if len(b) != int(c.raw) {
					return fmt.Errorf("a body of %d bytes", len(b))
				}
				return nil
			})
			runtime.ReadMemStats(&after)
			if (err == nil) != c.fine || err != nil && !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("Read = %v, want it fine: %v, or damage", err, c.fine)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 48<<20 {
				t.Errorf("Read allocated %d bytes", n)
			}
		})
	}
}

// TestRetiredColdSegmentIsClosed lets go of cold segments while they are read: reads go on to their end, and the
// descriptors are free when the last reader has gone.
func TestRetiredColdSegmentIsClosed(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("descriptors cannot be counted here")
		}
		return len(entries)
	}
	f := segment.File{FS: vfs.OS{}, Dir: t.TempDir(), Store: storeID, Number: 5}
	samples := remarks(50, 8)
	built, err := segment.Build(f, segment.Plan{Sources: []segment.Source{fill(0, samples)}, Tier: segment.Cold})
	if err != nil {
		t.Fatal(err)
	}
	before := open()
	const n = 20
	func() {
		var segments []*segment.Sealed
		for range n {
			w, err := segment.Open(f, built.SizeBytes)
			if err != nil {
				t.Fatal(err)
			}
			segments = append(segments, w)
		}
		if got := open(); got != before+n {
			t.Errorf("%d cold segments have %d descriptors", n, got-before)
		}
		if err := os.Remove(f.Path()); err != nil {
			t.Fatal(err)
		}
		for _, w := range segments {
			w.Retire()
			runtime.GC()
			if err := w.Read(1, func([]byte) error { return nil }); err != nil {
				t.Errorf("Read of a retired segment = %v", err)
			}
		}
	}()
	for i := 0; open() > before; i++ {
		if i > 500 {
			t.Fatalf("%d descriptors are still open", open()-before)
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}
