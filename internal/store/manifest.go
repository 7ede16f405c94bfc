package store

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

const (
	manifestName = "MANIFEST"
	manifestKind = "MF"
	// manifestVersion: 2 added the embedding model; version 1 has none. From 3 on there is a log where there is a
	// manifest, from 4 on the file holds everything twice. 5 has generations of vectors.
	manifestVersion = 5
	// logDir is the directory of the log in that of the space.
	logDir = "wal"
	// maxModelBytes bounds the name of an embedding model.
	maxModelBytes = 128
	stateKind     = "ST"
	// stateVersion: 2 added when things became known, 3 uses, belief and sources, 4 what these were before, 5 a second
	// copy. 6 says again what the manifest says of segments and vectors, for when that one is lost.
	stateVersion = 6
	maxSegments  = 1 << 16
)

// manifest says which files make up a space. It is replaced as a whole.
type manifest struct {
	store    [16]byte
	settings Settings
	// position is the checkpoint: segments and state hold everything up to it, the log what comes after.
	position uint64
	// nextFile numbers the next segment or state file; numbers are never used twice.
	nextFile uint64
	segments []segmentRef
	state    stateRef // number 0: none
	// generation is that of the vectors that serve; generations counts those begun so far; building is what is being
	// built, without its places, nil if nothing is.
	generation, generations uint32
	building                *vectorSet
	apart                   []apartRef
	// unlogged says that there may be no log yet: it is about to be made, or the manifest is of an earlier version that
	// was written first. Not in the file.
	unlogged bool
	// mended is the damage to one of the copies, of which the other is whole. Not in the file.
	mended error
	// version is that of the file; 0 if there is none yet. Not in its body.
	version uint32
	// named says that it was put together with what a state file says again. Not in the file.
	named bool
}

// noGeneration is that of a segment of which it is not known.
const noGeneration = ^uint32(0)

// Settings are what a space decided once and for all.
type Settings struct {
	Dim    int        // dimension of its vectors; 0 until the first
	Metric ann.Metric // how vectors are compared
	Model  string     // what made its vectors; "" until somebody names it
}

type segmentRef struct {
	number    uint64
	base      uint32 // the row of its slot 0
	rows      uint32
	sizeBytes int64
	// generation is that of the vectors in it.
	generation uint32
}

// apartRef names a file of vectors that are apart from their rows.
type apartRef struct {
	number     uint64
	generation uint32
	base       uint32 // the place of its slot 0 among those of its generation
	rows       uint32
	sizeBytes  int64
}

type stateRef struct {
	number    uint64
	sizeBytes int64
	version   uint32 // of the file; not in the manifest, 0 while it was not read
}

func (m *manifest) encode() []byte {
	var e codec.Encoder
	e.U32(uint32(m.settings.Dim))
	e.U8(uint8(m.settings.Metric))
	e.U64(m.position)
	e.U64(m.nextFile)
	e.U64(m.state.number)
	e.U64(uint64(m.state.sizeBytes))
	e.Uvarint(uint64(len(m.segments)))
	for _, s := range m.segments {
		e.U64(s.number)
		e.U32(s.base)
		e.U32(s.rows)
		e.U64(uint64(s.sizeBytes))
	}
	e.String(m.settings.Model)
	m.encodeGenerations(&e)
	return e.Buf
}

func (m *manifest) encodeGenerations(e *codec.Encoder) {
	e.U32(m.generation)
	e.U32(m.generations)
	for _, s := range m.segments {
		e.U32(s.generation)
	}
	e.Bool(m.building != nil)
	if b := m.building; b != nil {
		e.U32(b.number)
		e.U32(uint32(b.dim))
		e.String(b.model)
	}
	e.Uvarint(uint64(len(m.apart)))
	for _, a := range m.apart {
		e.U64(a.number)
		e.U32(a.generation)
		e.U32(a.base)
		e.U32(a.rows)
		e.U64(uint64(a.sizeBytes))
	}
}

// encodeAgain says again, in a state file, what the manifest says of vectors and of which files they are in.
func (m *manifest) encodeAgain(e *codec.Encoder) {
	e.U32(uint32(m.settings.Dim))
	e.U8(uint8(m.settings.Metric))
	e.String(m.settings.Model)
	e.Uvarint(uint64(len(m.segments)))
	for _, s := range m.segments {
		e.U64(s.number)
	}
	m.encodeGenerations(e)
}

func decodeAgain(d *codec.Decoder) *manifest {
	m := &manifest{settings: Settings{Dim: int(d.U32()), Metric: ann.Metric(d.U8()), Model: d.String()}, named: true}
	for range d.Count(8) {
		m.segments = append(m.segments, segmentRef{number: d.U64()})
	}
	if err := m.decodeGenerations(d); err != nil {
		d.Fail(err)
	}
	return m
}

