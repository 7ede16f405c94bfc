package lexical

import (
	"encoding/binary"
	"math"
	"sync/atomic"
)

// A posting list is a chain: 12 bytes inside the term, then blocks that grow from 16 to 256 bytes. Each block begins
// with the address of the next one, in units of 8 bytes, written before anything in the next one is published.
//
// A posting is the distance from the last row (from -1 for the first) times four as a varint, plus
//
//	0  once, in the list's usual wording
//	1  in its usual wording only; the frequency minus 2 follows as a varint
//	2  once; the number of the wording follows in a byte
//	3  a byte n of 1 to 3 follows, then n times a wording and how often it occurs: a varint if n is 1, else a byte
//
// The distance is never 0, so a zero byte where a posting should begin says that the rest of the block is unused: no
// posting straddles blocks.
const (
	inlineSize  = 12
	linkSize    = 4
	blockUnit   = 8
	maxBlock    = 256
	maxPosting  = binary.MaxVarintLen32 + 1 + 2*maxWordings // no more than inlineSize
	maxPostings = uint64(1) << 31 * blockUnit               // what a tail of 31 bits can name
)

// blockSize is the size of block k >= 1 with its link: 16, 24, 32, 48, 64, 96, and so on to maxBlock.
func blockSize(k int) int {
	const growing = 9
	switch {
	case k >= growing:
		return maxBlock
	case k&1 == 1:
		return 16 << (k >> 1)
	default:
		return 12 << (k >> 1)
	}
}

// payload is how many bytes of postings block k holds; block 0 is the term's own.
func payload(k int) int {
	if k == 0 {
		return inlineSize
	}
	return blockSize(k) - linkSize
}

// postings is the list of one term. The zero value is empty and ready.
type postings struct {
	// state is what is published: the last row in the upper half, the size in bytes in the lower.
	state  atomic.Uint64
	head   uint32 // block 1, in units of 8 bytes; readers look at it when size > inlineSize
	tail   uint32 // the writer's: the block last written to in units of 8 bytes << 1 | lowest bit of its number
	inline [inlineSize]byte
	usual  uint8 // see encodePosting; constant after the term is known
}

// place finds the block that holds the last byte of a list of the given size and how much of it is taken. The steps
// are few: at most 9 until blocks are all alike.
func place(size int) (block, taken int) {
	for {
		capacity := payload(block)
		if size <= capacity {
			return block, size
		}
		if capacity == maxBlock-linkSize {
			whole := (size - 1) / capacity
			return block + whole, size - whole*capacity
		}
		size -= capacity
		block++
	}
}

// spot is where the next posting of a list goes. It holds while nobody appends to the list.
type spot struct {
	list  *postings
	body  []byte // payload of the last block
	taken int    // bytes of it that are taken
	size  int    // bytes of the list
	last  int64  // last row, -1 for none
	block int    // number of the last block
	tail  uint32 // what list.tail should be
	touch byte   // read from where the posting will be written, see spot
}

// spot finds the place for the next posting of a list whose published word is state. It is separate from put so that a
// writer with many lists to append to has the memory of all of them under way at once, instead of waiting for one
// after the other: publishing waits until everything written before is in the cache.
func (p *pages) spot(list *postings, state uint64) spot {
	s := spot{list: list, size: int(uint32(state)), last: int64(state >> 32)}
	if state == 0 {
		s.last = -1
	}
	s.block, s.taken = place(s.size)
	s.body, s.tail = p.tailBody(list, s.block)
	s.touch = s.body[min(s.taken, len(s.body)-1)]
	return s
}

// put adds a posting; row must be above the list's last. s is then where the next one goes. The last but one statement
// publishes. The tail is noted after that, so whoever ended in between left it one block behind, which its lowest bit
// tells; noting the right one before anything else keeps it from falling further back.
func (p *pages) put(s *spot, row uint32, uses []use) {
	s.list.tail = s.tail
	var encoded [maxPosting]byte
	posting := encodePosting(encoded[:0], uint32(int64(row)-s.last), uses, s.list.usual)
	if s.taken+len(posting) > len(s.body) {
		clear(s.body[s.taken:])
		s.size += len(s.body) - s.taken
		s.block++
		s.taken = 0
		s.body, s.tail = p.extend(s.list, s.tail, s.block)
	}
	if uint64(s.size)+uint64(len(posting)) > math.MaxUint32 {
		panic("lexical: the posting list of a term is full at 4 GiB")
	}
	into := s.body[s.taken : s.taken+len(posting)]
	for i := range into { // seldom more than 3 bytes: a call of memmove costs more
		into[i] = posting[i]
	}
	s.taken += len(posting)
	s.size += len(posting)
	s.last = int64(row)
	s.list.state.Store(uint64(row)<<32 | uint64(s.size))
	s.list.tail = s.tail
}

