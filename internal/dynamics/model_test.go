package dynamics_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/orchard9/engram-go/internal/dynamics"
)

const dayNanos = int64(24 * time.Hour)

// reference is engram_model_reference.json. Its hopfield_bound is read by package complete.
type reference struct {
	Note string
	Base []struct {
		S, R, B float64
		Dt      string  // Days, for people
		Days    float64 `json:"dt_days"`
	}
	Schedules []struct {
		ID    string
		Days  []float64 `json:"use_days"`
		Grade dynamics.Grade
		S     float64
		R30   float64
	}
	Expiry  []struct{ S, R, Days float64 }
	Optimum []struct {
		S0  float64
		RI  []float64 `json:"RI_days"`
		Gap []float64 `json:"gap_days"`
	} `json:"spacing_optimum"`
	Belief []struct {
		ID           string
		ZP, ZN, L, P float64
		NP, NN       uint16
	}
	Score []struct {
		ID string
		In struct {
			Cos, C0, T, S, Pi, Pi0, P float64
			Days                      float64 `json:"dt_days"`
		}
		A float64
	}
	Bound []json.RawMessage `json:"hopfield_bound"`
}

// confidences is confidence_reference.json. Its wilson95 is read by the root package, its brier_ece by package lab.
type confidences struct {
	Note    string
	Wilson  []json.RawMessage `json:"wilson95"`
	Beta    []struct{ A, B, Mean, Q05, Q025, Q975 float64 }
	Opinion []struct{ R, S, E float64 }
	Pool    []struct {
		P             []float64
		Prior, Expect float64
	} `json:"logodds_pool"`
	Scores []json.RawMessage `json:"brier_ece"`
}

func loadReference(t testing.TB) (r reference) {
	load(t, "engram_model_reference.json", &r)
	return r
}

func standard() *dynamics.Model { return dynamics.New(dynamics.DefaultWeights()) }

func TestBaseLevelAndExpiry(t *testing.T) {
	r, m := loadReference(t), standard()
	for _, c := range r.Base {
		near(t, "R, B", []float64{m.Retrievability(c.Days, c.S), m.BaseLevel(c.Days, c.S)}, []float64{c.R, c.B}, 5e-5)
	}
	for _, c := range r.Expiry {
		near(t, "expiry", []float64{m.Interval(c.R, c.S)}, []float64{c.Days}, 1e-9*c.Days)
		s := dynamics.State{Stability: float32(c.S), LastUse: 5 * dayNanos}
		expired := s.LastUse + int64(c.Days*float64(dayNanos))
		near(t, "a state at its expiry", []float64{m.StateRetrievability(&s, expired)}, []float64{c.R}, 1e-6)
	}
}

// play is a state after uses at those days.
func play(m *dynamics.Model, days []float64, g dynamics.Grade) dynamics.State {
	at := func(d float64) int64 { return int64(d * float64(dayNanos)) }
	s := m.Fresh(at(days[0]), dynamics.NewEvidence("", true, .8))
	for _, d := range days[1:] {
		s = m.Use(s, g, at(d))
	}
	return s
}

// schedules tells which of the reference's schedules a model reproduces.
func schedules(r reference, m *dynamics.Model) (wrong []string) {
	for _, c := range r.Schedules {
		s := play(m, c.Days, c.Grade)
		last := int64(c.Days[len(c.Days)-1] * float64(dayNanos))
		r30 := m.StateRetrievability(&s, last+30*dayNanos)
		if math.Abs(float64(s.Stability)-c.S) > 1e-3 || math.Abs(r30-c.R30) > 1e-4 {
			wrong = append(wrong, c.ID)
		}
	}
	return wrong
}

