package engram

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Options say how a directory is opened. The zero value gives the defaults. They are fixed once Open returned.
type Options struct {
	// Clock tells the time; nil is time.Now. It may go back: positions and versions still only grow.
	Clock func() time.Time
	// Rand is where ids come from; nil is crypto/rand.
	Rand io.Reader
	// Limits bound what is accepted; zero fields mean the defaults.
	Limits Limits
	// Metric compares vectors in spaces that are made from now on: "cosine" (the default) or "dot".
	Metric string
	// Dim fixes the dimension of vectors, 8 to 4096, in spaces that are made from now on; 0 leaves it to the first
	// vector.
	Dim int
	// EmbeddingModel names what makes vectors that come without a name of their own, up to 128 bytes; "" leaves them
	// without. A space whose vectors are of another model refuses them.
	EmbeddingModel string
	// Language is that of every memory and question that names none: one of [Languages] or its ISO 639 code; "none"
	// neither stems words nor leaves stop words out. "" finds the language of each out, and takes what says too little
	// for English.
	Language string
	// K1 and B are BM25's parameters. nil means 0.9 and 0.4 where memories have 30 words or fewer on average, stop
	// words left out, 1.5 and 0.75 from 90 on, and what lies between on a straight line. K1 is 0 or more, B lies in
	// [0,1].
	K1, B *float64
	// MaxMemories is how many active memories a space holds; 0 is no limit. A write that makes them more archives those
	// of least worth in the same step: by the odds that they are needed, which fall with the time since the last use
	// and rise with useful feedback, times the probability that they are true; of equals the lesser ids. It archives 1
	// % of the limit more than it must, so that not every write has to, and never a pinned memory or what it brings
	// itself: if that leaves too few, it is refused with ErrTooLarge. Restore brings an archived memory back. A space
	// that holds more already is brought below the limit by the writes that add to it, each by up to 20,000 memories.
	MaxMemories int
	// Budgets bound what everything that is stored may take; by default nothing does.
	Budgets Budgets
	// LinkUsedTogether lets associations grow between memories that one Feedback says were useful together. Off unless
	// asked for: in a simulated year they cost .08 of hit@1, where what is needed together has no word in common they
	// find .08 of it instead of .01 among the first five (bench year; docs/design/0009 says why).
	LinkUsedTogether bool
	// MaxOpenSpaces is how many spaces are kept open when nobody uses them; 0 means 128.
	MaxOpenSpaces int
	// IdleTimeout is after how long an unused space is closed; 0 means 5 minutes.
	IdleTimeout time.Duration
	// HotBytes is the size at which a space's memory is sealed into a segment; 0 means 16 MiB.
	HotBytes int64
	// LogKeepBytes is how much of each space's log stays behind sealings, so that an incremental backup finds what was
	// written since the one before; 0 means 16 MiB, negative keeps none.
	LogKeepBytes int64
	// ScrubBytesPerSecond lets a scrubber read through all spaces again and again at this pace, in the background, so
	// that damage in what nobody reads is found in time; see DB.ScrubReport and DB.Ready. 0 means none.
	ScrubBytesPerSecond int64
	// Consolidation lets restatements be consolidated in the background; by default they are not.
	Consolidation BackgroundConsolidation

	// Compaction says when spaces are compacted in the background; by default they are.
	Compaction BackgroundCompaction

	// OnTorn, if not nil, is told when a space is opened from whose log the rest of a write had to be dropped that a
	// crash cut off. It is called before the call that opened the space goes on, may be called from several goroutines
	// at once, and must not use the DB. What it panics with is nobody's error.
	OnTorn func(Torn)

	// Without switches mechanisms off, for measuring what each is worth: names of [Mechanisms]. What is stored
	// meanwhile stays as it came out. The terms of a score are switched off in a [Cue].
	Without []string

	// fs is where everything is stored; nil is the operating system. For the tests of this package.
	fs vfs.FS
	// markAfter is store.Options.LogMarkAfter. What those tests see of their files then depends on no clock.
	markAfter time.Duration
}

// markAfter is much longer than a write takes, so that a lone writer that goes on and on is spared nearly all marks,
// and shorter than it takes anybody to find a process killed (chosen).
const markAfter = 2 * time.Millisecond

// Limits bound what one call may bring or ask for, checked before anything is allocated or stored. Sizes are bytes of
// UTF-8. Zero fields mean the defaults.
type Limits struct {
	Content    int // of a memory; 65,536
	Batch      int // memories in RememberBatch; 1,000
	BatchBytes int // content and vectors of a batch; 16 MiB
	Tags       int // on a memory; 32, of 128 bytes each
	Metadata   int // keys and values of a memory together; 16,384
	Links      int // on a draft; 64
	Query      int // text of a cue; 8,192
	Hits       int // Limit of a cue; 1,000
	IDs        int // ids in one request; 1,000
	Result     int // contents of an answer together; 64 MiB
}

