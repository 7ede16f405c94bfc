package engram

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/strictjson"
)

// ReembedOptions say how the vectors of a space are replaced.
type ReembedOptions struct {
	// Model names what makes the new vectors: 1 to 128 bytes.
	Model string
	// Dim is their dimension, 8 to 4096; 0 takes that of the first vector, or of those that are being built already.
	Dim int
	// Partial keeps what is given and does not swap: more will come.
	Partial bool
	// AllowMissing swaps although some memories have no new vector. They have none then.
	AllowMissing bool
	// Batch is how many texts [Space.ReembedBy] gives its Embedder at once: 1 to 1000; 0 means 32.
	Batch int
	// Progress, if not nil, is called now and then with the report so far. It runs on the calling goroutine.
	Progress func(ReembedReport)
}

// ReembedReport says how far the replacing of vectors has come.
type ReembedReport struct {
	Model string `json:"embedding_model"`
	Dim   int    `json:"dim"`
	// Embedded counts vectors that this call added, Unchanged those that were there already.
	Embedded  int `json:"embedded"`
	Unchanged int `json:"unchanged"`
	// Built counts the memories whose current version has a new vector; Missing those that have an old one and no new
	// one, and MissingIDs names the first of them, at most 10.
	Built      int      `json:"built"`
	Missing    int      `json:"missing"`
	MissingIDs []string `json:"missing_ids,omitempty"`
	// Served says that the new vectors are the ones that serve now.
	Served bool `json:"served"`
	// Bad are the refused lines, the first 100 of them; BadCount counts all.
	Bad      []BadLine `json:"bad,omitempty"`
	BadCount int       `json:"bad_count"`
}

// Reembedding tells of the vectors that are being built beside those that serve.
type Reembedding struct {
	Model string `json:"embedding_model"`
	Dim   int    `json:"dim"`
	// Built and Missing are as in ReembedReport.
	Built   int `json:"built"`
	Missing int `json:"missing"`
}

// MissingError is returned when vectors are to be swapped and some memories would be left without one. It matches
// ErrConflict. What was given is kept.
type MissingError struct {
	Model   string
	Missing int
	IDs     []string // the first of them, at most 10
}

// Error says how many and which.
func (e *MissingError) Error() string {
	more := ""
	if e.Missing > len(e.IDs) {
		more = " and more"
	}
	return fmt.Sprintf("embeddings of model %q are still missing: %d (%s%s): give the rest, or allow that they are "+
		"missing; the former embeddings go on serving", e.Model, e.Missing, strings.Join(e.IDs, ", "), more)
}

// Is reports whether target is ErrConflict.
func (e *MissingError) Is(target error) bool { return target == ErrConflict }

const (
	maxMissingIDs = 10
	// reembedRounds is how often memories that were written meanwhile are gone after: chosen.
	reembedRounds = 100
)

// Reembed replaces the vectors of a space by those of another model, or other ones of the same. It reads JSON lines of
//
//	{"id": "…", "version": 3, "embedding": […]}
//
// with embedding_b64 in the place of embedding if that is preferred: the vector of that version of that memory. When
// all are read, and no memory that has a vector now would be without one, the new vectors take the place of the former
// in one step; else nothing changes and the error is a *[MissingError]. Until that step every recall goes by the former
// vectors.
//
// What is given is kept, durably, until the swap or [Space.CancelReembedding]: a call that was cut off, or that lacked
// some, is followed by another with the rest, or with everything again. Only one model's vectors are built at a time;
// another Model or Dim is an ErrConflict. A memory that is written or changed meanwhile is one that is missing. Vectors
// may be given for former versions, too: without them questions about the past (Cue.AsOf) go by words alone.
//
// A bad line is reported with its number and stops nothing; such are those of memories that do not exist and of
// versions that are no longer, or not yet, there. Recalls and writes that name the former model are refused behind the
// swap.
func (s *Space) Reembed(ctx context.Context, r io.Reader, o ReembedOptions) (ReembedReport, error) {
	e := &reembedder{ctx: ctx, space: s, o: o, report: ReembedReport{Model: o.Model, Dim: o.Dim}}
	if err := o.validate(); err != nil {
		return e.report, err
	}
	err := s.with(ctx, "reembed", s.name == DefaultSpace, func(sp *store.Space) error {
		e.sp = sp
		if err := e.lines(r); err != nil {
			return err
		}
		return e.finish(false)
	})
	return e.report, err
}