// optimalGap is the whole number of days between two uses after which the memory is most likely there, ri days later.
func optimalGap(m *dynamics.Model, s0, ri float64) float64 {
	best, bestGap := -1.0, 0.0
	first := dynamics.Strength{Stability: s0, Difficulty: m.Initial(dynamics.Good).Difficulty}
	for gap := 1.0; gap <= ri; gap++ {
		p := m.Retrievability(gap, s0) // only what is still there can be used
		after := m.Step(first, dynamics.Good, gap)
		lapsed := m.Step(first, dynamics.Again, gap)
		if v := p*m.Retrievability(ri, after.Stability) + (1-p)*m.Retrievability(ri, lapsed.Stability); v > best {
			best, bestGap = v, gap
		}
	}
	return bestGap
}

// spacing counts the optimal gaps that are not those of the reference. For the usual first stability they must be the
// same to the day; for others they may be a day off: tops are flat (.6931 and .6929 a day beside it).
func spacing(r reference, m *dynamics.Model) (wrong int) {
	for _, c := range r.Optimum {
		for i, ri := range c.RI {
			off := math.Abs(optimalGap(m, c.S0, ri) - c.Gap[i])
			if usual := float32(c.S0) == float32(m.Initial(dynamics.Good).Stability); off > 1 || usual && off > 0 {
				wrong++
			}
		}
	}
	return wrong
}

func TestSpacing(t *testing.T) {
	r := loadReference(t)
	if wrong := schedules(r, standard()); wrong != nil {
		t.Errorf("schedules that come out otherwise: %q", wrong)
	}
	if wrong := spacing(r, standard()); wrong != 0 {
		t.Errorf("%d optimal gaps are not those of the reference", wrong)
	}
}

// Without the spacing gain, w10 = 0, both tests of spacing must fail: else they test nothing.
func TestSpacingNeedsItsGain(t *testing.T) {
	r, w := loadReference(t), dynamics.DefaultWeights()
	w[10] = 0
	m := dynamics.New(w)
	if len(schedules(r, m)) == 0 || spacing(r, m) == 0 {
		t.Errorf("without a gain from spacing the tests of spacing pass")
	}
	daily, once := play(m, []float64{0, 1, 2, 3, 4}, dynamics.Good), play(m, []float64{0}, dynamics.Good)
	if daily.Stability > once.Stability {
		t.Errorf("w10 = 0 leaves a gain: %v, %v", daily.Stability, once.Stability)
	}
}

// A memory that was used outlives one that was told again as often (testing effect).
func TestUseIsWorthMoreThanRepetition(t *testing.T) {
	m := standard()
	for _, days := range [][]float64{{0, 1, 3, 6}, {0, 7, 14, 21}, {0, 1, 2, 3}} {
		used, told := play(m, days, dynamics.Good), play(m, days, dynamics.Hard)
		at := int64((days[len(days)-1] + 7) * float64(dayNanos))
		if u, r := m.StateRetrievability(&used, at), m.StateRetrievability(&told, at); !(u > r) {
			t.Errorf("uses on %v: R %v, repetitions %v", days, u, r)
		}
	}
}

func TestBelief(t *testing.T) {
	for _, c := range loadReference(t).Belief {
		tally := dynamics.Tally{For: float32(c.ZP), Against: float32(c.ZN), NumFor: c.NP, NumAgainst: c.NN}
		near(t, c.ID, []float64{tally.LogOdds(), tally.Probability()}, []float64{c.L, c.P}, 1e-5)
		near(t, c.ID+": ln P", []float64{tally.LogProbability()}, []float64{math.Log(c.P)}, 1e-5)
	}
}

// With gamma = 1 ten agreeing sources would reach the bound; the reference's values are those of .5.
func TestTenEchoesAreNotCertain(t *testing.T) {
	var set []dynamics.Evidence
	for i := range 10 {
		set = dynamics.Hear(set, dynamics.NewEvidence(strconv.Itoa(i), true, .8))
	}
	tally := dynamics.Count(set)
	if got, all := tally.LogOdds(), min(float64(tally.For), dynamics.MaxLogOdds); !(got < 2.78) || got >= all {
		t.Errorf("ten echoes have log-odds %v, fully independent ones %v", got, all)
	}
}

