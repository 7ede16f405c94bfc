package lexical_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

// shelf is the store's part: it assigns rows and positions, stamps ends and keeps the sums of a view.
type shelf struct {
	x      *lexical.Index
	ends   isolate.Stamps
	rows   uint32
	at     uint64
	docs   int
	tokens int64
}

func newShelf(t testing.TB, o lexical.Options) *shelf {
	t.Helper()
	x, err := lexical.New(o)
	if err != nil {
		t.Fatalf("New(%+v): %v", o, err)
	}
	return &shelf{x: x}
}

func (s *shelf) add(d lexical.Document) uint32 {
	row := s.rows
	s.x.Add(row, s.x.Prepare(d))
	s.ends.Set(row, isolate.Never)
	s.rows++
	s.at++
	s.docs++
	s.tokens += int64(s.x.Length(row))
	return row
}

func (s *shelf) ask(text string) lexical.Query { return s.x.Analyze(text, s.view()) }

func (s *shelf) text(content string) uint32 { return s.add(lexical.Document{Content: content}) }

func (s *shelf) remove(row uint32) {
	s.at++
	s.ends.Set(row, s.at)
	s.docs--
	s.tokens -= int64(s.x.Length(row))
}

func (s *shelf) view() lexical.View {
	return lexical.View{Rows: s.rows, At: s.at, Ends: &s.ends, Docs: s.docs, Tokens: s.tokens}
}

// scores gives the rows that q touches.
func (s *shelf) scores(q lexical.Query) map[uint32]float64 { return scoresIn(s.x, q, s.view()) }

func scoresIn(x *lexical.Index, q lexical.Query, v lexical.View) map[uint32]float64 {
	scores := make([]float64, v.Rows)
	got := map[uint32]float64{}
	touched, err := x.Score(context.Background(), q, v, scores, nil)
	if err != nil {
		panic(err)
	}
	for _, row := range touched {
		got[row] = scores[row]
	}
	return got
}