// CancelReembedding lets go of the vectors that are being built: those that serve go on. If none are it is an
// ErrConflict.
func (s *Space) CancelReembedding(ctx context.Context) error {
	return s.with(ctx, "cancel reembedding", s.name == DefaultSpace, func(sp *store.Space) error {
		return sp.Write(ctx, "cancel reembedding", nil, func(tx *store.Tx) error { return tx.CancelVectors() })
	})
}

// NameEmbeddings says which model made the vectors that were stored without a name: nobody else can know, so that a
// name that comes with a later vector is refused until then. Where the vectors have a name, another one is refused
// (ErrEmbeddingModel).
func (s *Space) NameEmbeddings(ctx context.Context, model string) error {
	if err := (ReembedOptions{Model: model}).validate(); err != nil {
		return err
	}
	return s.with(ctx, "name embeddings", s.name == DefaultSpace, func(sp *store.Space) error {
		return sp.Write(ctx, "name embeddings", nil, func(tx *store.Tx) error { return tx.NameUnnamed(model) })
	})
}

func (o ReembedOptions) validate() error {
	c := &checks{}
	c.name("embedding_model", o.Model, maxModelBytes)
	switch {
	case c.err == nil && o.Model == "":
		c.fail("embedding_model", "", "name the model that makes the new embeddings")
	case o.Dim != 0:
		c.between("dim", o.Dim, store.MinDim, maxDim)
	}
	if o.Batch != 0 {
		c.between("batch", o.Batch, 1, 1000)
	}
	return c.err
}

// reembedder replaces the vectors of one space.
type reembedder struct {
	ctx    context.Context
	space  *Space
	sp     *store.Space
	o      ReembedOptions
	report ReembedReport
	batch  []reembedded
	size   int
}

// reembedLine is a line of Reembed.
type reembedLine struct {
	ID           string    `json:"id"`
	Version      int       `json:"version" min:"1"`
	Embedding    []float32 `json:"embedding,omitempty"`
	EmbeddingB64 *string   `json:"embedding_b64,omitempty"`
}

// reembedded is one vector to be stored, from a line or, line 0, from an Embedder.
type reembedded struct {
	line int
	reembedLine
}

func (e *reembedder) bad(line int, err error) {
	e.report.BadCount++
	if len(e.report.Bad) < maxBadLines {
		e.report.Bad = append(e.report.Bad, BadLine{Line: line, Error: err.Error()})
	}
}

// lines reads and stores the input.
func (e *reembedder) lines(r io.Reader) error {
	decoder, in := strictjson.NewDecoder[reembedLine](), bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		if err := e.ctx.Err(); err != nil {
			return fmt.Errorf("reembed: %w", err)
		}
		raw, tooLong, err := readLine(in)
		if text := bytes.TrimSpace(raw); tooLong {
			e.bad(number, fmt.Errorf("longer than %d bytes: %w", maxLineBytes, ErrTooLarge))
		} else if len(text) > 0 {
			if err := e.line(decoder, number, text); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return e.flush()
		}
		if err != nil {
			return fmt.Errorf("reembed: read input: %w", errors.Join(err, e.flush()))
		}
	}
}

func (e *reembedder) line(decoder *strictjson.Decoder[reembedLine], number int, raw []byte) (err error) {
	one := reembedded{line: number}
	if one.reembedLine, err = decoder.Decode(raw); err == nil {
		one.Embedding, err = strictjson.Vector("", one.Embedding, one.EmbeddingB64)
	}
	if err == nil {
		c := &checks{}
		c.id("id", one.ID)
		c.between("version", one.Version, 1, 1<<31-1)
		if len(one.Embedding) == 0 {
			c.fail("embedding", "missing", "give the vector, or leave out the line")
		}
		c.vector("embedding", one.Embedding)
		err = c.err
	}
	if err != nil {
		e.bad(number, err)
		return nil
	}
	return e.add(one)
}

func (e *reembedder) add(one reembedded) error {
	e.batch = append(e.batch, one)
	e.size += 4 * len(one.Embedding)
	if len(e.batch) < importBatch && e.size < 4<<20 {
		return nil
	}
	return e.flush()
}

