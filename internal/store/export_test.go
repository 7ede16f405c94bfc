package store

import "errors"

// Health is nil, or the Troubles, joined.
func (s *Space) Health() error { return errors.Join(s.Troubles()...) }
