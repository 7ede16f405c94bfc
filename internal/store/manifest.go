package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

const (
	manifestName = "MANIFEST"
	manifestKind = "MF"
	// manifestVersion: 2 added the embedding model; version 1 has none. From 3 on there is a log where there is a manifest.
	manifestVersion = 3
	// logDir is the directory of the log in that of the space.
	logDir = "wal"
	// maxModelBytes bounds the name of an embedding model.
	maxModelBytes = 128
	stateKind     = "ST"
	// stateVersion: 2 added when things became known, 3 uses, belief and sources, 4 what these were before.
	stateVersion = 4
	// maxFileBody bounds what is read of a manifest or state file before its length is believed.
	maxFileBody = 1 << 30
	maxSegments = 1 << 16
	// fileFrame is what a manifest or state file has besides its body: header, length and checksum.
	fileFrame = codec.HeaderSize + 8 + 4
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
	// unlogged says that there may be no log yet: it is about to be made, or the manifest is of an earlier version that
	// was written first. Not in the file.
	unlogged bool
}

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
}

type stateRef struct {
	number    uint64
	sizeBytes int64
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
	return e.Buf
}

// view is what was visible at the manifest's position, its counts still at 0.
func (m *manifest) view(s *Space) View {
	return View{s: s, Position: m.position, Dim: m.settings.Dim, Metric: m.settings.Metric, Model: m.settings.Model}
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
	return m, d.Done()
}

// writeFile makes a durable file of header, body and checksum under name, replacing what stood there in one step.
func writeFile(fsys vfs.FS, name string, h codec.Header, body []byte) (sizeBytes int64, err error) {
	b := fileBytes(h, body)
	if len(b) > maxFileBody {
		return 0, fmt.Errorf("write file of %d bytes: at most %d can be read again", len(b), maxFileBody)
	}
	aside := name + ".tmp"
	if err := fsys.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("clear leftover: %w", err)
	}
	if err := isolate.Fault("store/file.create"); err != nil {
		return 0, err
	}
	f, err := fsys.Create(aside)
	if err != nil {
		return 0, fmt.Errorf("create file: %w", err)
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("write file: %w", errors.Join(err, fsys.Remove(aside)))
	}
	if err := isolate.Fault("store/file.rename"); err != nil {
		return 0, err
	}
	if err := fsys.Rename(aside, name); err != nil {
		return 0, fmt.Errorf("name file: %w", errors.Join(err, fsys.Remove(aside)))
	}
	if err := isolate.Fault("store/file.directory"); err != nil {
		return 0, err
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return 0, fmt.Errorf("sync directory: %w", err)
	}
	return int64(len(b)), nil
}

// fileBytes is what a file of header and body holds.
func fileBytes(h codec.Header, body []byte) []byte {
	e := codec.Encoder{Buf: codec.AppendHeader(make([]byte, 0, fileFrame+len(body)), h)}
	e.U64(uint64(len(body)))
	e.Raw(body)
	e.U32(codec.Checksum(codec.Seed(h.Store, h.Number), e.Buf[codec.HeaderSize:]))
	return e.Buf
}

// readFile reads what writeFile wrote and returns header and body. Damage is a *codec.CorruptError.
func readFile(fsys vfs.FS, name, kind string, newest uint32) (codec.Header, []byte, error) {
	fail := func(err error) (codec.Header, []byte, error) {
		return codec.Header{}, nil, &codec.CorruptError{Op: "read file", Path: name, Offset: -1, Err: err}
	}
	f, err := fsys.Open(name, false)
	if err != nil {
		return codec.Header{}, nil, fmt.Errorf("open file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	size, err := f.Size()
	if err != nil {
		return codec.Header{}, nil, fmt.Errorf("read file: %w", err)
	}
	if size > maxFileBody {
		return fail(fmt.Errorf("it has %d bytes, at most %d are possible", size, maxFileBody))
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return codec.Header{}, nil, fmt.Errorf("read file: %w", err)
	}
	h, err := codec.ReadHeader(name, b, kind, newest)
	if err != nil {
		return h, nil, err
	}
	if len(b) < fileFrame {
		return fail(errors.New("it ends too early"))
	}
	d := codec.NewDecoder(b[len(b)-4:])
	want := d.U32()
	if got := codec.Checksum(codec.Seed(h.Store, h.Number), b[codec.HeaderSize:len(b)-4]); got != want {
		return fail(fmt.Errorf("checksum is %08x, file says %08x", got, want))
	}
	d = codec.NewDecoder(b[codec.HeaderSize : len(b)-4])
	if n := d.U64(); n != uint64(d.Remaining()) {
		return fail(fmt.Errorf("body has %d bytes, file says %d", d.Remaining(), n))
	}
	return h, b[codec.HeaderSize+8 : len(b)-4], nil
}

func (s *Space) writeManifest(m *manifest) error {
	if _, err := writeFile(s.fs, filepath.Join(s.dir, manifestName), manifestHeader(m), m.encode()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

func manifestHeader(m *manifest) codec.Header {
	return codec.Header{Kind: manifestKind, Version: manifestVersion, Store: m.store}
}

func readManifest(fsys vfs.FS, dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	h, body, err := readFile(fsys, path, manifestKind, manifestVersion)
	if err != nil {
		return nil, err
	}
	if err := h.Check(path, h.Store, 0); err != nil {
		return nil, err
	}
	m, err := decodeManifest(h.Version, body)
	if err != nil {
		return nil, &codec.CorruptError{Op: "read manifest", Path: path, Offset: codec.HeaderSize, Err: err}
	}
	m.store = h.Store
	m.unlogged = h.Version < 3 && m.position == 0
	return m, nil
}
