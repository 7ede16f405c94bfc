// Package lexical finds memories by their words: an inverted index in memory with BM25 ranking.
//
//	index, err := lexical.New(lexical.Options{})
//	prepared := index.Prepare(lexical.Document{Content: "We met at the old harbour.", Speaker: "Ines"})
//	index.Add(row, prepared) // one writer at a time, rows ascending
//	touched, err := index.Score(ctx, index.Analyze("harbour meetings"), view, scores, nil)
//
// # From text to terms
//
// Text is brought to Unicode normal form NFKC where it is not in it already, cut into words by the rules of Unicode
// Standard Annex 29, folded to lower case, and cut again at every rune that is neither letter, number nor mark: at
// apostrophes ("don't" is don and t), dots, underscores. ASCII text takes a short cut that gives the same tokens.
//
// The language of a document is found out by its stop words, letters and script, unless it or the index names one.
// Words of a language with a stop list lose its stop words; words of more than two letters, all letters, are stemmed by
// the Snowball algorithm of the language. Text without spaces between words (Han, kana, Hangul, Thai, Lao, Khmer,
// Burmese and their neighbours) becomes overlapping pairs of letters; each single letter of such a run is indexed
// beside the pairs, so that a question of one letter finds it too. An emoji is a term of its own, joined sequences as
// one. Terms are cut to 128 bytes, in documents and questions alike.
//
// Names that are put together (getUserById, user_id, a/b.go, v1.24.3) are indexed whole and in parts, numbers and dates
// in one form: see compounds.go. A stop word is indexed where it is written as a name (The Who, IT), in speakers and
// tags, and where a document has nothing else; questions look for it if they have nothing else, or if it is in
// capitals.
//
// What stands aside does not count in a row's length: emoji, letters beside pairs, parts and wholes of names, stop
// words.
//
// A word of a question is stemmed in the language of the index and in every other one that a row alive in the view is
// in.
//
// # Scores
//
// With N the number of rows alive in the view, avg their mean length in tokens, n the number of alive rows that hold
// the term, c its count in the row and len the row's length:
//
//	idf   = ln(1 + (N - n + .5) / (n + .5))
//	score = sum over the question's terms of  weight * idf * c(k1+1) / (c + k1(1 - b + b*len/avg))
//
// Rows that have a term in the very word of the question get the same once more for that word, n and c counted of it,
// times exactWeight.
//
// n is counted at the time of the question over rows alive in the view, so that a deletion takes effect at once and
// the scores depend on nothing but the set of rows alive: not on the order of adding, not on rows that are gone, not
// on a restart. Each row's sum is added up in the order of the question's terms, every product rounded by itself, so
// that it is the same bit for bit on every platform and equal to the sum of [Index.Explain].
//
// A word of the question that no row alive in the view holds is replaced by the terms nearest in spelling: see
// [Index.Expand].
//
// # Times
//
// English expressions of time in the content ("yesterday", "last week", "7 May 2023") are resolved against when the
// memory occurred: [TimesIn], a pure function of both. The first two of a row are kept in 8 bytes, which
// [Index.TellsOf] asks; they score nothing by themselves.
//
// # Invariants
//
//   - A posting list names rows in ascending order, each once; its bytes never move and never change once published.
//   - What is published of a list is one word: its size in bytes and its last row. It is stored after everything it
//     covers, so an Add that a panic interrupts anywhere leaves every list whole; what it did publish are postings of
//     a row that no view holds alive.
//   - The newest rows are in a tail and not yet in the lists; readers take each row from one of the two, which the tail
//     they see decides. Bringing the tail into the lists can be interrupted anywhere, and is done again.
//   - The index holds no deletions: whether a row is alive is for the view to say.
//   - Term ids, the seed of the hash table and the order of adding show in no result.
//
// # Concurrency
//
// Add is for one writer at a time; the caller serialises. Everything else is safe beside it and beside itself, takes
// no lock, and may be called from any goroutine. No goroutines are started.
//
// # Durability
//
// None: the index is derived, and rebuilt from what the store holds.
//
// # Sources
//
// S. E. Robertson, H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and Trends in
// Information Retrieval 3(4), 2009, section 3.4, with the customary factor k1+1, and the idf of Apache Lucene, which is
// never negative. M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980. Unicode
// Standard Annexes 15 and 29.
package lexical

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Defaults of [Options]: DefaultK1 and DefaultB where rows have ShortText tokens or fewer on average, LongK1 and LongB
// from LongText on, and what lies between on a straight line. On dialogue turns (20 tokens) .9/.4 finds .649 of the
// evidence among the first ten and 1.2/.75 .631. On abstracts (100 tokens) the mean average precision is .302 with
// .9/.4, .315 with 1.2/.75, .319 with 1.5/.75; on whole sessions (500 tokens) the last two find the same.
const (
	DefaultK1       = 0.9
	DefaultB        = 0.4
	LongK1          = 1.5
	LongB           = 0.75
	ShortText       = 30
	LongText        = 90
	DefaultLanguage = "english"
)