func loadConfidences(t *testing.T) (c confidences) {
	load(t, "confidence_reference.json", &c)
	return c
}

func TestBetaQuantiles(t *testing.T) {
	for _, c := range loadConfidences(t).Beta {
		got := []float64{
			dynamics.BetaQuantile(.05, c.A, c.B), dynamics.BetaQuantile(.025, c.A, c.B),
			dynamics.BetaQuantile(.975, c.A, c.B),
			dynamics.Reliability{Right: float32(c.A), Wrong: float32(c.B)}.Mean(),
		}
		near(t, "Beta("+strconv.FormatFloat(c.A, 'g', -1, 64)+")", got, []float64{c.Q05, c.Q025, c.Q975, c.Mean}, 1e-5)
		if c.A >= 1 && c.B >= 1 { // what a tally of whole numbers of sources leads to
			tally := dynamics.Tally{NumFor: uint16(c.A - 1), NumAgainst: uint16(c.B - 1)}
			low, high := tally.Interval()
			near(t, "the interval's lower end", []float64{low}, []float64{c.Q05}, 1e-5)
			if !(high > c.Mean && high <= 1) {
				t.Errorf("Beta(%v,%v): upper end %v, the mean is %v", c.A, c.B, high, c.Mean)
			}
		}
	}
}

// TestShareOfSupport: the mean of the distribution that a tally's interval is of is the expectation of the opinion that
// subjective logic forms from as much evidence.
func TestShareOfSupport(t *testing.T) {
	for _, c := range loadConfidences(t).Opinion {
		got := dynamics.Reliability{Right: float32(1 + c.R), Wrong: float32(1 + c.S)}.Mean()
		near(t, "expectation", []float64{got}, []float64{c.E}, 1e-7)
	}
}

// TestLogOddsAddUp: what sources say is kept as log-odds, whose plain sum is what independent sources would be pooled
// to. That they are not believed to be independent is Gamma's doing, after that.
func TestLogOddsAddUp(t *testing.T) {
	for _, c := range loadConfidences(t).Pool {
		if c.Prior != .5 {
			t.Fatalf("prior %v: belief starts from even odds", c.Prior)
		}
		var set []dynamics.Evidence
		for i, p := range c.P {
			set = dynamics.Hear(set, dynamics.NewEvidence(strconv.Itoa(i), true, p))
		}
		tally := dynamics.Count(set)
		near(t, "pooled", []float64{1 / (1 + math.Exp(-float64(tally.For)))}, []float64{c.Expect}, 1e-6)
		if got := tally.Probability(); !(got < c.Expect) {
			t.Errorf("%v: believed with %v, as if independent", c.P, got)
		}
	}
}

// The same source again changes nothing, or sides; the order in which sources speak does not matter.
func TestHear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var set []dynamics.Evidence
		last := map[string]dynamics.Evidence{}
		for range 1 + rng.IntN(20) {
			e := dynamics.NewEvidence(strconv.Itoa(rng.IntN(6)), rng.IntN(2) == 0, .5+.4*rng.Float64())
			set = dynamics.Hear(set, e)
			if said, known := last[e.Source]; !known || said.Supports != e.Supports {
				last[e.Source] = e
			}
			if again := dynamics.Hear(set, e); !slices.Equal(again, set) {
				t.Fatalf("round %d: hearing %v twice changes %v to %v", round, e, set, again)
			}
		}
		if len(set) != len(last) {
			t.Fatalf("round %d: %d sources, want %d", round, len(set), len(last))
		}
		for _, e := range set {
			if last[e.Source] != e {
				t.Fatalf("round %d: %v, the source said %v first", round, e, last[e.Source])
			}
		}
		want := dynamics.Count(set).LogOdds()
		rng.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		if got := dynamics.Count(set).LogOdds(); math.Abs(got-want) > 1e-6 {
			t.Fatalf("round %d: order changes belief from %v to %v", round, want, got)
		}
	}
	var many []dynamics.Evidence
	for i := range 3 * dynamics.MaxSources {
		many = dynamics.Hear(many, dynamics.NewEvidence(strconv.Itoa(i), true, .8))
	}
	if len(many) != dynamics.MaxSources || many[0].Source != "0" {
		t.Errorf("%d sources are kept, the first is %q", len(many), many[0].Source)
	}
}