// take has m say of vectors what again says. Of the segments that were found those count that it names, if all of these
// are there.
func (m *manifest) take(again *manifest, found []guessed) []guessed {
	m.settings, m.generation, m.generations = again.settings, again.generation, again.generations
	m.building, m.apart, m.named = again.building, again.apart, true
	generations := map[uint64]uint32{}
	for _, ref := range again.segments {
		generations[ref.number] = ref.generation
	}
	there := 0
	for i := range found {
		g, known := generations[found[i].number]
		found[i].generation = noGeneration
		if known {
			there++
			found[i].generation = g
		}
	}
	if there < len(generations) {
		return found
	}
	return slices.DeleteFunc(found, func(g guessed) bool { return g.generation == noGeneration })
}

// decodeGenerations reads what encodeGenerations wrote, behind all else.
func (m *manifest) decodeGenerations(d *codec.Decoder) error {
	m.generation, m.generations = d.U32(), d.U32()
	sound := m.generation <= m.generations
	for i := range m.segments {
		m.segments[i].generation = d.U32()
		sound = sound && m.segments[i].generation <= m.generation
	}
	if d.Bool() {
		b := &vectorSet{number: d.U32(), dim: int(d.U32()), model: d.String()}
		sound = sound && b.number > m.generation && b.number <= m.generations && b.dim >= MinDim &&
			b.dim <= segment.MaxDim && len(b.model) <= maxModelBytes
		m.building = b
	}
	next := map[uint32]uint32{}
	for range d.Count(28) {
		a := apartRef{number: d.U64(), generation: d.U32(), base: d.U32(), rows: d.U32(), sizeBytes: int64(d.U64())}
		known := a.generation == m.generation || m.building != nil && a.generation == m.building.number
		sound = sound && known && a.base >= next[a.generation] && a.rows <= segment.MaxRows
		next[a.generation] = a.base + a.rows
		m.apart = append(m.apart, a)
	}
	if d.Err() == nil && !sound {
		return fmt.Errorf("generations %+v are impossible", m)
	}
	return d.Err()
}

// view is what was visible at the manifest's position, its counts still at 0.
func (m *manifest) view(s *Space) View {
	return View{
		s: s, Position: m.position, Dim: m.settings.Dim, Metric: m.settings.Metric, Model: m.settings.Model,
		Generation: m.generation, generations: m.generations, building: m.building,
	}
}

func decodeManifest(version uint32, body []byte) (*manifest, error) {
	d := codec.NewDecoder(body)
	m := &manifest{settings: Settings{Dim: int(d.U32()), Metric: ann.Metric(d.U8())}}
	m.position, m.nextFile = d.U64(), d.U64()
	m.state = stateRef{number: d.U64(), sizeBytes: int64(d.U64())}
	n := d.Count(24)
	if n > maxSegments {
		return nil, fmt.Errorf("it names %d segments, at most %d are possible", n, maxSegments)
	}
	next := uint32(0)
	for range n {
		s := segmentRef{number: d.U64(), base: d.U32(), rows: d.U32(), sizeBytes: int64(d.U64())}
		if s.base != next || s.rows > segment.MaxRows {
			return nil, fmt.Errorf("segment %d begins at row %d, the one before ends at %d", s.number, s.base, next)
		}
		next += s.rows
		m.segments = append(m.segments, s)
	}
	if version >= 2 {
		m.settings.Model = d.String()
	}
	if len(m.settings.Model) > maxModelBytes || m.settings.Dim > segment.MaxDim || m.settings.Metric > ann.Dot {
		return nil, fmt.Errorf("settings %+v are impossible", m.settings)
	}
	if version >= 5 && d.Err() == nil {
		if err := m.decodeGenerations(d); err != nil {
			return nil, err
		}
	}
	return m, d.Done()
}

func (s *Space) writeManifest(m *manifest) error {
	path := filepath.Join(s.dir, manifestName)
	if _, err := writeTwice(s.fs, path, manifestHeader(m), m.encode()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	m.version = manifestVersion
	s.forget(func(damaged string) bool { return damaged == path })
	return nil
}

func manifestHeader(m *manifest) codec.Header {
	return codec.Header{Kind: manifestKind, Version: manifestVersion, Store: m.store}
}

// laterManifest reports whether one copy of a manifest, whole, is of a later one than another.
func laterManifest(one, other framed) bool {
	m, err := decodeManifest(one.header.Version, one.body)
	if err != nil || one.header.Store != other.header.Store {
		return false
	}
	n, err := decodeManifest(other.header.Version, other.body)
	return err == nil && (m.position > n.position || m.position == n.position && m.nextFile > n.nextFile)
}

func readManifest(fsys vfs.FS, dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	f, err := manifestFile.read(fsys, path, true)
	if err != nil {
		return nil, err
	}
	h, body := f.header, f.body
	if err := h.Check(path, h.Store, 0); err != nil {
		return nil, err
	}
	m, err := decodeManifest(h.Version, body)
	if err != nil {
		return nil, &codec.CorruptError{Op: "read manifest", Path: path, Offset: codec.HeaderSize, Err: err}
	}
	m.store, m.mended, m.version = h.Store, f.mended, h.Version
	m.unlogged = h.Version < 3 && m.position == 0
	return m, nil
}
