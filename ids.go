package engram

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"
)

// idSource makes ids that sort by the time of their making: UUIDs of version 7 (RFC 9562, section 5.7), with the 12
// bits after the milliseconds as a counter (its section 6.2, method 1), so that ids made by one process ascend even
// within a millisecond and when the clock is set back.
type idSource struct {
	clock func() time.Time
	rand  io.Reader

	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
}

// newIDSource reads randomness ahead, some ids at a time: ids are made under the lock of writers, and a system call for
// each would be the longest thing done there.
func newIDSource(clock func() time.Time, rand io.Reader) *idSource {
	return &idSource{clock: clock, rand: bufio.NewReaderSize(rand, 512)}
}

// uuid makes the next id.
func (g *idSource) uuid() (string, error) {
	var b [16]byte
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := io.ReadFull(g.rand, b[8:]); err != nil {
		return "", fmt.Errorf("make id: read randomness: %w", err)
	}
	next := uint64(max(g.clock().UnixMilli(), 0)) << 12
	if next <= g.last {
		next = g.last + 1
	}
	g.last = next
	binary.BigEndian.PutUint64(b[:8], next>>12<<16|7<<12|next&0xfff)
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for i, part := range [...][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text), nil
}

// storeID makes the id of a space's files.
func (g *idSource) storeID() (id [16]byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := io.ReadFull(g.rand, id[:]); err != nil {
		return id, fmt.Errorf("read randomness: %w", err)
	}
	return id, nil
}