// Whatever happens, a state stays within its bounds, and time alone only lowers retrievability and base level.
func TestStateStaysInBounds(t *testing.T) {
	m, rng := standard(), rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		now := rng.Int64N(1000 * dayNanos)
		s := m.Fresh(now, dynamics.NewEvidence("", true, rng.Float64()))
		for range 30 {
			now += rng.Int64N(400*dayNanos) - 10*dayNanos // now and then the clock goes back
			s = m.Use(s, dynamics.Grade(1+rng.IntN(4)), now)
			x := s.Strength()
			if !(x.Stability >= dynamics.MinStability*.999 && x.Stability <= dynamics.MaxStability) ||
				!(x.Difficulty >= dynamics.MinDifficulty && x.Difficulty <= dynamics.MaxDifficulty) {
				t.Fatalf("round %d: %+v", round, x)
			}
			a, b := s.LastUse+rng.Int64N(dayNanos), s.LastUse+dayNanos+rng.Int64N(5000*dayNanos)
			if m.StateRetrievability(&s, a) < m.StateRetrievability(&s, b) || m.Base(&s, a) < m.Base(&s, b) {
				t.Fatalf("round %d: time strengthens %+v", round, s)
			}
			if v := m.Advantage(s.Standing(), now); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("round %d: advantage %v of %+v", round, v, s)
			}
		}
	}
}

func TestAdvantage(t *testing.T) {
	m := standard()
	fresh := play(m, []float64{0}, dynamics.Good)
	for _, days := range []int64{0, 1, 30, 3650} {
		if v := m.Advantage(fresh.Standing(), days*dayNanos); v != 0 {
			t.Errorf("what nobody used has an advantage of %v after %d days", v, days)
		}
	}
	massed := m.Use(fresh, dynamics.Good, int64(time.Hour))
	if v := m.Advantage(massed.Standing(), 2*int64(time.Hour)); v != 0 {
		t.Errorf("a use on the same day is worth %v", v)
	}
	useless := m.Use(fresh, dynamics.Again, int64(time.Hour))
	useful := play(m, []float64{0, 2, 9, 30}, dynamics.Good)
	for _, days := range []int64{31, 90, 365} {
		up, down := m.Advantage(useful.Standing(), days*dayNanos), m.Advantage(useless.Standing(), days*dayNanos)
		if !(up > .5 && down < -.1) {
			t.Errorf("after %d days useful %v, useless %v", days, up, down)
		}
	}
	if !(m.Advantage(useless.Standing(), int64(2*time.Hour)) < -.05) {
		t.Errorf("a judgement does not show at once: %v", m.Advantage(useless.Standing(), int64(2*time.Hour)))
	}
}

func TestLabile(t *testing.T) {
	m := standard()
	s := m.Fresh(0, dynamics.NewEvidence("", true, .8))
	if s.Labile(1) {
		t.Errorf("what was never used is labile")
	}
	s = m.Use(s, dynamics.Good, dayNanos)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Hour, true}, {6*time.Hour - 1, true}, {6 * time.Hour, false}, {7 * time.Hour, false}} {
		if got := s.Labile(dayNanos + int64(c.after)); got != c.want {
			t.Errorf("labile after %v: %v", c.after, got)
		}
	}
	if told := m.Use(s, dynamics.Hard, 3*dayNanos); told.Labile(3*dayNanos + 1) {
		t.Errorf("being told again makes labile")
	}
}

