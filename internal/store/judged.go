package store

import (
	"fmt"
	"iter"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
)

// MaxFeedback is how many records of feedback a space keeps: the newest, up to a chunk more.
const MaxFeedback = 100_000

// FeedbackRecord is one judgement of one memory as it was when it was given: what weights are fitted to.
type FeedbackRecord struct {
	// Memory is the id. View.Feedback leaves it out and gives Row, which View.ID reads it from.
	Memory   string
	Row      uint32 // of the memory's current version
	Entry    uint32 // the same for all records of one memory, in this process
	At       int64  // nanoseconds since 1970 UTC
	Position uint64 // the log position of the write that brought it
	Signal   string
	Grade    uint8 // as dynamics.Grade; 0 if the signal has none
	Used     bool
	Verified bool
	// Retrievability is what the model predicted before the judgement, Days the time since the last use.
	Retrievability float32
	Days           float64
	FeedbackContext
}

// FeedbackContext is what is told of a judgement besides.
type FeedbackContext struct {
	Rank    int // in the recall that it came from, counted from 1; 0 if none was named
	Score   float64
	Terms   []FeedbackTerm // of that hit
	Source  string         // who judged
	Reason  string
	EventID string
	During  string // the session in which it was given
	By      string // the memory that contradicts
}

// FeedbackTerm is one part of a hit's score.
type FeedbackTerm struct {
	Name  string
	Value float64
}

// judged is a record as it is kept: 56 bytes, and what was told besides.
type judged struct {
	at, position   int64
	days           float64
	context        string // the encoding of a FeedbackContext; "" for an empty one
	entry          uint32
	signal         uint32 // its symbol
	retrievability float32
	grade          uint8
	flags          uint8
}

const (
	flagUsed uint8 = 1 << iota
	flagVerified
)

// feedbackChunk is how many records are allocated at a time: few, since most spaces have few. Chosen.
const feedbackChunk = 128

// feedbackLog is a list that only grows at its end, and loses whole chunks at its beginning. It is a value: who holds
// one sees what it was then, since what is added lies beyond its end.
type feedbackLog struct {
	chunks []*[feedbackChunk]judged
	n      int // records in chunks
}

// add is called by one writer at a time.
func (l *feedbackLog) add(r *judged) {
	if l.n == len(l.chunks)*feedbackChunk {
		l.chunks = append(slices.Clone(l.chunks), new([feedbackChunk]judged))
	}
	l.chunks[l.n/feedbackChunk][l.n%feedbackChunk] = *r
	l.n++
	if l.n >= MaxFeedback+feedbackChunk {
		l.chunks = slices.Clone(l.chunks[1:])
		l.n -= feedbackChunk
	}
}

func (l *feedbackLog) all() iter.Seq[*judged] {
	return func(yield func(*judged) bool) {
		for i := range l.n {
			if !yield(&l.chunks[i/feedbackChunk][i%feedbackChunk]) {
				return
			}
		}
	}
}

// Feedback goes through the records of feedback, in the order in which they came. Those of memories that were erased
// are gone with them.
func (v *View) Feedback() iter.Seq[FeedbackRecord] {
	return func(yield func(FeedbackRecord) bool) {
		t := v.s.t
		for j := range v.feedback.all() {
			st := t.state(j.entry, v.Position)
			if st.erased {
				continue
			}
			r := FeedbackRecord{
				Row: st.row, Entry: j.entry, At: j.at, Position: uint64(j.position),
				Signal: t.symbols.names.Get(j.signal), Grade: j.grade, Used: j.flags&flagUsed != 0,
				Verified: j.flags&flagVerified != 0, Retrievability: j.retrievability, Days: j.days,
			}
			if j.context != "" {
				d := codec.NewDecoder([]byte(j.context))
				r.FeedbackContext = readContext(d) // encoded by this process
			}
			if !yield(r) {
				return
			}
		}
	}
}

// Judgements counts the records, those of erased memories included.
func (v *View) Judgements() int { return v.feedback.n }

// feedbackOp adds to the record of feedback.
type feedbackOp struct {
	FeedbackRecord
	bare bool // without what is told besides the hit: a kind of its own, no longer written
}

func (o *feedbackOp) kind() uint8 {
	if o.bare {
		return kindFeedback
	}
	return kindJudged
}

