package dynamics

import "time"

// LabileFor is how long after a use a memory may be edited in place: reconsolidation (Nader, Schafe, LeDoux 2000: a
// reactivated memory can be changed, six hours later it cannot).
const LabileFor = 6 * time.Hour

// State is what is kept of one memory's history. Times are nanoseconds since 1970 UTC.
type State struct {
	Stability  float32 // days until the probability of being usable is .9
	Difficulty float32 // 1 to 10
	Since      int64   // when it was first stored
	LastUse    int64   // when it was last used or told again; Since if it never was
	LabileTill int64   // until then it may be edited in place; 0 if it was never used
	Lapse      int64   // when it was last of no use; 0 if it was used, or told again, since
	Gain       float32 // what Corroboration says of its evidence
	Tally      Tally
}

// Fresh is the state of a memory stored at since that nobody has said anything of. first is what its source says.
func (m *Model) Fresh(since int64, first Evidence) State {
	s := State{Since: since, LastUse: since}
	s.set(m.Initial(Good))
	s.Learn([]Evidence{first})
	return s
}

func (s *State) set(x Strength) {
	s.Stability, s.Difficulty = float32(x.Stability), float32(x.Difficulty)
}

// Strength is S and D.
func (s *State) Strength() Strength {
	return Strength{Stability: float64(s.Stability), Difficulty: float64(s.Difficulty)}
}

// Use grades a memory at an instant.
//
// Good and Easy are uses: the memory is labile for LabileFor. Hard is being told again. Again says that it was brought
// up for nothing: its stability falls, but it was not used, so LastUse stays where it was (FSRS, where a failed review
// is followed by relearning, moves it; here that would lift what was of no use above what nobody looked at). What
// follows it within half a day is massed all the same: a use then gains nothing, and of no use again says nothing new.
// FSRS would let a failure repeated on the same day fall on and on, to a hundredth of a day after five.
func (m *Model) Use(s State, g Grade, now int64) State {
	if g == Hard && m.off.retelling {
		g = Good
	}
	days := Days(s.LastUse, now)
	if s.Lapse != 0 && m.massed(Days(s.Lapse, now)) {
		if g == Again {
			return s
		}
		days = Days(s.Lapse, now)
	}
	s.set(m.Step(s.Strength(), g, days))
	if g == Again {
		s.Lapse = now
		return s
	}
	s.LastUse = max(s.LastUse, now)
	if s.LastUse >= s.Lapse {
		s.Lapse = 0
	}
	if g >= Good && !m.off.lability {
		s.LabileTill = s.LastUse + int64(LabileFor)
	}
	return s
}

// Learn makes set, whose first element is the memory's first source, what the state's belief rests on.
func (s *State) Learn(set []Evidence) {
	s.Tally = Count(set)
	s.Gain = 0
	if len(set) > 1 || len(set) == 1 && !set[0].Supports {
		first := Tally{For: set[0].LogOdds, NumFor: 1}
		s.Gain = float32(Corroboration(first, s.Tally))
	}
}

// Labile reports whether a memory may be edited in place.
func (s *State) Labile(now int64) bool { return now >= s.LastUse && now < s.LabileTill }

// StateRetrievability is the retrievability of a state at now.
func (m *Model) StateRetrievability(s *State, now int64) float64 {
	return m.Retrievability(Days(s.LastUse, now), float64(s.Stability))
}
