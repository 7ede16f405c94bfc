package recall

import (
	"math"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

// NoTime stands for a time that was not given. Every other value is an instant, in nanoseconds since 1970 UTC, 0
// included.
const NoTime = int64(math.MinInt64)

// NoSymbol is a symbol that no memory has: what a filter by an unknown name asks for. Symbol 0 is the empty name.
const NoSymbol = ^uint32(0)

// Facts are what is known of a row besides its text and its vector: 64 bytes. Times are as NoTime says; names and
// sets of tags are numbers that the store gives.
type Facts struct {
	OccurredAt int64
	ValidFrom  int64 // NoTime: since ever
	ValidUntil int64 // NoTime: for ever
	ExpiresAt  int64 // NoTime: never
	Entry      uint32
	Kind       uint32
	Speaker    uint32
	Session    uint32
	Tags       uint32 // a set: see Source.TagSet
	Source     uint32 // the store's number
	// Odds are the log-odds that its writer gave; NaN if the writer leaves that to what is known of the source.
	Odds   float32
	Pinned bool
	// StoredVector says that it was stored with a vector; which counts no more where vectors were replaced since.
	StoredVector bool
	Zone         int16 // of OccurredAt, in minutes east of UTC
}

// Corpus is one consistent view of a space's memories. It is immutable while a recall runs and may be used by any
// number of them.
type Corpus struct {
	Rows     uint32 // rows from here on do not exist for the reader
	Position uint64 // log position of the view
	Facts    *isolate.Column[Facts]
	// Current are the memories that recall goes by. Known are these and the superseded ones, for recall by ValidAt; if
	// its Ends are nil, no memory was ever superseded.
	Current Population
	Known   Population
	// Expiring is false only if no row below Rows has an ExpiresAt.
	Expiring bool
	Words    *lexical.Index
	Chain    *graph.Chain
	Links    *graph.Links
	// Vectors hold the embeddings, of Dim dimensions; Dim is 0 if there is none.
	Vectors []ann.Part
	Dim     int
	Metric  ann.Metric
	Source  Source
	// Touched is above 0 if any memory has a history.
	Touched int
}

// Population is a set of rows: those below Corpus.Rows that Ends holds alive at Corpus.Position.
type Population struct {
	Ends   *isolate.Stamps // has a stamp for every row below Rows
	Docs   int             // rows in the population
	Tokens int64           // the sum of their lengths in tokens
}

// Source tells of a corpus what is looked up for few rows only.
type Source interface {
	// ID reads the id of a row's memory; an error means that the row is damaged.
	ID(row uint32) (string, error)
	// Row gives the row of an entry's version at the corpus's position; false if there is none.
	Row(entry uint32) (row uint32, ok bool)
	// Until is the end of validity that supersession gave a row's memory; NoTime if it is not superseded.
	Until(row uint32) int64
	// Symbol gives the number of a name; NoSymbol if no memory has it.
	Symbol(name string) uint32
	// Text reads the content of a row's memory; an error means that the row is damaged.
	Text(row uint32) (string, error)
	// Speaks reports whether a symbol is the name of a speaker.
	Speaks(symbol uint32) bool
	// TagSet lists the symbols of a set of tags. Nobody may write to it.
	TagSet(set uint32) []uint32
	// History is what is known of a row's memory besides what it says; false if nobody said anything of it.
	History(row uint32) (dynamics.State, bool)
	// Standing is what scores ask of the History of an entry.
	Standing(entry uint32) (dynamics.Standing, bool)
	// Confidence is how far a row's memory is believed: as [dynamics.Tally.Confidence]; 0 if it cannot be read.
	Confidence(row uint32) float64
}

// contains reports whether row is in the population.
func (p *Population) contains(c *Corpus, row uint32) bool {
	return row < c.Rows && p.Ends.EndsAfter(row, c.Position)
}

// view is the population as the lexical index wants it.
func (p *Population) view(c *Corpus) lexical.View {
	return lexical.View{Rows: c.Rows, At: c.Position, Ends: p.Ends, Docs: p.Docs, Tokens: p.Tokens}
}
