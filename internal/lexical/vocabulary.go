package lexical

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

// vocabulary knows the terms, and for each word met so far in a language which term it leads to, so that every
// distinct word is stemmed once per index.
//
// It is a table of records that never change, each with its text beside it, so that looking up a word touches two
// places in memory: the slot and the record.
//
//	byte 0     length of the text
//	byte 1     what the record is for: isTerm, isWord and the word's language
//	bytes 2-5  id of the term, little-endian
//	byte 6     which of the term's wordings the word is: see wordingOf
//	bytes 7-   text
//
// A term has one record that isTerm, and one that isWord for each word and language that leads to it; where the first
// to lead to it is its own text, one record is both. A term's text comes from the tokenizer and never begins with a
// control character: further ways of indexing set one in front and live in the same vocabulary (languageTerm,
// wholeMark).
//
// The table is hashed with a random seed, because its keys come from users; the seed shows in no result.
type vocabulary struct {
	table   isolate.Table // values: addresses of records
	records pages
	terms   isolate.Column[term]
	// spelling has the planes of the terms: 17 bytes a term.
	spelling spelling

	termCount   atomic.Uint32
	recordCount atomic.Uint32
}

// term is one entry of the vocabulary with its postings.
type term struct {
	record uint32 // address
	list   postings
}

const (
	recordWording = 6
	recordText    = 7 // where the text begins

	languageMask = 1<<5 - 1
	isWord       = 1 << 5
	isTerm       = 1 << 6

	maxRecords = uint64(1) << 32 // bytes
)

func (v *vocabulary) term(id uint32) *term { return v.terms.At(id) }

// text returns the text of a term; nobody may write to it.
func (v *vocabulary) text(id uint32) []byte {
	b := v.records.at(uint64(v.term(id).record))
	return b[recordText : recordText+int(b[0])]
}

// find tells which term a token leads to, and as which of its wordings. Not found means that the vocabulary does not
// know yet. Any goroutine may call it.
func (v *vocabulary) find(hash uint64, token []byte, k kind, language uint8) (id uint32, wording uint8, found bool) {
	mask, want := recordFor(k, language)
	_, found = v.table.Find(hash, func(address uint32) bool {
		b := v.records.at(uint64(address))
		if !isRecord(b, token, mask, want) {
			return false
		}
		id, wording = binary.LittleEndian.Uint32(b[2:]), b[recordWording]
		return true
	})
	return id, wording, found
}

// recordFor gives what byte 1 of a record must be, and in which bits, to serve tokens of a kind.
func recordFor(k kind, language uint8) (mask, want byte) {
	if k&exact == 0 {
		return isWord | languageMask, isWord | language
	}
	return isTerm, isTerm
}

func isRecord(b, token []byte, mask, want byte) bool {
	return int(b[0]) == len(token) && b[1]&mask == want &&
		string(b[recordText:recordText+len(token)]) == string(token)
}

// sighting is a token that awaits its term.
type sighting struct {
	token   []byte
	hash    uint64
	first   uint32 // address of the first record under its hash
	id      uint32 // term
	wording uint8
	kind    kind
	found   bool
}

// findAll is find for many tokens at once. Looking up a word is waiting for memory, twice; here the memory of all of
// them is under way at the same time. Measured with BenchmarkPrepare.
func (v *vocabulary) findAll(batch []sighting, language uint8) {
	first := func(uint32) bool { return true }
	for i := range batch {
		s := &batch[i]
		s.first, s.found = v.table.Find(s.hash, first)
	}
	for i := range batch {
		s := &batch[i]
		if !s.found {
			continue
		}
		mask, want := recordFor(s.kind, language)
		if b := v.records.at(uint64(s.first)); isRecord(b, s.token, mask, want) {
			s.id, s.wording = binary.LittleEndian.Uint32(b[2:]), b[recordWording]
			continue
		}
		s.id, s.wording, s.found = v.find(s.hash, s.token, s.kind, language)
	}
}

// findTerm finds a term by its own text. Any goroutine may call it.
func (v *vocabulary) findTerm(text []byte) (id uint32, found bool) {
	id, _, found = v.find(hashOf(text), text, exact, 0)
	return id, found
}

// learn adds what is known of u and returns the term it leads to, and as which wording. Only the writer may call it.
func (v *vocabulary) learn(u *unknown, raw, stem []byte) (id uint32, wording uint8) {
	if id, wording, found := v.find(u.hash, raw, u.kind, u.language); found {
		return id, wording // another document was first
	}
	leads := isWord | u.language
	if u.kind&exact != 0 {
		leads = 0
	}
	same := string(stem) == string(raw)
	hash := u.hash
	if !same {
		hash = hashOf(stem)
	}
	id, _, found := v.find(hash, stem, exact, 0)
	switch {
	case !found && same:
		return v.addTerm(hash, stem, leads, 0), 0
	case !found:
		id = v.addTerm(hash, stem, 0, wordingOf(raw, stem))
	}
	wording = wordingOf(raw, stem)
	if leads != 0 {
		v.addWord(u.hash, raw, leads, id, wording)
	}
	return id, wording
}

// addTerm fills the entry before the count and the table name it: ended in between, it leaves an id that nobody knows,
// or one whose list is empty. Postings of the usual wording are the shortest.
func (v *vocabulary) addTerm(hash uint64, text []byte, leads byte, usual uint8) uint32 {
	id := v.termCount.Load()
	entry := v.terms.Slot(id)
	entry.record = v.write(text, isTerm|leads, id, 0)
	entry.list.usual = usual
	v.spelling.set(id, text)
	v.termCount.Store(id + 1)
	v.table.Insert(hash, entry.record, nil)
	return id
}

// addWord adds a word of a language that leads to another term.
func (v *vocabulary) addWord(hash uint64, text []byte, leads byte, id uint32, wording uint8) {
	v.table.Insert(hash, v.write(text, leads, id, wording), nil)
}

// write writes a record and returns its address.
func (v *vocabulary) write(text []byte, flags byte, id uint32, wording uint8) uint32 {
	address := v.records.alloc(recordText+len(text), maxRecords)
	b := v.records.at(address)
	b[0], b[1], b[recordWording] = byte(len(text)), flags, wording // maxTerm fits
	binary.LittleEndian.PutUint32(b[2:], id)
	copy(b[recordText:], text)
	v.recordCount.Store(v.recordCount.Load() + 1)
	return uint32(address)
}

func (v *vocabulary) full() bool { return v.records.used.Load() > maxRecords-fullMargin }

func (v *vocabulary) sizeBytes() int64 {
	const termBytes = 32
	return v.table.SizeBytes() + v.records.sizeBytes() + columnBytes(uint64(v.termCount.Load()), termBytes) +
		v.spelling.sizeBytes(v.termCount.Load())
}

// columnBytes is what an isolate.Column of n elements holds.
func columnBytes(n uint64, elementBytes int64) int64 {
	return int64(isolate.Places(uint32(n))) * elementBytes
}