// DefaultLimits are the limits of a database that was given none.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

// Fixed limits, in bytes of UTF-8.
const (
	maxIDBytes     = 128
	maxNameBytes   = 64 // kinds, types of associations
	maxTagBytes    = 128
	maxPersonBytes = 256 // speakers, sessions
	maxSourceBytes = 2048
	maxModelBytes  = 128
	maxReasonBytes = 2048
	maxSpaceName   = 64
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Content: cmp.Or(l.Content, 64<<10), Batch: cmp.Or(l.Batch, 1000), BatchBytes: cmp.Or(l.BatchBytes, 16<<20),
		Tags: cmp.Or(l.Tags, 32), Metadata: cmp.Or(l.Metadata, 16<<10), Links: cmp.Or(l.Links, 64),
		Query: cmp.Or(l.Query, 8<<10), Hits: cmp.Or(l.Hits, 1000), IDs: cmp.Or(l.IDs, 1000),
		Result: cmp.Or(l.Result, 64<<20),
	}
}

// maxRecordBytes is what a log record may hold: limits above it would accept what cannot be stored.
const maxRecordBytes = 24 << 20

func (l Limits) validate() error {
	for _, f := range []struct {
		name  string
		value int
		most  int
	}{
		{"Limits.Content", l.Content, 1 << 20},
		{"Limits.Batch", l.Batch, 100_000},
		{"Limits.BatchBytes", l.BatchBytes, maxRecordBytes * 3 / 4},
		{"Limits.Tags", l.Tags, 1000},
		{"Limits.Metadata", l.Metadata, 1 << 20},
		{"Limits.Links", l.Links, 10_000},
		{"Limits.Query", l.Query, 1 << 20},
		{"Limits.Hits", l.Hits, 100_000},
		{"Limits.IDs", l.IDs, 100_000},
		{"Limits.Result", l.Result, 1 << 30},
	} {
		if f.value < 1 || f.value > f.most {
			return &InvalidError{Field: f.name, Value: fmt.Sprint(f.value), Allowed: fmt.Sprintf("use 1 to %d", f.most)}
		}
	}
	return nil
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.fs == nil {
		o.fs, o.markAfter = vfs.OS{}, markAfter
	}
	o.Limits = o.Limits.withDefaults()
	o.Metric = cmp.Or(o.Metric, "cosine")
	o.MaxOpenSpaces = cmp.Or(o.MaxOpenSpaces, 128)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 5*time.Minute)
	o.HotBytes = cmp.Or(o.HotBytes, 16<<20)
	o.Compaction = o.Compaction.withDefaults()
	o.LogKeepBytes = cmp.Or(o.LogKeepBytes, 16<<20)
	return o
}

// validate refuses what cannot take effect.
func (o Options) validate() error {
	switch {
	case o.Metric != "cosine" && o.Metric != "dot":
		return &InvalidError{Field: "Options.Metric", Value: quote(o.Metric), Allowed: `use "cosine" or "dot"`}
	case validModel(o.EmbeddingModel) != nil:
		return inField(validModel(o.EmbeddingModel), "Options")
	case o.Dim != 0 && (o.Dim < store.MinDim || o.Dim > maxDim):
		return &InvalidError{
			Field: "Options.Dim", Value: fmt.Sprint(o.Dim),
			Allowed: fmt.Sprintf("use %d to %d, or 0", store.MinDim, maxDim),
		}
	case o.MaxMemories < 0:
		return &InvalidError{
			Field: "Options.MaxMemories", Value: fmt.Sprint(o.MaxMemories), Allowed: "use 1 or more, or 0",
		}
	case o.MaxOpenSpaces < 1:
		return &InvalidError{
			Field: "Options.MaxOpenSpaces", Value: fmt.Sprint(o.MaxOpenSpaces), Allowed: "use 1 or more",
		}
	case o.IdleTimeout < 0:
		return &InvalidError{
			Field: "Options.IdleTimeout", Value: o.IdleTimeout.String(), Allowed: "use a duration above 0",
		}
	case o.ScrubBytesPerSecond < 0:
		return &InvalidError{
			Field: "Options.ScrubBytesPerSecond", Value: fmt.Sprint(o.ScrubBytesPerSecond), Allowed: "use 0 or more",
		}
	case o.HotBytes < 4096:
		return &InvalidError{Field: "Options.HotBytes", Value: fmt.Sprint(o.HotBytes), Allowed: "use 4096 or more"}
	}
	if err := o.Budgets.validate(); err != nil {
		return err
	}
	if err := o.validateWithout(); err != nil {
		return err
	}
	if err := o.Consolidation.validate(); err != nil {
		return err
	}
	if err := o.Compaction.validate(); err != nil {
		return err
	}
	return o.Limits.validate()
}

func (o Options) settings() store.Settings {
	s := store.Settings{Dim: o.Dim, Metric: ann.Cosine}
	if o.Metric == "dot" {
		s.Metric = ann.Dot
	}
	return s
}