func (s *shelf) find(text string) []uint32 {
	rows := []uint32{}
	for row := range s.scores(s.ask(text)) {
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

var plain = lexical.Options{Language: "none", StopWords: []string{}, Plain: true}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(1, math.Abs(b)) }

func TestScoreByHand(t *testing.T) {
	s := newShelf(t, lexical.Options{K1: new(1.2), B: new(0.75), Language: "none", StopWords: []string{}, Plain: true})
	s.text("cat dog cat") // 3 tokens
	s.text("dog")         // 1
	s.text("bird bird")   // 2; avg = 2, N = 3
	got := s.scores(s.ask("cat dog dog"))
	// cat: n = 1, idf = ln(1 + 2.5/1.5) = .98083; c = 2, len 3: 2*2.2/(2 + 1.2*(.25+.75*1.5)) = 4.4/3.65
	// dog: n = 2, idf = ln(1 + 1.5/2.5) = .47000, twice in the question; c = 1, len 3: 2.2/(1 + 1.2*1.375) = 2.2/2.65;
	// len 1: 2.2/(1 + 1.2*(.25 + .375)) = 2.2/1.75
	want := map[uint32]float64{
		0: math.Log(1+2.5/1.5)*4.4/3.65 + 2*math.Log(1+1.5/2.5)*2.2/2.65,
		1: 2 * math.Log(1+1.5/2.5) * 2.2 / 1.75,
	}
	if len(got) != len(want) || !near(got[0], want[0]) || !near(got[1], want[1]) {
		t.Errorf("scores = %v, want %v", got, want)
	}
	if math.Abs(got[0]-1.962752) > 1e-6 || math.Abs(got[1]-1.181724) > 1e-6 {
		t.Errorf("scores = %v, want 1.962752 and 1.181724", got)
	}
	why := s.x.Explain(s.ask("cat dog dog"), s.view(), 0)
	if len(why) != 2 || why[0].Term != "cat" || why[0].Frequency != 2 || why[0].DocFrequency != 1 ||
		why[1].Frequency != 1 || why[1].DocFrequency != 2 || why[0].Score+why[1].Score != got[0] {
		t.Errorf("Explain = %+v, want cat 2 of 1 and dog 1 of 2, together %v", why, got[0])
	}
}

// TestExactWordingByHand: rows that say a word as the question does have a fifth more of it, by how rare that wording
// is.
func TestExactWordingByHand(t *testing.T) {
	s := newShelf(t, lexical.Options{K1: new(1.0), B: new(0.0), Language: "english"})
	s.text("sailing")
	s.text("sailed sails")
	s.text("sails sails")
	s.text("a harbour")
	// sail: n = 3 of 4, idf = ln(1 + 1.5/3.5); sails: n = 2, idf = ln(1 + 2.5/2.5). With k1 = 1 and b = 0, c counts
	// 2c/(c+1).
	stem, exact := math.Log(1+1.5/3.5), .2*math.Log(2)
	want := map[uint32]float64{0: stem, 1: stem*4/3 + exact, 2: stem*4/3 + exact*4/3}
	got := s.scores(s.ask("sails"))
	if len(got) != len(want) || !near(got[0], want[0]) || !near(got[1], want[1]) || !near(got[2], want[2]) {
		t.Errorf("scores = %v, want %v", got, want)
	}
	if why := s.x.Explain(s.ask("sails"), s.view(), 1); len(why) != 1 || why[0].Frequency != 2 || why[0].Exact != 1 ||
		why[0].Score != got[1] {
		t.Errorf("Explain = %+v, want sail twice, once as asked for, %v", why, got[1])
	}
	sailor := s.scores(s.ask("sail")) // nobody says it so
	if !near(sailor[0], stem) || !near(sailor[1], stem*4/3) {
		t.Errorf("scores of a wording that nobody uses are %v", sailor)
	}
}

// TestWordingsDependOnRowsAlone: what an index met before, in whatever wording and language, and rows that never came
// alive, change no score of a wording.
func TestWordingsDependOnRowsAlone(t *testing.T) {
	texts := []lexical.Document{
		{Content: "will sail Wills ships"},
		{Content: "sailing cities by Winter", Language: "german"},
		{Content: "the city sails wills", Speaker: "Will"},
		{Content: "winters sails " + strings.Repeat("sailing ", 300)},
	}
	before := []string{"sailing sailed city winters will wills", "Will Sails", "Winter Winters"}
	questions := []string{
		"sail", "sails", "sailing", "sailed", "cities", "city", "will", "wills", "Winter", "winters", "ship",
	}
	score := func(met ...lexical.Document) (scores []map[uint32]float64) {
		s := newShelf(t, lexical.Options{})
		for _, d := range met {
			s.x.Add(s.rows, s.x.Prepare(d)) // refused: no view has it
			s.ends.Set(s.rows, 0)
			s.rows++
		}
		first := s.rows
		for _, d := range texts {
			s.add(d)
		}
		for _, question := range questions {
			got := map[uint32]float64{}
			for row, score := range s.scores(s.ask(question)) {
				got[row-first] = score
			}
			scores = append(scores, got)
		}
		return scores
	}
	want := score()
	for _, content := range before {
		for _, language := range []string{"", "english", "german", "none"} {
			if got := score(lexical.Document{Content: content, Language: language}); !cmp.Equal(got, want) {
				t.Errorf("after %q in %q: %s", content, language, cmp.Diff(want, got))
			}
		}
	}
}

// TestWordingsAreCountedWhole: with more wordings in a row than a posting tells apart, all of them count, and none as
// exact; the order in which wordings were met changes nothing.
func TestWordingsAreCountedWhole(t *testing.T) {
	texts := []string{"sail sails sailing sailed", "sail sails", "sailing " + strings.Repeat("sailed ", 300), "sailed"}
	var first []map[uint32]float64
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
		s := newShelf(t, lexical.Options{})
		for _, i := range order {
			s.text(texts[i])
		}
		var got []map[uint32]float64
		for _, question := range []string{"sail", "sails", "sailed", "sailing"} {
			scores := map[uint32]float64{}
			for row, score := range s.scores(s.ask(question)) {
				scores[uint32(order[row])] = score
			}
			got = append(got, scores)
		}
		if first == nil {
			first = got
		}
		if !cmp.Equal(got, first) {
			t.Errorf("texts in the order %v score %v, want %v", order, got, first)
		}
		why := s.x.Explain(s.ask("sailed"), s.view(), uint32(slices.Index(order, 0)))
		if why[0].Frequency != 4 || why[0].Exact != 0 {
			t.Errorf("four wordings are explained as %+v", why)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		o    lexical.Options
		want string
	}{
		{lexical.Options{K1: new(-0.1)}, "k1 is -0.1"},
		{lexical.Options{K1: new(math.NaN())}, "k1 is NaN"},
		{lexical.Options{K1: new(math.Inf(1))}, "k1 is +Inf"},
		{lexical.Options{B: new(-0.1)}, "b is -0.1"},
		{lexical.Options{B: new(1.1)}, "b is 1.1"},
		{lexical.Options{B: new(math.NaN())}, "b is NaN"},
		{lexical.Options{Language: "klingon"}, `"klingon" is not known: choose one of arabic, danish`},
	} {
		if _, err := lexical.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v) = %v, want an error with %q", c.o, err, c.want)
		}
	}
	for _, o := range []lexical.Options{{}, {K1: new(0.0), B: new(0.0)}, {B: new(1.0), Language: "de-CH"}} {
		if _, err := lexical.New(o); err != nil {
			t.Errorf("New(%+v) = %v, want no error", o, err)
		}
	}
}

