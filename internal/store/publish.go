package store

import "github.com/orchard9/engram-go/internal/isolate"

// publish makes view the current one unless a later one already is. Every view includes all earlier writes.
func (s *Space) publish(view *View) {
	for {
		current := s.view.Load()
		if current.Position >= view.Position {
			return
		}
		view.parts = s.parts.Load() // after current: if setParts comes in between, the swap fails
		if s.view.CompareAndSwap(current, view) {
			return
		}
	}
}

// setParts makes parts the ones that views go by from now on. Readers of an older view stay with theirs. s.mu must be
// held.
func (s *Space) setParts(parts []part) {
	s.parts.Store(&parts)
	for {
		current := s.view.Load()
		if current == nil || current.parts == nil {
			return // the space is being opened
		}
		view := *current
		view.parts = &parts
		if s.view.CompareAndSwap(current, &view) {
			return
		}
	}
}

// deliver tells of the events that are visible, in order.
func (s *Space) deliver() {
	s.pubMu.Lock()
	defer s.pubMu.Unlock()
	position := s.view.Load().Position
	n := 0
	for n < len(s.pending) && s.pending[n].Position <= position {
		// A listener's panic is the listener's: the write has happened.
		_ = isolate.Do("event listener", s.name, nil, func() error { s.o.OnEvent(s.pending[n]); return nil })
		n++
	}
	s.pending = append(s.pending[:0], s.pending[n:]...)
}