// Options are the settings of an index; the zero value gives the defaults.
type Options struct {
	// K1 is how slowly further occurrences of a term stop to count: finite and not negative, 0 counts presence only.
	// nil means DefaultK1 to LongK1, by the mean length of the rows.
	K1 *float64
	// B is how much longer rows are held back, in [0,1]. nil means DefaultB to LongB, by the mean length of the rows.
	B *float64
	// Language is that of all documents and questions that name none: one of [Languages], or its ISO 639 code. "none"
	// neither stems nor stops. "" finds the language of each by what it says; where that is too little it is
	// DefaultLanguage.
	Language string
	// StopWords are left out of documents and questions of every language. nil means each language's own list; an empty
	// slice means none.
	StopWords []string
	// Plain leaves text at what separators leave of it: no parts and wholes of identifiers, no normal forms of numbers
	// and dates, no stop words that are names. Published figures of BM25 are made like that.
	Plain bool
	// Unstemmed leaves words as they are, and Undated leaves the words of a document's day out.
	Unstemmed, Undated bool
}

// Document is what is indexed of one memory.
type Document struct {
	// Content, Speaker and Tags are indexed as text, one bag of words.
	Content string
	Speaker string
	Tags    []string
	// When is indexed as the words of its day in its own zone, as in "8 may 2023"; the zero time is not indexed.
	When time.Time
	// Language is as in Options; "" is the index's own, or found out. A language that is not known is segmented and
	// folded only.
	Language string
	// Found is the language that the content was found to be in when that was found out first, and "" is too little to
	// tell. It counts where Language is "" and the index has no language of its own; nil is found out now.
	Found *string
}

// Index is an inverted index. Use New.
type Index struct {
	// Constant after New.
	k1, b     [2]float64 // for short and for long text
	language  *language
	detects   bool                // language is a presumption
	stopList  map[string]struct{} // the caller's stop words; nil if the language's own apply
	ownStops  bool
	plain     bool
	undated   bool
	unstemmed bool
	lexicon   *lexicon

	words     vocabulary
	postings  pages
	tail      atomic.Pointer[tail] // the newest rows, not in postings yet
	sorter    sorter               // the writer's
	lengths   isolate.Column[uint32]
	times     isolate.Column[uint64] // spans of a row's expressions of time, packed; 0 for none
	sketches  isolate.Column[sketch]
	addedSize atomic.Int64 // postings added

	met atomic.Uint32 // languages of rows other than the index's, a bit for each

	next     atomic.Uint64 // the lowest row that Add takes; the writer's
	scratch  sync.Pool     // *[]hit, of Score
	analysts sync.Pool     // *analyst, of Analyze
}

// New returns an empty index, or an error that names the option that is out of range.
func New(o Options) (*Index, error) {
	x := &Index{k1: [2]float64{DefaultK1, LongK1}, b: [2]float64{DefaultB, LongB}}
	if o.K1 != nil {
		x.k1 = [2]float64{*o.K1, *o.K1}
	}
	if o.B != nil {
		x.b = [2]float64{*o.B, *o.B}
	}
	if k1 := x.k1[0]; !(k1 >= 0) || math.IsInf(k1, 1) {
		return nil, fmt.Errorf("configure lexical index: k1 is %v: it must be a finite number, 0 or more", k1)
	}
	if b := x.b[0]; !(b >= 0 && b <= 1) {
		return nil, fmt.Errorf("configure lexical index: b is %v: it must lie in [0,1]", b)
	}
	x.plain, x.lexicon, x.detects = o.Plain, known(), o.Language == ""
	x.undated, x.unstemmed = o.Undated, o.Unstemmed
	var found bool
	if x.language, found = languageOf(cmp.Or(o.Language, DefaultLanguage)); !found {
		return nil, fmt.Errorf("configure lexical index: language %q is not known: choose one of %s",
			o.Language, strings.Join(Languages(), ", "))
	}
	x.setStopWords(o.StopWords)
	return x, nil
}

