package engram

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/strictjson"
)

const (
	importBatch = 256
	maxBadLines = 100
	// An import's line may be longer than a memory: JSON escapes, and a vector in decimal digits.
	maxLineBytes = 8 << 20
	// maxDeferred bounds the links to memories that come later in the input.
	maxDeferred = 1 << 20
)

// Import reads JSON lines: drafts as Remember takes them, or the versions that Export wrote. It stores what is new and
// leaves alone what is there already, so that a second import of the same lines changes nothing, but that drafts
// without an id are met again. Links may point to memories that come later in the input.
//
// A bad line is reported with its number and stops nothing, or, with ImportOptions.Strict, everything behind it. Bad,
// too, is one that would not be taken as it was written: with an unknown or doubled name, null, or text that is not
// UTF-8. The error is for what stopped the import.
func (s *Space) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	im := &importer{ctx: ctx, space: s, o: o, now: s.db.o.Clock(), decoder: strictjson.NewDecoder[importLine]()}
	run := func(sp *store.Space) error {
		im.sp = sp
		err := im.lines(ctx, r)
		if err == nil || errors.Is(err, errStrict) {
			err = errors.Join(err, im.flush())
		}
		if err == nil || errors.Is(err, errStrict) {
			err = errors.Join(err, im.deferredLinks())
		}
		return err
	}
	err := s.with(ctx, "import", false, run)
	if errors.Is(err, ErrNotFound) && im.sp == nil { // there is no such space
		err = im.rehearsed(run)
	}
	return im.report, err
}

// rehearsed runs an import into a space that does not exist. It is made when there is something to store.
func (im *importer) rehearsed(run func(*store.Space) error) error {
	return im.space.rehearse("import", func(sp *store.Space) error {
		im.rehearsing = true
		defer func() {
			if im.made != nil {
				im.made.release()
			}
		}()
		return run(sp)
	})
}

// make makes the space and goes on in it.
func (im *importer) make() error {
	h, err := im.space.db.acquire(im.ctx, im.space.name, true)
	if err != nil {
		return err
	}
	im.made, im.sp, im.rehearsing = h, h.space, false
	return nil
}

type importer struct {
	ctx      context.Context
	space    *Space
	sp       *store.Space
	o        ImportOptions
	now      time.Time
	decoder  *strictjson.Decoder[importLine]
	report   ImportReport
	batch    []numbered
	size     int
	deferred []deferredLink
	judged   map[string]int // judgements that the space had and no line has told yet; nil until the first such line
	tried    []string       // of these, those that a line of the write in hand has told
	refused  ImportReport   // as a write that failed had it

	rehearsing bool    // sp stands for a space that does not exist
	weighed    bool    // there are weights to store in it
	made       *handle // the space that was made then
}

type numbered struct {
	line int
	importLine
	record   store.Record
	prepared *store.Prepared

	preparedIn *store.Space // where it was prepared; nil if there is nothing to prepare
}

// errStrict ends a strict import; the bad line is in the report.
var errStrict = fmt.Errorf("strict import stopped at a bad line: %w", ErrInvalid)

func (im *importer) bad(line int, err error) error {
	im.report.BadCount++
	if len(im.report.Bad) < maxBadLines {
		im.report.Bad = append(im.report.Bad, BadLine{Line: line, Error: err.Error()})
	}
	if im.o.Strict {
		return fmt.Errorf("line %d: %w: %w", line, err, errStrict)
	}
	return nil
}

func (im *importer) lines(ctx context.Context, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("import: %w", err)
		}
		raw, tooLong, err := readLine(in)
		im.report.Bytes += int64(len(raw))
		if lineErr := im.line(number, raw, tooLong); lineErr != nil {
			return lineErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("import: read input: %w", err)
		}
	}
}

// readLine reads up to the next newline. A longer line than allowed is read to its end and reported, not kept.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLineBytes {
			tooLong, line = true, line[:0]
		}
		if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

