package wal

import (
	"encoding/binary"

	"github.com/orchard9/engram-go/internal/isolate"
)

// How recovery judges what is not a whole record: what it goes on behind, what was torn, and what is damage.

// passControl goes on behind a damaged record of a session's end, which earlier programs wrote the next record behind:
// it says nothing that is missed where that record is whole.
func (r *replay) passControl(s *scanner) (passed bool, err error) {
	off := r.end + recordHeader
	h, _, ok, err := s.record(off)
	if err != nil || !ok || h.kind != kindData || !r.inOrder(h) {
		return false, err
	}
	r.found.Damaged = append(r.found.Damaged, corrupt("open log", s.file.Name(), r.end,
		"the record that ended a session is damaged; what follows is whole"))
	r.end = off
	return true, nil
}

// passNotes goes on behind a damaged record of notes, which was acknowledged: it says nothing that is missed where what
// follows is whole.
func (r *replay) passNotes(s *scanner) (passed bool, err error) {
	off, h, ok, err := s.next(r.end)
	if err != nil || !ok || h.kind == kindClean || off == r.end || h.before() != r.last {
		return false, err
	}
	for at := off; at+recordHeader <= s.size; at += recordGrid {
		h, ok, err := s.head(at)
		if err != nil {
			return false, err
		}
		if ok && h.durable >= r.last {
			r.found.Damaged = append(r.found.Damaged, corrupt("open log", s.file.Name(), r.end,
				"what told again of records up to %d is damaged; these are whole", r.last))
			r.end, r.off = off, off
			return true, nil
		}
	}
	return false, nil
}

// passDamaged goes on at the next whole record if the caller holds all that is damaged before it elsewhere.
func (r *replay) passDamaged(s *scanner) (passed bool, err error) {
	if r.last >= r.after {
		return false, nil
	}
	off, h, ok, err := s.next(r.end)
	if err != nil || !ok || h.before() <= r.last || h.before() > r.after {
		return false, err
	}
	r.passHeld(s.file.Name(), r.end, h.before())
	r.end, r.off = off, off
	return true, nil
}

// passHeld takes records up to last as read: they are damaged, and held elsewhere.
func (r *replay) passHeld(path string, off int64, last LSN) {
	r.found.Damaged = append(r.found.Damaged, corrupt("open log", path, off,
		"records %d to %d are damaged; nothing is lost: what they brought is sealed", r.last+1, last))
	r.last = last
}

// inOrder reports whether a record may stand behind the last one.
func (r *replay) inOrder(h head) bool {
	switch h.kind {
	case kindData:
		return h.lsn == r.last+1 && h.durable <= r.last
	case kindNotes:
		return h.lsn == r.last && h.durable <= r.last
	default:
		return h.lsn == r.last && h.durable == r.last
	}
}

// tail judges what follows the last whole record of the last file: marks, a torn write, or damage.
//
// A crash leaves at most one write unsynced: records from r.last+1 on, or a part of them, all with one watermark, which
// is at most r.last. Or a control record, alone; and marks of before. Everything else there shows that the record at
// r.end was acknowledged.
func (r *replay) tail(s *scanner) error {
	dirty, current, stale := r.end, r.found.Clean, false
	size := int64(recordGrid)
	for off := r.end; off+recordGrid <= s.size; off += size {
		size = recordGrid
		b, err := s.view(off, recordGrid)
		if err != nil {
			return err
		}
		// A header begins with a length and a checksum; both are zero in one of 2^32 control records only.
		if binary.LittleEndian.Uint64(b) == 0 {
			continue
		}
		h, ok, err := s.head(off)
		if err != nil {
			return err
		}
		if ok && !r.explained(h, off) {
			return corrupt("read log", s.file.Name(), r.end,
				"record %d is damaged: records up to %d were acknowledged, and the file goes on at offset %d",
				r.last+1, max(h.durable, min(h.lsn, r.last+1)), off)
		}
		if ok && h.kind == kindClean {
			if _, _, ok, err = s.record(off); err != nil {
				return err
			}
			if ok {
				size = h.size()
				current, stale = current || h.lsn == r.last, stale || h.lsn != r.last
				r.marks = append(r.marks, span{off, off + size})
				continue
			}
		}
		dirty = off + recordGrid
		r.stray = r.stray || !r.placeOfMark(off)
	}
	if current {
		r.mark = r.last
	}
	r.found.Clean = current && !stale && dirty == r.end && len(r.marks) <= len(Log{}.marks)
	if dirty > r.end {
		r.found.Torn = &Tear{File: s.file.Name(), Offset: r.end, Bytes: dirty - r.end}
	}
	return nil
}

// placeOfMark reports whether one of the two marks of a log without records has its place at off, or the only one as
// earlier programs wrote it.
func (r *replay) placeOfMark(off int64) bool {
	at := off - roundUp(r.off, pageBytes)
	return off-r.off < recordHeader || at >= 0 && at < 2*pageBytes && at%pageBytes < recordHeader
}

// explained reports whether a crash before the first sync of a write can have left this header at off: that of the
// first record of the write, or of notes, at the place of the first bad one, or behind a mark that the write did not
// come to overwrite; or that of another behind it. Marks are left from before.
func (r *replay) explained(h head, off int64) bool {
	switch {
	case h.durable > r.last && !isolate.Off("watermark"):
		return false
	case h.kind == kindClean:
		return true
	case off == r.end && h.kind != kindData:
		return h.lsn == r.last
	case off == r.end && r.end == r.off:
		return h.lsn == r.last+1
	default:
		return h.lsn > r.last && h.kind != kindSeal
	}
}
