package store

import (
	"fmt"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

// An op is one decision already taken. A frame, the payload of one log record, is a list of ops; applying one calls
// no clock, no randomness and no embedder, so that any replica that applies the same frames holds the same memories.
type op interface {
	kind() uint8
	append(e *codec.Encoder)
	read(d *codec.Decoder)
	// of lists the ids of the memories that the op says something of; "" for none.
	of() [2]string
	// apply stages the op in tx's space. What it adds is invisible until published; what it changes is undone by tx.
	apply(tx *Tx) error
}

// Kinds of ops as they stand in frames; never renumbered.
const (
	kindPut uint8 = iota + 1
	kindArchive
	kindErase
	kindSupersede
	kindReinforce
	kindLink
	kindUnlink
	kindKey
	kindSupersedeDated
	kindAbsent
)

// Kinds of the ops of dynamics.go.
const (
	kindDynamics uint8 = iota + 11
	kindSource
	kindFeedback
)

// kindModel is the op of model names.
const kindModel uint8 = 14

// Kinds of the ops of dynamics.go, sources.go and judged.go since what they tell is dated; the three above are read,
// and no longer written.
const (
	kindDynamicsDated uint8 = iota + 15
	kindSourceDated
	kindJudged
)

func newOp(kind uint8) op {
	switch kind {
	case kindPut:
		return &putOp{}
	case kindArchive:
		return &archiveOp{}
	case kindErase:
		return &eraseOp{}
	case kindSupersede:
		return &supersedeOp{undated: true}
	case kindReinforce:
		return &reinforceOp{}
	case kindLink:
		return &linkOp{}
	case kindUnlink:
		return &unlinkOp{}
	case kindKey:
		return &keyOp{}
	case kindSupersedeDated:
		return &supersedeOp{}
	case kindAbsent:
		return &absentOp{}
	case kindDynamics:
		return &dynamicsOp{undated: true}
	case kindSource:
		return &sourceOp{undated: true}
	case kindFeedback:
		return &feedbackOp{bare: true}
	case kindDynamicsDated:
		return &dynamicsOp{}
	case kindSourceDated:
		return &sourceOp{}
	case kindJudged:
		return &feedbackOp{}
	case kindModel:
		return &modelOp{}
	case kindBegin:
		return &beginOp{}
	case kindEmbed:
		return &embedOp{}
	case kindServe:
		return &serveOp{}
	case kindCancel:
		return &cancelOp{}
	}
	return nil
}

// putOp stores a version of a memory: the first, if no memory of that id exists, else the next. It also makes an
// archived memory active.
type putOp struct {
	record *Record
	vector []float32
	// prepared is the analysis for the lexical index, made outside the lock; nil on replay.
	prepared *prepared
	body     []byte // the encoding of record, made once
}

type archiveOp struct {
	id string
	at int64
}

type eraseOp struct{ id string }

// supersedeOp says that memory old was replaced by memory by and ended being true at until; the space learned it at at.
type supersedeOp struct {
	old, by string
	until   Time
	at      int64
	undated bool // at is not known, NoTime: a kind of its own
}

// absentOp says that a memory, active now, was archived from one instant until another.
type absentOp struct {
	id string
	Span
}

// reinforceOp says that a memory was met again for the count-th time.
type reinforceOp struct {
	id    string
	count uint32
	at    int64
}

// modelOp names the model that makes the space's vectors.
type modelOp struct{ name string }

type linkOp struct {
	from, to, linkType string
	weight             float32
}

type unlinkOp struct{ from, to, linkType string }

// keyOp remembers what the write with an idempotency key did.
type keyOp struct{ Key }

// Key is what an idempotency key stands for.
type Key struct {
	Name        string
	Fingerprint uint64 // of the request
	ID          string
	Result      string
	Version     uint32
}

func (*putOp) kind() uint8     { return kindPut }
func (*archiveOp) kind() uint8 { return kindArchive }
func (*eraseOp) kind() uint8   { return kindErase }

func (o *supersedeOp) kind() uint8 {
	if o.undated {
		return kindSupersede
	}
	return kindSupersedeDated
}
func (*reinforceOp) kind() uint8 { return kindReinforce }
func (*linkOp) kind() uint8      { return kindLink }
func (*unlinkOp) kind() uint8    { return kindUnlink }
func (*keyOp) kind() uint8       { return kindKey }
func (*absentOp) kind() uint8    { return kindAbsent }
func (*modelOp) kind() uint8     { return kindModel }

func (o *putOp) of() [2]string       { return [2]string{o.record.ID} }
func (o *archiveOp) of() [2]string   { return [2]string{o.id} }
func (o *eraseOp) of() [2]string     { return [2]string{o.id} }
func (o *supersedeOp) of() [2]string { return [2]string{o.old} }
func (o *reinforceOp) of() [2]string { return [2]string{o.id} }
func (o *linkOp) of() [2]string      { return [2]string{o.from, o.to} }
func (o *unlinkOp) of() [2]string    { return [2]string{o.from, o.to} }
func (o *keyOp) of() [2]string       { return [2]string{} }
func (o *absentOp) of() [2]string    { return [2]string{o.id} }
func (o *modelOp) of() [2]string     { return [2]string{} }
func (o *dynamicsOp) of() [2]string  { return [2]string{o.id} }
func (o *sourceOp) of() [2]string    { return [2]string{} }
func (o *feedbackOp) of() [2]string  { return [2]string{o.Memory} }
func (o *beginOp) of() [2]string     { return [2]string{} }
func (o *embedOp) of() [2]string     { return [2]string{o.id} }
func (o *serveOp) of() [2]string     { return [2]string{} }
func (o *cancelOp) of() [2]string    { return [2]string{} }

func (o *putOp) append(e *codec.Encoder) {
	e.Bytes(o.body)
	e.Uvarint(uint64(len(o.vector)))
	e.Raw(vec.Bytes(o.vector))
}

func (o *putOp) read(d *codec.Decoder) {
	o.body = d.Bytes()
	o.vector = readVector(d)
	if d.Err() != nil {
		return
	}
	record, err := readRecord(o.body)
	if err != nil {
		d.Fail(err)
		return
	}
	o.record = record
}

// readVector reads a dimension and so many floats; nil if it is 0.
func readVector(d *codec.Decoder) []float32 {
	n := d.Count(4)
	if n > segment.MaxDim {
		d.Fail(fmt.Errorf("vector of %d dimensions, at most %d are possible", n, segment.MaxDim))
		return nil
	}
	raw := d.Raw(4 * n)
	if d.Err() != nil || n == 0 {
		return nil
	}
	floats, err := vec.Floats(append([]byte(nil), raw...))
	if err != nil {
		d.Fail(err)
	}
	return floats
}

func (o *archiveOp) append(e *codec.Encoder) { e.String(o.id); e.U64(uint64(o.at)) }
func (o *archiveOp) read(d *codec.Decoder)   { o.id, o.at = d.String(), int64(d.U64()) }
func (o *eraseOp) append(e *codec.Encoder)   { e.String(o.id) }
func (o *eraseOp) read(d *codec.Decoder)     { o.id = d.String() }

func (o *supersedeOp) append(e *codec.Encoder) {
	e.String(o.old)
	e.String(o.by)
	appendTime(e, o.until)
	if !o.undated {
		e.U64(uint64(o.at))
	}
}

func (o *supersedeOp) read(d *codec.Decoder) {
	o.old, o.by, o.until, o.at = d.String(), d.String(), readTime(d), NoTime
	if !o.undated {
		o.at = int64(d.U64())
	}
}

func (o *modelOp) append(e *codec.Encoder) { e.String(o.name) }

func (o *modelOp) read(d *codec.Decoder) {
	if o.name = d.String(); len(o.name) == 0 || len(o.name) > maxModelBytes {
		d.Fail(fmt.Errorf("name of a model of %d bytes, 1 to %d are possible", len(o.name), maxModelBytes))
	}
}

func (o *absentOp) append(e *codec.Encoder) { e.String(o.id); appendSpan(e, o.Span) }
func (o *absentOp) read(d *codec.Decoder)   { o.id, o.Span = d.String(), readSpan(d) }

func (o *reinforceOp) append(e *codec.Encoder) {
	e.String(o.id)
	e.U32(o.count)
	e.U64(uint64(o.at))
}

func (o *reinforceOp) read(d *codec.Decoder) {
	o.id, o.count, o.at = d.String(), d.U32(), int64(d.U64())
}

func (o *linkOp) append(e *codec.Encoder) {
	e.String(o.from)
	e.String(o.to)
	e.String(o.linkType)
	e.F32(o.weight)
}

func (o *linkOp) read(d *codec.Decoder) {
	o.from, o.to, o.linkType, o.weight = d.String(), d.String(), d.String(), d.F32()
}

func (o *unlinkOp) append(e *codec.Encoder) { e.String(o.from); e.String(o.to); e.String(o.linkType) }

func (o *unlinkOp) read(d *codec.Decoder) {
	o.from, o.to, o.linkType = d.String(), d.String(), d.String()
}

func (o *keyOp) append(e *codec.Encoder) { appendKey(e, o.Key) }
func (o *keyOp) read(d *codec.Decoder)   { o.Key = readKey(d) }

func appendKey(e *codec.Encoder, k Key) {
	e.String(k.Name)
	e.U64(k.Fingerprint)
	e.String(k.ID)
	e.String(k.Result)
	e.U32(k.Version)
}

func readKey(d *codec.Decoder) Key {
	return Key{Name: d.String(), Fingerprint: d.U64(), ID: d.String(), Result: d.String(), Version: d.U32()}
}
