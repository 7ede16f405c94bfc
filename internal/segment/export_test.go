package segment

// Mapped is the mapping of a warm segment.
func (w *Sealed) Mapped() []byte { return w.in.data }

// Age lets what was verified of a mapping be as old as that it is verified again.
func (w *Sealed) Age() { w.opened = w.opened.Add(-2 * freshness) }