func (o *feedbackOp) takenAt() int64 { return o.At }

func (o *feedbackOp) append(e *codec.Encoder) {
	r := &o.FeedbackRecord
	if o.bare {
		panic("store: a kind of operation that is not written any more")
	}
	e.String(r.Memory)
	appendJudgement(e, r)
	appendContext(e, &r.FeedbackContext)
}

func (o *feedbackOp) read(d *codec.Decoder) {
	if o.bare {
		o.FeedbackRecord = readBareFeedback(d)
		return
	}
	o.Memory = d.String()
	readJudgement(d, &o.FeedbackRecord)
	o.FeedbackContext = readContext(d)
}

func (o *feedbackOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.Memory)
	if err != nil {
		return err
	}
	isolate.Point("store/feedback")
	tx.view.feedback.add(tx.t.judged(f.entry, &o.FeedbackRecord))
	return nil
}

// judged makes of a record what is kept.
func (t *table) judged(entry uint32, r *FeedbackRecord) *judged {
	j := &judged{
		at: r.At, position: int64(r.Position), days: r.Days, entry: entry, signal: t.symbols.intern(r.Signal),
		retrievability: r.Retrievability, grade: r.Grade,
	}
	if r.Used {
		j.flags |= flagUsed
	}
	if r.Verified {
		j.flags |= flagVerified
	}
	if !r.FeedbackContext.empty() {
		var e codec.Encoder
		appendContext(&e, &r.FeedbackContext)
		j.context = string(e.Buf)
	}
	return j
}

func (c *FeedbackContext) empty() bool {
	return c.Rank == 0 && c.Score == 0 && len(c.Terms) == 0 && c.Source == "" && c.Reason == "" && c.EventID == "" &&
		c.During == "" && c.By == ""
}

// appendJudgement writes a record without its memory and what is told besides.
func appendJudgement(e *codec.Encoder, r *FeedbackRecord) {
	e.U64(uint64(r.At))
	e.Uvarint(r.Position)
	e.String(r.Signal)
	e.U8(r.Grade)
	e.Bool(r.Used)
	e.Bool(r.Verified)
	e.F32(r.Retrievability)
	e.F64(r.Days)
}

func readJudgement(d *codec.Decoder, r *FeedbackRecord) {
	r.At, r.Position, r.Signal = int64(d.U64()), d.Uvarint(), d.String()
	r.Grade, r.Used, r.Verified, r.Retrievability, r.Days = d.U8(), d.Bool(), d.Bool(), d.F32(), d.F64()
	if d.Err() == nil && r.Signal == "" {
		d.Fail(fmt.Errorf("judgement without a signal"))
	}
}

func appendContext(e *codec.Encoder, c *FeedbackContext) {
	e.Uvarint(uint64(c.Rank))
	e.F64(c.Score)
	appendTerms(e, c.Terms)
	for _, s := range []string{c.Source, c.Reason, c.EventID, c.During, c.By} {
		e.String(s)
	}
}

func readContext(d *codec.Decoder) FeedbackContext {
	c := FeedbackContext{Rank: int(d.Uvarint()), Score: d.F64(), Terms: readTerms(d)}
	for _, s := range []*string{&c.Source, &c.Reason, &c.EventID, &c.During, &c.By} {
		*s = d.String()
	}
	return c
}

func appendTerms(e *codec.Encoder, terms []FeedbackTerm) {
	e.Uvarint(uint64(len(terms)))
	for _, t := range terms {
		e.String(t.Name)
		e.F64(t.Value)
	}
}

func readTerms(d *codec.Decoder) (terms []FeedbackTerm) {
	for range d.Count(9) {
		terms = append(terms, FeedbackTerm{Name: d.String(), Value: d.F64()})
	}
	return terms
}

// readBareFeedback reads a record as it was written before there was a context.
func readBareFeedback(d *codec.Decoder) FeedbackRecord {
	r := FeedbackRecord{Memory: d.String(), At: int64(d.U64()), Position: d.Uvarint(), Signal: d.String()}
	r.Grade, r.Used, r.Retrievability, r.Days = d.U8(), d.Bool(), float32(d.F64()), d.F64()
	r.Rank, r.Score = int(d.Uvarint()), d.F64()
	r.Terms = readTerms(d)
	return r
}