func TestZeroParametersTakeEffect(t *testing.T) {
	s := newShelf(t, lexical.Options{K1: new(0.0), B: new(0.0), Language: "none", StopWords: []string{}})
	s.text("cat cat cat with much more text behind it")
	s.text("cat")
	got := s.scores(s.ask("cat"))
	if got[0] != got[1] || got[0] == 0 {
		t.Errorf("with k1 = 0 scores are %v, want the same for both", got)
	}
}

func TestDeletionAndViews(t *testing.T) {
	s := newShelf(t, plain)
	s.text("red apple")
	s.text("red pear")
	s.text("green pear")
	before := s.view()
	q := s.ask("red pear")
	want := scoresIn(s.x, q, before)
	s.remove(1)
	if got := s.find("pear"); !cmp.Equal(got, []uint32{2}) {
		t.Errorf("after removing row 1, pear is in %v, want [2]", got)
	}
	if got := scoresIn(s.x, q, before); !cmp.Equal(got, want) {
		t.Errorf("the view from before the removal now gives %v, want %v", got, want)
	}
	s.text("red red red")
	if got := scoresIn(s.x, q, before); !cmp.Equal(got, want) {
		t.Errorf("the view from before an addition now gives %v, want %v", got, want)
	}
	if got := s.x.Explain(q, s.view(), 1); len(got) != 0 {
		t.Errorf("Explain of a removed row = %v, want none", got)
	}
	fresh := newShelf(t, plain)
	for _, text := range []string{"red red red", "green pear", "red apple"} {
		fresh.text(text)
	}
	got, again := s.scores(q), fresh.scores(q)
	for row, other := range map[uint32]uint32{0: 2, 2: 1, 3: 0} {
		if got[row] != again[other] {
			t.Errorf("row %d scores %v after a deletion, %v in an index that never held the deleted row",
				row, got[row], again[other])
		}
	}
}

func TestStrayRowsAreInvisible(t *testing.T) {
	s := newShelf(t, plain)
	s.text("red apple")
	want := s.scores(s.ask("red"))
	s.x.Add(s.rows, s.x.Prepare(lexical.Document{Content: "red red red"})) // its write failed: no stamp, not counted
	s.ends.Set(s.rows, 0)
	s.rows++
	if got := s.scores(s.ask("red")); !cmp.Equal(got, want) {
		t.Errorf("with a stray row, scores are %v, want %v", got, want)
	}
	s.text("red pear")
	if got := s.find("red"); !cmp.Equal(got, []uint32{0, 2}) {
		t.Errorf("red is in %v, want [0 2]", got)
	}
}

func TestAddInterrupted(t *testing.T) {
	s := newShelf(t, plain)
	s.text("red apple")
	other := newShelf(t, plain)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Add of another index's document did not panic")
			}
		}()
		s.x.Add(s.rows, other.x.Prepare(lexical.Document{Content: "red"}))
	}()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Add of a row below the last did not panic")
			}
		}()
		s.x.Add(0, s.x.Prepare(lexical.Document{Content: "red"}))
	}()
	if got := s.find("red"); !cmp.Equal(got, []uint32{0}) {
		t.Errorf("red is in %v, want [0]", got)
	}
}

func TestRowsMayLeaveGaps(t *testing.T) {
	s := newShelf(t, plain)
	for _, row := range []uint32{5, 6, 70_000, 5_000_000} {
		s.x.Add(row, s.x.Prepare(lexical.Document{Content: fmt.Sprintf("red number %d", row)}))
		s.ends.Set(row, isolate.Never)
		s.rows, s.docs, s.tokens = row+1, s.docs+1, s.tokens+3
	}
	if got := s.find("red"); !cmp.Equal(got, []uint32{5, 6, 70_000, 5_000_000}) {
		t.Errorf("red is in %v", got)
	}
	if got := s.x.Length(9_999_999); got != 0 {
		t.Errorf("Length of a row never added = %d, want 0", got)
	}
}

