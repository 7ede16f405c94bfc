package engram_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// laid is a segment file as docs/format/segment.md has it.
type laid struct {
	linesEnd, front int // the ends of the lines, and of all that there is a copy of
	copyAt          int // where the copy is
	codes, floats   int // where codes begin, which can be made anew, and the vectors
	spans           []span
}

// span is what a row has in a file.
type span struct {
	from, to int
	row      int // of the file
	hash     uint64
	body     []byte
}

func layout(file []byte) laid {
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(file[at:])) }
	u64 := func(at int) int { return int(binary.LittleEndian.Uint64(file[at:])) }
	rows, vectors, dim := u32(64), u32(68), u32(72)
	l := laid{linesEnd: 128 + 64*rows}
	l.front = l.linesEnd + 32*vectors + u32(112)
	l.copyAt = (u64(104) + page - 1) / page * page
	floats, bodies := u64(88), u64(96)
	stride := (4*dim + 63) / 64 * 64
	l.codes, l.floats = floats-(dim+63)/64*64*vectors, floats
	for row := range rows {
		line := 128 + 64*row
		if u32(line+40)&1 != 0 {
			continue
		}
		hash, from := binary.LittleEndian.Uint64(file[line+8:]), bodies+u64(line+16)
		body := file[from:][:u32(line+24)]
		add := func(from, to int) { l.spans = append(l.spans, span{from, to, row, hash, body}) }
		if n := u32(line + 24); n <= 8 && u32(line+40)&2 == 0 { // in the line
			from, body = line, file[line+48:line+48+n]
			add(from, from)
		} else {
			add(from, from+len(body))
		}
		if v := u32(line + 36); v != 1<<32-1 {
			add(floats+stride*v, floats+stride*(v+1))
		}
	}
	return l
}

// firstCopy is the length of the first copy in a manifest or state file, and where the second one is.
func firstCopy(file []byte) (n, second int) {
	n = 64 + 8 + int(binary.LittleEndian.Uint64(file[64:])) + 4
	return n, (n + page - 1) / page * page
}

// loss is damage to a file.
type loss struct {
	path, how string
	at        int    // the page
	now       []byte // what the file is then; nil if it is gone
}

func (l loss) String() string { return fmt.Sprintf("%s: page %d %s", l.path, l.at, l.how) }

// hows are the ways in which a page or a file is lost.
var hows = []string{
	"zeroed", "garbage", "of another place", "swapped", "of an older file", "cut off", "gone", "an older file",
}

// losses lists all damage of files other than the log's.
func (p *paged) losses(t *testing.T, rng *rand.Rand) (list []loss) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(p.bytes)) {
		if filepath.Base(filepath.Dir(path)) == "wal" || strings.Contains(path, "space-other") {
			continue
		}
		for at := 0; at*page < max(len(p.bytes[path]), 1); at++ {
			for _, how := range hows {
				if l, is := p.lose(path, how, at, rng); is {
					list = append(list, l)
				}
			}
		}
	}
	return list
}

// stale is what an older file of that kind held.
func (p *paged) stale(path string) []byte {
	if was, there := p.was[path]; there && !bytes.Equal(was, p.bytes[path]) {
		return was
	}
	for _, other := range slices.Sorted(maps.Keys(p.was)) {
		alike := filepath.Ext(path) != "" && filepath.Ext(other) == filepath.Ext(path)
		if alike && filepath.Dir(other) == filepath.Dir(path) && !bytes.Equal(p.was[other], p.bytes[path]) {
			return p.was[other]
		}
	}
	return nil
}

// lose makes one; false if it changes nothing, or there is no such thing.
func (p *paged) lose(path, how string, at int, rng *rand.Rand) (l loss, is bool) {
	l = loss{path: path, how: how, at: at}
	if how == "gone" {
		return l, at == 0
	}
	l.now = lost(p.bytes[path], p.stale(path), how, at, rng)
	return l, !bytes.Equal(l.now, p.bytes[path])
}

// lost is a file of which a page, or all, was lost in some way. was is an older file of its kind, nil if there is none.
func lost(whole, was []byte, how string, at int, rng *rand.Rand) []byte {
	b := bytes.Clone(whole)
	from, to := at*page, min((at+1)*page, len(b))
	other := func() int { // another page
		pages := len(b) / page
		if pages < 2 {
			return at
		}
		return (at + 1 + rng.IntN(pages-1)) % pages
	}
	switch how {
	case "zeroed":
		clear(b[from:to])
	case "garbage":
		for i := from; i < to; i++ {
			b[i] = byte(rng.Uint32())
		}
	case "of another place":
		copy(b[from:to], whole[other()*page:])
	case "swapped":
		n, with := to-from, other()*page
		n = min(n, len(b)-with)
		copy(b[from:from+n], whole[with:with+n])
		copy(b[with:with+n], whole[from:from+n])
	case "of an older file":
		if len(was) > from {
			copy(b[from:to], was[from:])
		}
	case "cut off":
		b = b[:from]
	case "an older file":
		if at == 0 && was != nil {
			return was
		}
	}
	return b
}

// expected is what damage may cost.
type expected struct {
	ids   map[string]bool // memories that may be refused
	doubt bool            // ids that are not found may be
	space bool            // all of the space may be
	told  bool            // Verify tells of it, if the space opens
}

// expect finds by the layout of the files what is touched.
func (p *paged) expect(l loss, ids map[uint64]string) (e expected) {
	e.ids = map[string]bool{}
	whole := p.bytes[l.path]
	changed := func(from, to int) bool {
		return len(l.now) < to || !bytes.Equal(l.now[from:to], whole[from:to])
	}
	switch ext := filepath.Ext(l.path); {
	case ext == ".seg" || ext == ".vec":
		at := layout(whole)
		lost := l.how == "an older file" || len(l.now) < at.linesEnd
		e.doubt = lost && ext == ".seg"
		for _, s := range at.spans {
			if lost || s.from < s.to && changed(s.from, s.to) {
				id := ids[s.hash]
				if ext == ".vec" {
					id = p.rowID(l.path, int(binary.LittleEndian.Uint32(s.body)), ids)
				}
				e.ids[id] = true
			}
		}
		e.told = lost || changed(0, at.front) || changed(at.codes, at.floats) || changed(at.copyAt, len(whole)) ||
			len(e.ids) > 0
	case ext == ".state" || filepath.Base(l.path) == "MANIFEST":
		first, second := firstCopy(whole)
		e.space = l.how == "an older file" || len(l.now) < first
		e.told = l.how != "an older file" && (changed(0, first) || changed(second, len(whole)))
	}
	return e
}

// rowID is the id of a row of a space, by the segments in the directory of a file.
func (p *paged) rowID(beside string, row int, ids map[uint64]string) string {
	for path, file := range p.bytes {
		if filepath.Dir(path) != filepath.Dir(beside) || filepath.Ext(path) != ".seg" {
			continue
		}
		base := int(binary.LittleEndian.Uint32(file[76:]))
		for _, s := range layout(file).spans {
			if base+s.row == row {
				return ids[s.hash]
			}
		}
	}
	return ""
}