// Half a day is one occasion, for what was of no use as for what was: said again it changes nothing, a use behind it
// gains nothing, and half a day later both count. Without the rule each counts as if days had gone by.
func TestUselessAgainOnTheSameDay(t *testing.T) {
	m := standard()
	at := func(days float64) int64 { return int64(days * float64(dayNanos)) }
	for _, used := range []float64{0, 9.9} { // spaced from the last use, and massed
		start := m.Fresh(0, dynamics.NewEvidence("", true, .8))
		if used > 0 {
			start = m.Use(start, dynamics.Good, at(used))
		}
		once := m.Use(start, dynamics.Again, at(10))
		if !(once.Stability < start.Stability && once.LastUse == start.LastUse && once.Lapse == at(10)) {
			t.Fatalf("of no use: %+v became %+v", start, once)
		}
		many := once
		for i := range 20 {
			many = m.Use(many, dynamics.Again, at(10)+int64(i)*int64(time.Minute))
		}
		if many != once {
			t.Errorf("of no use 21 times in 20 minutes: %+v, once %+v", many, once)
		}
		again := m.Use(once, dynamics.Again, at(10.5))
		if !(again.Stability < once.Stability) || again.Lapse != at(10.5) {
			t.Errorf("of no use again half a day later: %+v, before %+v", again, once)
		}
		massed, spaced := m.Use(once, dynamics.Good, at(10.01)), m.Use(once, dynamics.Good, at(10.5))
		if float64(massed.Stability) != float64(float32(m.Step(once.Strength(), dynamics.Good, 0).Stability)) ||
			massed.LastUse != at(10.01) || massed.Lapse != 0 {
			t.Errorf("a use right behind it makes of %+v %+v", once, massed)
		}
		if !(spaced.Stability > massed.Stability) {
			t.Errorf("a use half a day behind it makes of %+v %+v", once, spaced)
		}
		free := m.Without(dynamics.SameDayRule)
		twice := free.Use(free.Use(start, dynamics.Again, at(10)), dynamics.Again, at(10)+1)
		if !(twice.Stability < once.Stability) {
			t.Errorf("without the rule of the same day, of no use twice is %+v, once %+v", twice, once)
		}
	}
}

// A verdict on what a source says counts once, whatever it says meanwhile.
func TestVerdictsCountOnce(t *testing.T) {
	set := []dynamics.Evidence{dynamics.NewEvidence("Ada", true, .8)}
	r := dynamics.Prior()
	for round := range 3 {
		for _, right := range []bool{false, true} {
			e, after, counted := set[0].Verify(right, r)
			if counted != (round == 0) || !counted && after != r || counted && after != r.Judge(right) {
				t.Errorf("round %d, right %v: %+v of %+v, %v", round, right, after, r, counted)
			}
			set[0], r = e, after
			set = dynamics.Hear(set, dynamics.NewEvidence("Ada", !set[0].Supports, .8))
		}
	}
}

func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(dynamics.State{}); size > 64 {
		t.Errorf("a state has %d bytes, at most 64 are allowed", size)
	}
}

// TestGoldenTerms: the score as the model first had it, from the terms that this package gives. The engine's score is
// made of the same terms and is not this sum: docs/design/0012 says what each difference is worth.
func TestGoldenTerms(t *testing.T) {
	m := standard()
	for _, c := range loadReference(t).Score {
		in := c.In
		odds := math.Log(in.P / (1 - in.P))
		tally := dynamics.Tally{For: float32(odds), NumFor: 1}
		got := (in.Cos-in.C0)/in.T + m.BaseLevel(in.Days, in.S) + math.Log1p(in.Pi/in.Pi0) + tally.LogProbability()
		near(t, c.ID, []float64{got}, []float64{c.A}, 1e-6)
	}
}
