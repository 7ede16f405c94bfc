package wal

import (
	"encoding/binary"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
)

// What a record is of is told again at a distance, so that a page that is lost takes no more along than the records
// that lay in it: by records of notes, and by the marks. See docs/format/log.md.

// noteBytes is the least distance between a record and what tells of it again: within it no page, and so no sector of
// any disk, holds bytes of both.
const noteBytes = pageBytes

// notes are those of the last records, in three windows: the last is filled; each is at least noteBytes of records long
// when it is closed by a record of notes, which tells of the two before it. So every record is told of twice, a page
// behind it and a page behind that, and the marks tell of what was told of less.
type notes struct {
	take  func(dst, payload []byte) []byte // Options.Note; nil: nothing is told
	first LSN                              // of the oldest record
	next  LSN                              // behind the last one
	told  []byte                           // of each record from first on: length (uvarint), note
	since int64                            // bytes of records in the last window
	old   bool                             // the file is of version 1: windows close without a record
	one   []byte                           // a note being made
	// starts of the second and the third window
	second, third place
}

// place is where a record's note begins in notes.told.
type place struct {
	at  int
	lsn LSN
}

// add takes the note of a record.
func (n *notes) add(lsn LSN, payload []byte) {
	if n.take == nil {
		return
	}
	if lsn != n.next {
		n.first, n.told, n.since = lsn, n.told[:0], 0
		n.second, n.third = place{0, lsn}, place{0, lsn}
	}
	n.one = n.take(n.one[:0], payload)
	n.told = binary.AppendUvarint(n.told, uint64(len(n.one)))
	n.told = append(n.told, n.one...)
	n.next = lsn + 1
	if n.since += recordSize(len(payload)); n.old && n.due() {
		n.close()
	}
}

// size is how long the note of a payload is.
func (n *notes) size(payload []byte) int {
	if n.take == nil || len(payload) == 0 {
		return 0
	}
	n.one = n.take(n.one[:0], payload)
	return len(n.one)
}

// due reports whether a record of notes is to follow.
func (n *notes) due() bool { return n.since >= noteBytes }

// close closes the last window and forgets the first.
func (n *notes) close() {
	gone := n.second.at
	n.told = append(n.told[:0], n.told[gone:]...)
	n.first = n.second.lsn
	n.second = place{n.third.at - gone, n.third.lsn}
	n.third = place{len(n.told), n.next}
	n.since = 0
	if cap(n.told) > keptNotes && len(n.told) <= keptNotes/2 { // a large batch is over
		n.told, n.one = slices.Clone(n.told), nil
	}
}

// keptNotes is the memory in bytes that notes may keep beyond what they need: a window has some 200 (chosen).
const keptNotes = 4096

// appendTo appends to b what the first so many bytes of told say, as the payload of a record; nothing if that is none.
func (n *notes) appendTo(b []byte, size int) []byte {
	if size == 0 || isolate.Off("tell again") {
		return b
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(n.first))
	return append(b, n.told[:size]...)
}

// record appends a record of notes to pending records, the last of which is lsn, if one is due.
func (n *notes) record(pending []byte, lsn LSN) []byte {
	if n.old || !n.due() {
		return pending
	}
	payload := n.appendTo(n.one[:0], n.third.at)
	n.one = payload
	n.close()
	if len(payload) == 0 {
		return pending
	}
	return appendRecord(pending, kindNotes, lsn, payload)
}

// noteHeader is what a payload of notes has before the first one.
const noteHeader = 8

// bound is the most that a record of all notes takes in a file, with one of so many bytes more among them.
func (n *notes) bound(more int) int64 {
	if n.take == nil {
		return recordHeader
	}
	return recordSize(noteHeader + len(n.told) + binary.MaxVarintLen32 + more)
}

// eachNote gives the notes in the payload of a record of notes, or of a mark. A payload that ends too early ends it.
func eachNote(payload []byte, give func(lsn LSN, note []byte)) {
	if len(payload) < noteHeader {
		return
	}
	lsn := LSN(binary.LittleEndian.Uint64(payload))
	for b := payload[noteHeader:]; len(b) > 0; lsn++ {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return
		}
		give(lsn, b[used:used+int(n)])
		b = b[used+int(n):]
	}
}