// flush stores the vectors gathered so far. One that is refused is a bad line, or, of an Embedder, of a memory that was
// changed or erased meanwhile, which the next round sees.
func (e *reembedder) flush() error {
	batch := e.batch
	e.batch, e.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	before := e.report
	var full error // what is given is kept as far as there is room
	err := e.sp.Write(e.ctx, "reembed", nil, func(tx *store.Tx) error {
		if err := e.begin(tx, len(batch[0].Embedding)); err != nil {
			return err
		}
		for _, one := range batch {
			added, err := tx.Embed(one.ID, uint32(one.Version), one.Embedding)
			if _, ok := errors.AsType[*BudgetError](err); ok {
				full = fmt.Errorf("memory %q: %w", one.ID, err)
				break
			}
			switch {
			case err != nil && !refuses(err):
				return err
			case err != nil && one.line > 0:
				e.bad(one.line, err)
			case err != nil && errors.Is(err, ErrDimension):
				return fmt.Errorf("memory %q: %w", one.ID, err)
			case err != nil:
			case added:
				e.report.Embedded++
			default:
				e.report.Unchanged++
			}
		}
		return isolate.Fault("engram/reembed")
	})
	if err != nil {
		e.report = before
		return fmt.Errorf("reembed: %w", err)
	}
	e.tell(e.sp.View())
	if e.o.Progress != nil {
		e.o.Progress(e.report)
	}
	if full != nil {
		return fmt.Errorf("reembed: %w", full)
	}
	return nil
}

// begin begins to build vectors of dimension dim, unless that was done already.
func (e *reembedder) begin(tx *store.Tx, dim int) error {
	if e.o.Dim != 0 {
		dim = e.o.Dim
	}
	if _, _, building := tx.View().Building(); !building {
		return tx.BeginVectors(e.o.Model, dim)
	}
	return e.sameAs(tx.View(), dim)
}

// sameAs is nil if what is being built, if anything is, is what was asked for. dim is for the error.
func (e *reembedder) sameAs(v *store.View, dim int) error {
	model, size, building := v.Building()
	if building && (model != e.o.Model || e.o.Dim != 0 && e.o.Dim != size) {
		return fmt.Errorf("embeddings of model %q and dimension %d are being built, these are of %q and %d: finish "+
			"or cancel the former first: %w", model, size, e.o.Model, dim, ErrConflict)
	}
	return nil
}

// tell brings the report up to what a view has.
func (e *reembedder) tell(v *store.View) {
	if model, dim, building := v.Building(); building && model == e.o.Model {
		e.report.Dim = dim
	}
	e.report.Built = v.Built()
	e.report.Missing, e.report.MissingIDs = e.missing(v, false)
}

// missing counts the memories without a new vector that have a former one, or with all those that have none either.
func (e *reembedder) missing(v *store.View, all bool) (n int, ids []string) {
	now := e.space.db.o.Clock()
	v.Unbuilt(0, func(_ uint32, f store.Found, served bool) bool {
		if !served && !all || expired(v.ExpiresAt(f.Row), now) {
			return true
		}
		n++
		if len(ids) < maxMissingIDs {
			if id, err := v.ID(f.Row); err == nil {
				ids = append(ids, id)
			}
		}
		return true
	})
	return n, ids
}

// finish makes the new vectors the ones that serve, unless more are to come. all says that a memory that never had a
// vector is missing, too.
func (e *reembedder) finish(all bool) error {
	e.tell(e.sp.View())
	if e.o.Partial {
		return nil
	}
	return e.sp.Write(e.ctx, "reembed", nil, func(tx *store.Tx) error {
		if err := e.sameAs(tx.View(), e.o.Dim); err != nil {
			return err
		}
		n, ids := e.missing(tx.View(), all)
		if n > 0 && !e.o.AllowMissing {
			return &MissingError{Model: e.o.Model, Missing: n, IDs: ids}
		}
		if _, _, building := tx.View().Building(); !building && e.o.Dim == 0 {
			return &InvalidError{
				Field: "embedding", Value: "none given", Allowed: "give some, or the dimension that they will have",
			}
		}
		if err := e.begin(tx, e.o.Dim); err != nil {
			return err
		}
		if err := tx.ServeVectors(); err != nil {
			return err
		}
		e.report.Served = true
		return nil
	})
}

// reembedding tells of the vectors that are being built; nil if none are.
func (s *Space) reembedding(v *store.View) *Reembedding {
	model, dim, building := v.Building()
	if !building {
		return nil
	}
	missing, _ := (&reembedder{space: s}).missing(v, false)
	return &Reembedding{Model: model, Dim: dim, Built: v.Built(), Missing: missing}
}