// setStopWords folds the caller's words as text is folded; a word that analysis splits stops each of its parts.
func (x *Index) setStopWords(list []string) {
	if list == nil {
		return
	}
	x.ownStops = true
	t := tokenizer{turkic: x.language.turkic, plain: true}
	t.emit = func(token []byte, _ kind, _ joint) {
		if x.stopList == nil {
			x.stopList = make(map[string]struct{}, len(list))
		}
		x.stopList[string(token)] = struct{}{}
	}
	for _, word := range list {
		t.text(word)
	}
}

// stops reports whether a token is a stop word in language l.
func (x *Index) stops(t *token, l *language) bool {
	if x.ownStops {
		_, found := x.stopList[string(t.text)]
		return found
	}
	return t.lexeme != nil && t.lexeme.stops>>l.id&1 != 0
}

// languageFor is the language of a document with these tokens, and what was found out if it names none. Only where wide
// is true do the tokens have letters beyond ASCII.
func (x *Index) languageFor(d Document, tokens []token, wide bool) (l, detected *language) {
	switch {
	case d.Language != "":
		l, _ = languageOf(d.Language) // an unknown one is "none"
		return l, nil
	case !x.detects:
		return x.language, nil
	case d.Found == nil:
		var found detector
		for i := range tokens {
			if t := &tokens[i]; t.kind == word {
				found.word(t.lexeme)
				if wide {
					found.letters(t.text)
				}
			}
		}
		detected = found.language(x.language)
	case *d.Found != "":
		detected, _ = languageOf(*d.Found)
	}
	if detected == nil {
		return x.language, nil
	}
	return detected, detected
}

// FindsLanguages reports whether documents that name no language are analysed in that which they are found to be in.
func (x *Index) FindsLanguages() bool { return x.detects }

// languageTerm is what rows in a language other than the index's are marked with: no text leads to it.
func languageTerm(l *language) string { return "\x01" + l.code }

// Add indexes p, which this index prepared, as row, which must be above every row added before. Only the one writer
// may call it. The row shows in a reader's results once its view covers it. p may be added again under another row.
//
// A row that Add was called for is used up, even if a panic interrupted the call: it must not become alive then.
func (x *Index) Add(row uint32, p *Prepared) {
	if p.owner != x {
		panic("lexical: Add of a document that another index prepared") // a mistake in the program, not in data
	}
	if uint64(row) < x.next.Load() || row == math.MaxUint32 {
		panic(fmt.Sprintf("lexical: Add of row %d: the next row is %d or above, below 2^32-1", row, x.next.Load()))
	}
	x.next.Store(uint64(row) + 1)
	p.settle(x)
	isolate.Point("lexical/settled")
	x.lengths.Set(row, p.length)
	x.sketches.Set(row, p.sketch())
	if p.times != 0 {
		x.times.Set(row, p.times)
	}
	if bit := uint32(1) << p.language.id; p.language != x.language && x.met.Load()&bit == 0 {
		x.met.Store(x.met.Load() | bit)
	}
	x.put(row, p.counts)
	x.addedSize.Add(int64(len(p.counts)))
}

// Length tells how many tokens row has, stop words not counted; 0 for a row that was never added.
func (x *Index) Length(row uint32) uint32 {
	if !x.lengths.Has(row) {
		return 0
	}
	return x.lengths.Get(row)
}

// Stats are the counts of an index, stray and dead rows included.
type Stats struct {
	Rows      uint64 // one above the highest row added
	Terms     int    // distinct terms
	Records   int    // words and terms remembered: a word counts once for each language it was met in
	Postings  int64  // (term, row) pairs
	SizeBytes int64  // memory held
}

// Stats tells the counts; each is exact by itself, and together they are of about the same moment.
func (x *Index) Stats() Stats {
	return Stats{
		Rows:      x.next.Load(),
		Terms:     int(x.words.termCount.Load()),
		Records:   int(x.words.recordCount.Load()),
		Postings:  x.addedSize.Load(),
		SizeBytes: x.SizeBytes(),
	}
}

// SizeBytes is the memory held by the index: postings, vocabulary and lengths, with the room they have reserved.
func (x *Index) SizeBytes() int64 {
	const fixed = 512 // the Index itself, and directories
	return fixed + x.words.sizeBytes() + x.postings.sizeBytes() + columnBytes(x.next.Load(), 4+8+16) +
		x.tail.Load().sizeBytes()
}

// Full reports whether the index has used nearly all of what its 32-bit references can name: 16 GiB of postings or
// 4 GiB of words. The caller must refuse writes then; Add beyond it panics.
func (x *Index) Full() bool {
	return x.postings.used.Load() > maxPostings-fullMargin || x.words.full()
}

// fullMargin is far more than one document can need (64 KiB of text is below 1 MiB of index), times a long batch.
const fullMargin = 256 << 20
