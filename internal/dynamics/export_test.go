package dynamics

// Factor is F, which relates time to stability: .98034649 with the default weights.
func (m *Model) Factor() float64 { return m.factor }
