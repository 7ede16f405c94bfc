package vfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
)

// CrashMode says what becomes, in a power cut, of that which no sync has made durable.
type CrashMode uint8

const (
	// KeepAll keeps everything: the cut came when the system had just written all of it by itself. What a killed
	// process leaves is the same.
	KeepAll CrashMode = iota
	// LoseAll keeps what was synced and nothing else.
	LoseAll
	// Random keeps, loses or tears each change by the seed: see [Mem.CrashClone].
	Random
)

// String returns the name of the mode.
func (c CrashMode) String() string {
	switch c {
	case KeepAll:
		return "KeepAll"
	case LoseAll:
		return "LoseAll"
	case Random:
		return "Random"
	}
	return fmt.Sprintf("CrashMode(%d)", uint8(c))
}

// sectorSize is what a disk writes whole or not at all, in bytes: the smallest that is in use.
const sectorSize = 512

// crashStream separates the random numbers of CrashClone from those that a test draws from the same seed.
const crashStream = 0x6372617368 // "crash"

// CrashClone returns what a power cut at this moment would leave, as a file system of its own on which everything is
// durable and nothing is open or locked. The original goes on as if nothing had happened. An unknown mode is LoseAll.
// seed matters in mode Random only; the same tree, history and seed give the same clone.
//
// In mode Random, per file, either a prefix of the unsynced changes is kept with the last one torn, or each change is
// kept, lost or torn by itself, often, sometimes or seldom kept. A torn write keeps the bytes before any point, or
// some of its 512-byte sectors. A lost write beyond the end of the file may have made it longer nevertheless, with
// zeros in place of the data. Per directory, either a prefix or any subset of the unsynced names is kept,
// independently of what became of the files' content. Kept changes take effect in their order: later ones over
// earlier ones. A directory is never left under two names: the first in the order of the walk has it.
//
// The time is proportional to the number of files plus the length of what is unsynced, not to the length of the
// files.
func (m *Mem) CrashClone(seed uint64, mode CrashMode) *Mem {
	m.mu.Lock() // Freezing an image ends its right to change pages in place, so a read lock is not enough.
	defer m.mu.Unlock()
	c := crash{mode: mode, rng: rand.New(rand.NewPCG(seed, crashStream)), done: map[*node]*node{}}
	return &Mem{root: c.clone(m.root)}
}

// crash is one run of CrashClone.
type crash struct {
	mode CrashMode
	rng  *rand.Rand
	done map[*node]*node // the clones made so far: a file with two names stays one file
}

// clone returns what is left of n and all below it.
func (c *crash) clone(n *node) *node {
	if n.dir == nil {
		left := c.content(n.file)
		out := &node{file: &fileState{cur: left, synced: left}}
		c.done[n] = out
		return out
	}
	out := newDirNode()
	c.done[n] = out
	left := c.names(n.dir)
	for _, name := range sortedNames(left) {
		child := left[name]
		twin := c.done[child]
		if twin != nil && child.dir != nil {
			continue // A directory between two parents: it must not come to contain itself.
		}
		if twin == nil {
			twin = c.clone(child)
		}
		out.dir.entries[name] = twin
	}
	return out
}

// names returns what is left of a directory's names. The caller must not change the map.
func (c *crash) names(d *dirState) map[string]*node {
	switch {
	case c.mode == KeepAll || len(d.pending) == 0:
		return d.entries
	case c.mode != Random:
		return d.durable()
	}
	left := maps.Clone(d.durable())
	if c.coin() {
		for _, op := range d.pending[:c.rng.IntN(len(d.pending)+1)] {
			op.apply(left)
		}
		return left
	}
	for _, op := range d.pending {
		if c.coin() {
			op.apply(left)
		}
	}
	return left
}

// content returns what is left of a file's bytes, frozen.
func (c *crash) content(f *fileState) image {
	if c.mode == KeepAll || len(f.pending) == 0 {
		return f.cur.freeze()
	}
	left := f.synced
	if c.mode == Random {
		c.scatter(f.pending, &left)
	} else {
		for i := range f.pending {
			if f.pending[i].safe {
				f.pending[i].apply(&left)
			}
		}
	}
	return left.freeze()
}

// fate is what becomes of one change.
type fate uint8

const (
	kept fate = iota
	lost
	torn
)

// scatter applies to im what is left of the changes.
func (c *crash) scatter(changes []change, im *image) {
	prefix := c.rng.IntN(4) == 0
	cut := c.rng.IntN(len(changes) + 1)
	keep := [...]float64{1. / 8, 1. / 2, 7. / 8}[c.rng.IntN(3)]
	for i := range changes {
		is := kept
		switch {
		case changes[i].safe:
		case prefix && i == cut:
			is = torn
		case prefix && i > cut:
			is = lost
		case !prefix && c.rng.Float64() >= keep:
			is = lost
			if c.coin() {
				is = torn
			}
		}
		c.leave(&changes[i], is, im)
	}
}

// leave applies to im what is left of one change.
func (c *crash) leave(ch *change, is fate, im *image) {
	end := ch.off + int64(len(ch.data))
	switch {
	case is == kept:
		ch.apply(im)
	case ch.kind == growTo && is == torn && ch.off > im.size:
		im.truncate(im.size + c.rng.Int64N(ch.off-im.size))
	case ch.kind != writeData:
	case is == torn:
		c.tear(ch, im)
		fallthrough
	default:
		if end > im.size && c.coin() {
			im.truncate(end) // The length reached the disk, the data did not.
		}
	}
}

// tear writes a part of the data of ch to im.
func (c *crash) tear(ch *change, im *image) {
	if c.coin() {
		im.writeAt(ch.data[:c.rng.IntN(len(ch.data))], ch.off)
		return
	}
	for at := 0; at < len(ch.data); {
		n := min(sectorSize-int((ch.off+int64(at))%sectorSize), len(ch.data)-at)
		if c.coin() {
			im.writeAt(ch.data[at:at+n], ch.off+int64(at))
		}
		at += n
	}
}

func (c *crash) coin() bool { return c.rng.Uint64()&1 == 0 }