func (im *importer) line(number int, raw []byte, tooLong bool) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 && !tooLong {
		return nil
	}
	im.report.Lines++
	if tooLong {
		return im.bad(number, fmt.Errorf("longer than %d bytes: %w", maxLineBytes, ErrTooLarge))
	}
	n := numbered{line: number}
	if err := im.decode(&n, raw); err != nil {
		return im.bad(number, err)
	}
	if n.Space != nil {
		return im.add(n, len(raw))
	}
	n.record = recordOf(&n.Draft, im.now)
	if n.Version > 0 {
		n.record.Version, n.record.Reason = uint32(n.Version), n.Reason
		n.record.CreatedAt = toTime(n.CreatedAt)
		n.record.UpdatedAt = toTime(n.UpdatedAt)
		if n.SupersededBy != "" {
			n.record.ValidUntil = toTime(n.StatedUntil)
		}
		if n.LanguageDetected {
			n.record.LanguageFrom = store.LanguageFound
		}
	}
	n.prepare(im.sp)
	return im.add(n, len(raw))
}

// prepare makes the line ready to be staged in sp.
func (n *numbered) prepare(sp *store.Space) {
	n.preparedIn = sp
	if n.Version > 0 { // what an older export does not say stays open
		n.prepared = sp.Prepare(&n.record)
	} else {
		n.prepared = sp.PrepareNew(&n.record)
	}
}

// add puts a line into the batch, and stores it when it is full.
func (im *importer) add(n numbered, size int) error {
	im.batch = append(im.batch, n)
	im.size += size
	if len(im.batch) < importBatch && im.size < 4<<20 {
		return nil
	}
	return im.flush()
}

// refuses reports whether an error is the fault of one line: what is stored contradicts it, or has no room for it.
func refuses(err error) bool {
	if errors.Is(err, ErrReadOnly) || errors.Is(err, ErrClosed) {
		return false
	}
	return slices.ContainsFunc([]error{
		errStrict, errFull, ErrConflict, ErrInvalid, ErrNotFound, ErrTooLarge, ErrDimension, ErrEmbeddingModel,
		ErrCorrupt,
	}, func(target error) bool { return errors.Is(err, target) })
}

// flush stores the lines gathered so far. Most lines that what is stored refuses stage nothing, and the others are
// stored together. Where one is refused with something staged, nothing is stored, and each line is tried by itself.
func (im *importer) flush() error {
	batch := im.batch
	im.batch, im.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	err := im.attempt(batch)
	switch {
	case refuses(err):
		return im.singly(batch)
	case err != nil:
		return fmt.Errorf("import: %w", err)
	}
	if im.o.Progress != nil {
		im.o.Progress(im.report)
	}
	return nil
}

// attempt stores lines as one write. What it counted is taken back if it fails.
func (im *importer) attempt(lines []numbered) error {
	before, deferred := im.report, len(im.deferred)
	im.tried = im.tried[:0]
	for i := range lines {
		if n := &lines[i]; n.preparedIn != nil && n.preparedIn != im.sp { // the space was made since
			n.prepare(im.sp)
		}
	}
	err := im.sp.Write(im.ctx, "import", nil, func(tx *store.Tx) error {
		for i := range lines {
			if err := im.store(tx, &lines[i]); err != nil {
				return err
			}
		}
		return im.space.makeRoom(tx, im.now)
	})
	made := err == nil && im.rehearsing && (im.weighed || im.sp.View().Position > 0)
	if err == nil && !made {
		return nil
	}
	im.refused, im.report, im.deferred = im.report, before, im.deferred[:deferred]
	for _, key := range im.tried {
		im.judged[key]++
	}
	if made {
		if err = im.make(); err == nil {
			return im.attempt(lines)
		}
	}
	return err
}

// singly stores a batch line by line: what stands before the bad line of a strict import, what stands around a line
// that is refused when something of it is staged, or what there is no room for together, of which each line may make
// room of those before it.
func (im *importer) singly(batch []numbered) error {
	for i := range batch {
		err := im.attempt(batch[i : i+1])
		switch {
		case errors.Is(err, errStrict):
			im.report = im.refused // which tells of the line
		case err != nil && refuses(err):
			err = im.bad(batch[i].line, err)
		}
		switch {
		case errors.Is(err, errStrict):
			return err
		case err != nil:
			return fmt.Errorf("import: line %d: %w", batch[i].line, err)
		}
	}
	if im.o.Progress != nil {
		im.o.Progress(im.report)
	}
	return nil
}
