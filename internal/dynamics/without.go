package dynamics

// Mechanism is a part of the model that can be left out, to measure what it is worth; see [Model.Without].
type Mechanism string

// The mechanisms.
const (
	// PowerCurve: without it memories fade exponentially, with the same stability.
	PowerCurve Mechanism = "power_curve"
	// Spacing is the gain from spacing: without it (w10 = 0) no use makes anything more stable.
	Spacing Mechanism = "spacing"
	// SameDayRule: without it a use is worth what its distance from the last one says, however near that is.
	SameDayRule Mechanism = "same_day"
	// Retelling is that being told again is worth less than being of use: without it both are worth the same.
	Retelling Mechanism = "retelling"
	// Lability: without it no use opens a memory to being edited in place.
	Lability Mechanism = "labile"
)

// Mechanisms lists what a model can be without.
func Mechanisms() []Mechanism {
	return []Mechanism{PowerCurve, Spacing, SameDayRule, Retelling, Lability}
}

// off is what a model is without.
type off struct{ powerCurve, sameDay, retelling, lability bool }

// Without is m without some of its mechanisms. It is for measuring: nobody's memory is like that.
func (m *Model) Without(names ...Mechanism) *Model {
	less := *m
	for _, name := range names {
		switch name {
		case PowerCurve:
			less.off.powerCurve = true
		case Spacing:
			less.w[10] = 0
		case SameDayRule:
			less.off.sameDay = true
		case Retelling:
			less.off.retelling = true
		case Lability:
			less.off.lability = true
		}
	}
	return &less
}
