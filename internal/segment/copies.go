package segment

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vfs"
)

// The front of a file, which is header, summary, lines, blocks and dictionary, is there twice from version 3 on.
// Without its line nothing is known of a row, so that every id that is not found may be it; and a page holds 64 lines.
// The copy is read where the first is damaged, and for verifying.

// mends is the damage that a second copy, or what codes are made of, made up for. It is told once for each page of the
// file: of a page that is lost each line is.
type mends struct {
	mu    sync.Mutex
	pages map[int64]error // by the number of the page
	list  []error
}

// maxMends bounds what is told of one segment.
const maxMends = 100

func (m *mends) all() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list)
}

// add notes damage to header, summary or dictionary, or to the size of the file.
func (m *mends) add(damage error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	same := func(err error) bool { return err.Error() == damage.Error() }
	if len(m.list) < maxMends && !slices.ContainsFunc(m.list, same) {
		m.list = append(m.list, damage)
	}
}

// note notes damage to lines, blocks or codes, and gives its page and what is told of that.
func (m *mends) note(damage error) (at int64, told error) {
	var corrupt *codec.CorruptError
	if !errors.As(damage, &corrupt) {
		return -1, damage
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at = corrupt.Offset / page
	if told = m.pages[at]; told != nil {
		return at, told
	}
	mended := *corrupt
	mended.Err = fmt.Errorf("%w; nothing is lost by it, and a compaction writes it anew", corrupt.Err)
	if len(m.list) < maxMends {
		if m.pages == nil {
			m.pages = map[int64]error{}
		}
		m.pages[at] = &mended
		m.list = append(m.list, &mended)
	}
	return at, &mended
}

// hasCopy reports whether damage to a part of the front is made up for by the copy, if that is whole.
func (w *Sealed) hasCopy(damage error) bool {
	return w.sum.copyOff > 0 && errors.Is(damage, codec.ErrCorrupt) && !isolate.Off("copies of lines")
}

// line reads and verifies a row's line. The caller is guarded.
func (w *Sealed) line(slot uint32, ws *workspace) (line, error) {
	if slot >= w.sum.rows {
		return line{}, errSlot(slot, w.sum.rows)
	}
	l, err := w.lineAt(0, slot, ws)
	if err == nil || !w.hasCopy(err) {
		return l, err
	}
	return w.copiedLine(slot, ws, err)
}

// copiedLine reads the copy of a line, the first of which is damaged. The caller is guarded.
func (w *Sealed) copiedLine(slot uint32, ws *workspace, damage error) (line, error) {
	l, err := w.lineAt(w.sum.copyOff, slot, ws)
	switch {
	case err == nil:
		w.mends.note(damage)
		return l, nil
	case errors.Is(err, codec.ErrCorrupt):
		return line{}, damage
	}
	return line{}, err
}

// lineAt reads a line of the front that begins at an offset.
func (w *Sealed) lineAt(front uint64, slot uint32, ws *workspace) (line, error) {
	off := front + linesOff + uint64(slot)*lineSize
	b, err := w.in.at(off, lineSize, &ws.line)
	if err != nil {
		return line{}, w.unread(err)
	}
	l, err := readLine(b, w.seed, slot, w.sum)
	if err != nil {
		return line{}, w.corrupt("read row", int64(off), err)
	}
	return l, nil
}

// withLine calls fn, guarded, with a row's line.
func (w *Sealed) withLine(slot uint32, fn func(l line, ws *workspace) error) error {
	ws := w.in.workspace()
	err := w.guarded(func() error {
		l, err := w.line(slot, ws)
		if err != nil {
			return err
		}
		return fn(l, ws)
	})
	if err != nil && w.hasCopy(err) && w.faultedInLines(err) {
		damage := err
		err = w.guarded(func() error {
			l, err := w.copiedLine(slot, ws, damage)
			if err != nil {
				return err
			}
			return fn(l, ws)
		})
	}
	w.in.done(ws)
	return err
}

// faultedInLines reports whether a page of the mapping that lines are in could not be read: a line was asked for.
func (w *Sealed) faultedInLines(err error) bool {
	var corrupt *codec.CorruptError
	var fault *vfs.FaultError
	return errors.As(err, &corrupt) && errors.As(corrupt.Err, &fault) &&
		corrupt.Offset >= linesOff && uint64(corrupt.Offset) < w.sum.blocksOff
}

// block reads and verifies a vector's block. The caller is guarded.
func (w *Sealed) block(vector uint32) (block, error) {
	m, err := w.blockAt(0, vector)
	if err == nil || !w.hasCopy(err) {
		return m, err
	}
	m, second := w.blockAt(w.sum.copyOff, vector)
	switch {
	case second == nil:
		w.mends.note(err)
		return m, nil
	case errors.Is(second, codec.ErrCorrupt):
		return block{}, err
	}
	return block{}, second
}

// blockAt reads a block of the front that begins at an offset.
func (w *Sealed) blockAt(front uint64, vector uint32) (block, error) {
	size := w.sum.blockBytes()
	off := front + w.sum.blocksOff + uint64(vector)*size
	b, err := w.in.at(off, int(size), new([]byte))
	if err != nil {
		return block{}, w.unread(err)
	}
	m, err := readBlock(b, w.seed, vector, w.sum.rows)
	if err != nil {
		return block{}, w.corrupt("read vector", int64(off), err)
	}
	return m, nil
}

// unread makes damage of what the file does not deliver.
func (w *Sealed) unread(err error) error {
	if failed, ok := err.(*readError); ok { //nolint:errorlint // returned unwrapped
		return w.corrupt("read segment", failed.off, failed.err)
	}
	return err
}

// head is a header and a summary as they were read: there are two of each, and of each one is enough.
type head struct {
	at         int64
	b          []byte
	header     codec.Header
	headerErr  error
	sum        summary
	summaryErr error
}

// readHeadAt reads a header.
func (w *Sealed) readHeadAt(at int64) (h head, err error) {
	h = head{at: at, b: make([]byte, linesOff)}
	if err := readFull(w.in.file, h.b, at); err != nil {
		var failed *readError
		if !errors.As(err, &failed) {
			return h, err
		}
		h.headerErr = w.unread(err)
		h.summaryErr = h.headerErr
		return h, nil
	}
	h.header, h.headerErr = w.readHead(h.b[:codec.HeaderSize], at)
	return h, nil
}

// summarize reads the summary beside the header, of a file of a version.
func (h *head) summarize(w *Sealed, version uint32, sizeBytes int64) {
	if h.summaryErr == nil {
		h.sum, h.summaryErr = w.readSummary(h.b, version, sizeBytes, h.at)
	}
}

// loadHead reads header and summary, or their copies, of a file that is to have so many bytes.
func (w *Sealed) loadHead(sizeBytes int64) error {
	first, err := w.readHeadAt(0)
	if err != nil {
		return err
	}
	if first.headerErr == nil && first.header.Version == 1 {
		w.sum, err = w.readSummary(first.b, 1, sizeBytes, 0)
		return err
	}
	if first.headerErr != nil && !errors.Is(first.headerErr, codec.ErrCorrupt) {
		return first.headerErr // a newer version
	}
	second, err := w.readHeadAt(max(sizeBytes-footerSize, 0)) // where version 2 has it
	if err != nil {
		return err
	}
	version := uint32(FormatVersion)
	switch {
	case first.headerErr == nil:
		version = first.header.Version
	case second.headerErr == nil:
		version = second.header.Version
	}
	first.summarize(w, version, sizeBytes)
	if version > 2 {
		if second, err = w.copiedHead(first, sizeBytes); err != nil {
			return err
		}
	}
	second.summarize(w, version, sizeBytes)
	if err := w.either(first.headerErr, second.headerErr); err != nil {
		return err
	}
	w.sum = first.sum
	if first.summaryErr != nil {
		w.sum = second.sum
	}
	return w.either(first.summaryErr, second.summaryErr)
}

// copiedHead reads the copies of header and summary: where the first summary says, or, if that is damaged, the only
// place in the file that can be theirs.
func (w *Sealed) copiedHead(first head, sizeBytes int64) (head, error) {
	if first.summaryErr == nil {
		return w.readHeadAt(int64(first.sum.copyOff))
	}
	for at := (sizeBytes - 1) / page * page; at > 0; at -= page {
		h, err := w.readHeadAt(at)
		if err != nil {
			return head{}, err
		}
		h.summarize(w, FormatVersion, sizeBytes)
		if h.summaryErr == nil && h.sum.copyOff == uint64(at) {
			return h, nil
		}
	}
	none := w.corrupt("open segment", sizeBytes, fmt.Errorf("there is no copy of the summary: %w", io.ErrUnexpectedEOF))
	return head{headerErr: none, summaryErr: none}, nil
}