func TestFieldsAndDates(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	when := time.Date(2023, 5, 8, 23, 30, 0, 0, time.FixedZone("", 9*3600))
	s.add(lexical.Document{
		Content: "We went hiking.", Speaker: "Caroline", Tags: []string{"outdoor-life", "summer"}, When: when,
	})
	s.add(lexical.Document{Content: "Nothing happened."})
	for _, q := range []string{"hike", "caroline", "outdoors", "summer", "8 May", "in may 2023?", "hiked in 2023"} {
		if got := s.find(q); !cmp.Equal(got, []uint32{0}) {
			t.Errorf("%q is found in %v, want [0]", q, got)
		}
	}
	if got := s.find("what is it"); len(got) != 0 {
		t.Errorf("a question of stop words finds %v, want nothing", got)
	}
	if got := s.x.Length(0); got != 9 { // went hike carolin outdoor life summer 8 may 2023
		t.Errorf("Length = %d, want 9", got)
	}
}

func TestLanguages(t *testing.T) {
	for _, name := range lexical.Languages() {
		if _, err := lexical.New(lexical.Options{Language: name}); err != nil {
			t.Errorf("New with language %s: %v", name, err)
		}
	}
	s := newShelf(t, lexical.Options{})
	s.add(lexical.Document{Content: "Die Häuser am Hafen", Language: "de"})
	s.add(lexical.Document{Content: "unknown tongues are left as they are", Language: "tlh"})
	if got := s.scores(s.ask("Haus")); len(got) != 1 {
		t.Errorf("a German question finds %v, want row 0", got)
	}
	if got := s.find("tongue"); len(got) != 0 {
		t.Errorf("text in an unknown language was stemmed: found %v", got)
	}
	if got := s.scores(s.ask("tongues")); len(got) != 1 {
		t.Errorf("a question in an unknown language finds %v, want row 1", got)
	}
	// The same word again, in the other language, must not reuse the first one's stem.
	s.add(lexical.Document{Content: "Häuser"})
	if got := s.scores(s.ask("Haus")); len(got) != 1 {
		t.Errorf("English analysis of a German word stemmed it as German: %v", got)
	}
}

func TestStopWordChoice(t *testing.T) {
	text := "The harbour is ours, x1 says"
	for _, c := range []struct {
		stops  []string
		length uint32
	}{{nil, 3}, {[]string{}, 6}, {[]string{"Harbour", "x1", "not-there"}, 4}} {
		s := newShelf(t, lexical.Options{StopWords: c.stops})
		s.text(text)
		s.text(text) // the second time from memory
		if s.x.Length(0) != c.length || s.x.Length(1) != c.length {
			t.Errorf("stop words %q: lengths %d and %d, want %d", c.stops, s.x.Length(0), s.x.Length(1), c.length)
		}
	}
	if got := len(lexical.EnglishStopWords()); got != 132 {
		t.Errorf("%d English stop words, want 132", got)
	}
}

func TestScoreAddsToWhatIsThere(t *testing.T) {
	s := newShelf(t, plain)
	s.text("red")
	s.text("red")
	scores := []float64{0, 2}
	touched, _ := s.x.Score(t.Context(), s.ask("red"), s.view(), scores, []uint32{1})
	if !cmp.Equal(touched, []uint32{1, 0}) || scores[1] != scores[0]+2 {
		t.Errorf("touched %v, scores %v; want [1 0], and 2 more in row 1", touched, scores)
	}
}

func TestQueryTermsWithoutWeight(t *testing.T) {
	s := newShelf(t, plain)
	s.text("red")
	q := lexical.Query{Terms: []lexical.QueryTerm{
		{Term: "red"}, {Term: "red", Weight: -1}, {Term: "red", Weight: math.NaN()}, {},
	}}
	if got := s.scores(q); len(got) != 0 {
		t.Errorf("terms without weight score %v", got)
	}
	empty := newShelf(t, plain)
	if got := empty.scores(empty.ask("red")); len(got) != 0 {
		t.Errorf("an empty index finds %v", got)
	}
	if stats := empty.x.Stats(); stats.Terms != 0 || stats.SizeBytes > 1024 || empty.x.Full() {
		t.Errorf("an empty index has %+v", stats)
	}
}