// encodePosting appends a posting to dst: of one use, or of several wordings at most maxWordings. The usual wording is
// the one in which the term was met first, which is the most frequent one as a rule: it costs nothing, and shows in
// nothing but the size.
func encodePosting(dst []byte, distance uint32, uses []use, usual uint8) []byte {
	v, u := uint64(distance)<<2, uses[0]
	single := len(uses) == 1
	switch {
	case single && u == newUse(usual, 1):
		return binary.AppendUvarint(dst, v)
	case single && u.wording() == usual:
		return binary.AppendUvarint(binary.AppendUvarint(dst, v|1), uint64(u.frequency()-2))
	case single && u.frequency() == 1:
		return append(binary.AppendUvarint(dst, v|2), u.wording())
	case single:
		return binary.AppendUvarint(append(binary.AppendUvarint(dst, v|3), 1, u.wording()), uint64(u.frequency()))
	}
	dst = append(binary.AppendUvarint(dst, v|3), byte(len(uses)))
	for _, u := range uses {
		dst = append(dst, u.wording(), byte(u.frequency()))
	}
	return dst
}

// tailBody returns the payload of the list's last block, which has the given number, and the tail that names it.
func (p *pages) tailBody(list *postings, block int) (body []byte, tail uint32) {
	if block == 0 {
		return list.inline[:], 0
	}
	tail = list.tail
	switch {
	case block == 1:
		tail = list.head<<1 | 1
	case tail&1 != uint32(block&1): // an Add ended between publishing and noting its new tail
		tail = binary.LittleEndian.Uint32(p.at(uint64(tail>>1)*blockUnit))<<1 | uint32(block&1)
	}
	return p.at(uint64(tail>>1) * blockUnit)[linkSize:blockSize(block)], tail
}

// extend allocates the block of the given number and links it to the one that tail names.
func (p *pages) extend(list *postings, tail uint32, block int) (body []byte, newTail uint32) {
	address := p.alloc(blockSize(block), maxPostings)
	unit := uint32(address / blockUnit)
	if block == 1 {
		list.head = unit
	} else {
		binary.LittleEndian.PutUint32(p.at(uint64(tail>>1)*blockUnit), unit)
	}
	return p.at(address)[linkSize:blockSize(block)], unit<<1 | uint32(block&1)
}

// cursor reads a list as it was when the cursor was made. Use pages.read.
type cursor struct {
	pages *pages
	body  []byte // what is left of the block
	link  uint32 // the next block
	left  int    // bytes left beyond body
	block int    // number of the block
	row   uint32 // the last row read
	usual uint8
}

// read returns a cursor before the first posting.
func (p *pages) read(list *postings) cursor {
	size := int(uint32(list.state.Load()))
	taken := min(size, inlineSize)
	c := cursor{pages: p, body: list.inline[:taken], left: size - taken, row: math.MaxUint32, usual: list.usual}
	if c.left > 0 {
		c.link = list.head
	}
	return c
}

// next reads the next posting: how often the row has the term, and how often in that wording. ok is false at the end.
func (c *cursor) next(wording uint8) (h hit, ok bool) {
	for len(c.body) == 0 || c.body[0] == 0 {
		if c.left == 0 {
			return hit{}, false
		}
		c.advance()
	}
	body := c.body
	value, n := uint64(body[0]), 1
	if value >= 0x80 {
		if second := body[1]; second < 0x80 {
			value, n = value&0x7f|uint64(second)<<7, 2
		} else {
			value, n = binary.Uvarint(body)
		}
	}
	c.row += uint32(value >> 2) // from -1, by wrapping
	h.row = c.row
	switch value & 3 {
	case 0:
		h.add(newUse(c.usual, 1), wording)
	case 1:
		more, m := binary.Uvarint(body[n:])
		h.add(newUse(c.usual, uint32(more)+2), wording)
		n += m
	case 2:
		h.add(newUse(body[n], 1), wording)
		n++
	case 3:
		uses := int(body[n])
		if n++; uses == 1 {
			frequency, m := binary.Uvarint(body[n+1:])
			h.add(newUse(body[n], uint32(frequency)), wording)
			n += 1 + m
			break
		}
		for ; uses > 0; uses-- {
			h.add(newUse(body[n], uint32(body[n+1])), wording)
			n += 2
		}
	}
	c.body = body[n:]
	return h, true
}

// advance moves to the next block, of which only what is published is looked at.
func (c *cursor) advance() {
	block := c.pages.at(uint64(c.link) * blockUnit)
	c.block++
	taken := min(c.left, payload(c.block))
	c.left -= taken
	c.body = block[linkSize : linkSize+taken]
	if c.left > 0 {
		c.link = binary.LittleEndian.Uint32(block)
	}
}
