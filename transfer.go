package engram

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
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

type deferredLink struct {
	line int
	from string
	link Link
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

// store stages one line. A refusal that comes before anything is staged is reported here; a later one is the error.
func (im *importer) store(tx *store.Tx, n *numbered) error {
	if err := isolate.Fault("engram/import"); err != nil {
		return err
	}
	switch {
	case n.Space != nil:
		return im.storeSpace(tx, n)
	case n.Version == 0:
		return im.storeDraft(tx, n)
	}
	f, exists, err := tx.Find(n.ID)
	if err != nil {
		return im.bad(n.line, err)
	}
	gone := false
	if exists {
		if gone, err = im.gone(tx, f, n); err != nil {
			return im.bad(n.line, err)
		}
	}
	if exists && !gone {
		done, err := im.compare(tx, f, n)
		if done || err != nil {
			return err
		}
	}
	if err := im.dimension(tx, n); err != nil {
		return im.bad(n.line, err)
	}
	if gone {
		exists = false
		if err := tx.Erase(n.ID); err != nil {
			return err
		}
	}
	if err := im.space.nameModel(tx, n.EmbeddingModel, n.Embedding); err != nil {
		return err
	}
	if err := tx.Put(string(eventOf(exists)), &n.record, n.Embedding, n.prepared); err != nil {
		return err
	}
	if exists {
		im.report.Versions++
	} else {
		im.report.Created++
	}
	return im.storeFate(tx, n)
}

// gone reports whether what is stored under a line's id has expired and is another memory than the line's, one made at
// another time. An expired version of the very memory that the line belongs to is a part of its history.
func (im *importer) gone(tx *store.Tx, f store.Found, n *numbered) (bool, error) {
	if !expired(tx.View().ExpiresAt(f.Row), im.now) {
		return false, nil
	}
	known, err := tx.Record(f.Row)
	if err != nil {
		return false, err
	}
	return known.CreatedAt.Nanos != n.record.CreatedAt.Nanos, nil
}

func eventOf(exists bool) EventKind {
	if exists {
		return EventUpdated
	}
	return EventCreated
}

// dimension refuses a vector that the space cannot hold, before anything is staged.
func (im *importer) dimension(tx *store.Tx, n *numbered) error {
	if dim := tx.View().Dim; dim != 0 && len(n.Embedding) != 0 && len(n.Embedding) != dim {
		return &store.DimensionError{Got: len(n.Embedding), Want: dim}
	}
	return tx.View().CheckModel(im.space.modelOf(n.EmbeddingModel, n.Embedding))
}

// compare holds a version against the memory of that id: known already (done), the next version, or a contradiction.
func (im *importer) compare(tx *store.Tx, f store.Found, n *numbered) (done bool, err error) {
	rows := tx.View().Versions(f)
	current, err := tx.Record(f.Row)
	if err != nil {
		return true, im.bad(n.line, err)
	}
	for _, row := range rows {
		r, err := tx.Record(row)
		if err != nil {
			return true, im.bad(n.line, err)
		}
		if r.Version != n.record.Version {
			continue
		}
		if n.record.LanguageFrom == store.LanguageOpen { // an older export does not say
			n.record.Language, n.record.LanguageFrom = r.Language, r.LanguageFrom
		}
		if !sameVersion(r, &n.record) {
			return true, im.bad(n.line, fmt.Errorf("memory %q has another version %d: %w",
				n.ID, n.Version, ErrConflict))
		}
		changed := false
		if changed, err = im.merge(tx, f, n, current); errors.Is(err, ErrConflict) {
			return true, im.bad(n.line, err)
		}
		if changed {
			im.report.Merged++
		} else {
			im.report.Unchanged++
		}
		return true, err
	}
	if n.record.Version < current.Version || f.Archived() {
		return true, im.bad(n.line, fmt.Errorf("memory %q is at version %d already: %w",
			n.ID, current.Version, ErrConflict))
	}
	return false, nil
}

// storeFate stages what became of an exported memory.
func (im *importer) storeFate(tx *store.Tx, n *numbered) error {
	if n.Reinforced > 0 {
		if err := tx.Reinforce(n.ID, uint32(n.Reinforced), n.record.UpdatedAt.Nanos); err != nil {
			return err
		}
	}
	for _, l := range n.states() {
		if err := tx.SetDynamics(n.ID, l.dynamics()); err != nil {
			return err
		}
	}
	if n.SupersededBy != "" {
		s := store.Supersession{By: n.SupersededBy, Until: toTime(n.ValidUntil), At: toTime(n.SupersededAt).Nanos}
		if err := tx.Supersede(n.ID, s); err != nil {
			return err
		}
	}
	for _, span := range n.ArchivedSpans {
		err := tx.Absent(n.ID, store.Span{From: span.From.UnixNano(), Until: span.Until.UnixNano()})
		if err != nil {
			return err
		}
	}
	if !n.ArchivedAt.IsZero() {
		if err := tx.Archive(n.ID, n.ArchivedAt.UnixNano()); err != nil {
			return err
		}
	}
	return im.storeLinks(tx, n, n.ID)
}

func (im *importer) storeDraft(tx *store.Tx, n *numbered) error {
	p := pending{draft: &n.Draft, record: n.record, prepared: n.prepared}
	if p.draft.IdempotencyKey != "" {
		p.fingerprint = fingerprint(p.draft)
	}
	same, err := im.settled(tx, &p)
	if err == nil {
		err = errors.Join(im.dimension(tx, n), supersedable(tx, p.draft.Supersedes, p.outcome.ID, im.now))
	}
	if err != nil {
		return im.bad(n.line, err)
	}
	// A draft's links may lead to later lines; they are stored apart.
	links := p.draft.Links
	for _, id := range p.draft.Contradicts {
		links = append(links, Link{To: id, Type: Contradicts, Weight: new(1.0)})
	}
	p.draft.Links, p.draft.Contradicts = nil, nil
	if !same {
		if err := im.space.rememberOne(tx, &p, im.now); err != nil {
			if errors.Is(err, ErrConflict) || errors.Is(err, ErrCorrupt) {
				return im.bad(n.line, err)
			}
			return err
		}
	}
	switch {
	case same || p.known:
		im.report.Unchanged++
	case p.outcome.Result == Reinforced:
		im.report.Reinforced++
	default:
		im.report.Created++
	}
	if p.known {
		return nil
	}
	if err := p.refer(tx, im.now); err != nil {
		return err
	}
	n.Draft.Links = links
	return im.storeLinks(tx, n, p.outcome.ID)
}

// settled reports whether a draft says nothing of a memory but what is stored: its id and content are known, and so is
// that its source says so. The outcome names the memory that holds the draft's content, if one does.
func (im *importer) settled(tx *store.Tx, p *pending) (bool, error) {
	if p.draft.ID == "" && len(p.draft.Supersedes) == 0 {
		return false, nil // it is looked up when it is stored
	}
	f, known, _, err := p.findKnown(tx, im.now)
	if err != nil || !known {
		return false, err
	}
	r, err := tx.Record(f.Row)
	if err != nil {
		return false, err
	}
	p.outcome = Outcome{ID: r.ID, Result: Reinforced, Version: int(r.Version)}
	if p.draft.ID == "" || p.draft.IdempotencyKey != "" {
		return false, nil
	}
	heard := slices.ContainsFunc(standing(tx.View(), f, r, im.space.model()).Evidence, func(e dynamics.Evidence) bool {
		return e.Source == p.draft.Source && e.Supports
	})
	return heard || p.draft.Source == "", nil
}

// supersedable checks what supersede would refuse, before anything is staged. own is the memory that supersedes, if it
// is known already.
func supersedable(tx *store.Tx, ids []string, own string, now time.Time) error {
	for _, id := range ids {
		f, err := living(tx.View(), id, now)
		if err != nil {
			return err
		}
		if by := f.SupersededBy(); by != "" && by != own {
			return replacedAlready(id, by)
		}
	}
	return nil
}

// storeLinks stages the links to memories that exist and keeps the others for the end of the input.
func (im *importer) storeLinks(tx *store.Tx, n *numbered, from string) error {
	for _, l := range n.Draft.Links {
		_, ok, err := tx.Lookup(l.To)
		if err != nil || !ok || from == l.To {
			if len(im.deferred) < maxDeferred {
				im.deferred = append(im.deferred, deferredLink{n.line, from, l})
				continue
			}
			err := fmt.Errorf("link to %q: more than %d links lead to later lines", l.To, maxDeferred)
			if err := im.bad(n.line, err); err != nil {
				return err
			}
			continue
		}
		if err := link(tx, from, l); err != nil {
			return err
		}
		im.report.Links++
	}
	return nil
}

// deferredLinks stores the links that led to later lines. A strict import, too, stores those that can be: it ends with
// them.
func (im *importer) deferredLinks() error {
	links := im.deferred
	im.deferred = nil
	var strict error
	for len(links) > 0 {
		n := min(len(links), importBatch)
		before, stored := im.report, 0
		err := im.sp.Write(im.ctx, "import", nil, func(tx *store.Tx) error {
			for _, d := range links[:n] {
				err := link(tx, d.from, d.link)
				switch {
				case err == nil:
					stored++
				case refuses(err):
					strict = cmp.Or(strict, im.bad(d.line, fmt.Errorf("link to %q: %w", d.link.To, err)))
				default:
					return err
				}
			}
			return nil
		})
		if err != nil {
			im.report = before
			return errors.Join(strict, fmt.Errorf("import links: %w", err))
		}
		im.report.Links += stored
		links = links[n:]
	}
	return strict
}
