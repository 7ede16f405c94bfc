package lexical_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/lexical"
)

func terms(q lexical.Query) []string {
	got := []string{}
	for _, t := range q.Terms {
		got = append(got, t.Term)
	}
	return got
}

func TestTokens(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		name, text, want string
	}{
		{"empty", "", ""},
		{"blanks", " \t\n\r", ""},
		{"punctuation", "?!... --- ''\"\"", ""},
		{"ascii", "The Quick-brown fox, v2.1 on 2023-05-08", "the quick brown fox v2 1 on 2023 05 08"},
		{"apostrophes", "don't Caroline’s 'quoted' o'clock", "don t caroline s quoted o clock"},
		{"identifiers", "snake_case foo::bar a@b.org http://x.y/z", "snake case foo bar a b org http x y z"},
		{"accents", "Café CAFÉ cafe\u0301", "café"},
		{"german", "Straße STRASSE GROẞ", "strasse gross"},
		{"greek", "Ὀδυσσεύς ΟΔΟΣ", "ὀδυσσεύσ οδοσ"},
		{"russian", "Мы встретились ВЧЕРА.", "мы встретились вчера"},
		{"hebrew", "צה\"ל צה״ל ג'ירפה שלום", "צהל גירפה שלום"},
		{"arabic with marks", "مَرْحَبًا بالعالم", "مَرْحَبًا بالعالم"},
		{"direction marks", "\u200eabc\u200f שלום\u202c", "abc שלום"},
		{"soft hyphen", "hy\u00adphen", "hyphen"},
		{"persian non-joiner", "می\u200cخواهم", "میخواهم"},
		{"devanagari", "नमस्ते दुनिया", "नमस्ते दुनिया"},
		{"full width", "Ｈｅｌｌｏ １２３", "hello 123"},
		{"ligature", "ﬁre", "fire"},
		{"han", "東京都", "東京 京都"},
		{"one han", "犬", "犬"},
		{"han and latin", "Go言語 2つ", "go 言語 2 つ"},
		{"kana", "コンピュータを", "コン ンピ ピュ ュー ータ タを"},
		{"half-width kana", "ｶﾞｷﾞ", "ガギ"},
		{"hangul", "서울에서 봄", "서울 울에 에서 봄"},
		{"hangul decomposed", "서울", "서울"},
		{"thai", "สวัสดี", "สวั วัส สดี"},
		{"emoji", "great 😂😂 👍🏽!", "great 😂 👍🏽"},
		{"emoji joined", "👩‍👩‍👧‍👦 🏳️‍🌈", "👩‍👩‍👧‍👦 🏳‍🌈"},
		{"emoji with and without selector", "❤️ ❤", "❤"},
		{"emoji with a joiner at its end", "👩\u200d 👩", "👩"},
		{"flags", "🇩🇪🇫🇷", "🇩🇪 🇫🇷"},
		{"emoji in a word", "so😂funny", "so 😂 funny"},
		{"keycap", "1️⃣", "1"},
		{"ornaments", "┌──┐ │ █", ""},
		{"marks alone", "\u0301 \u0301a", "a"},
		{"replacement", "a\ufffdb", "a b"},
		{"invalid", "ab\xffcd \xe4\xb8", "ab cd"},
		{"one long word", long, long[:128]},
		{"long word of wide runes", strings.Repeat("é", 100), strings.Repeat("é", 64)},
	} {
		s := newShelf(t, plain)
		if got := strings.Join(terms(s.ask(c.text)), " "); got != c.want {
			t.Errorf("%s: Analyze(%.40q) = %q, want %q", c.name, c.text, got, c.want)
		}
		row := s.text(c.text)
		if c.want == "" {
			continue
		}
		if got := s.find(c.text); !cmp.Equal(got, []uint32{row}) {
			t.Errorf("%s: the text does not find itself", c.name)
		}
	}
}

func TestStems(t *testing.T) {
	for _, c := range []struct{ language, text, want string }{
		{"", "The runners were running to generously run", "runner run generous"},
		{"porter", "The runners were running to generously run", "runner run gener"},
		{"none", "runners running", "runners running"},
		{"en-GB", "Harbours 3rd isn't", "harbour 3 3rd isn"},
		{"german", "Häuser Straßen", "haus strass"},
		{"fr", "l'école écoles continuellement", "écol continuel"},
		{"russian", "книгами книга", "книг"},
		{"tr", "ISPARTA İstanbul Kitaplar", "ıspar istanbul kitap"},
		{"es", "niños niña", "niñ"},
		{"arabic", "الكتاب كتاب", "كتاب"},
		{"english", "東京s 😂", "東京 s 😂"},
	} {
		s := newShelf(t, lexical.Options{Language: c.language})
		want := c.want
		if c.language == "english" {
			want = "東京 😂"
		}
		got := strings.Join(terms(s.ask(c.text)), " ")
		if got != want {
			t.Errorf("%s: Analyze(%q) = %q, want %q", c.language, c.text, got, want)
		}
		s.text(c.text) // now from memory
		if again := strings.Join(terms(s.ask(c.text)), " "); again != got {
			t.Errorf("%s: Analyze(%q) = %q before the words were known, %q after", c.language, c.text, got, again)
		}
	}
}

func TestSingleLettersOfRuns(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	s.text("東京都に犬がいる")
	s.text("犬")
	s.text("猫")
	if got := s.find("犬"); !cmp.Equal(got, []uint32{0, 1}) {
		t.Errorf("犬 is in %v, want [0 1]", got)
	}
	if got := s.find("京都"); !cmp.Equal(got, []uint32{0}) {
		t.Errorf("京都 is in %v, want [0]", got)
	}
	if got := s.x.Length(0); got != 7 {
		t.Errorf("a run of 8 letters has length %d, want 7: the letters beside the pairs do not count", got)
	}
	s.text("東京都に犬がいる") // now from memory
	if got := s.x.Length(3); got != 7 {
		t.Errorf("the same run again has length %d, want 7", got)
	}
	if got := s.x.Length(1); got != 1 {
		t.Errorf("one letter has length %d, want 1", got)
	}
}

func TestQueryFrequencies(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	const greek = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
	long := strings.Repeat(greek, 2)
	q := s.ask(long + "running runs alphas")
	if len(q.Terms) != 19 || q.Terms[0].Weight != 3 || q.Terms[1].Weight != 2 {
		t.Fatalf("Analyze = %v, want 19 terms, alpha 3, beta 2", q.Terms)
	}
	if last := q.Terms[18]; last.Term != "run" || last.Weight != 2 || last.Word != 37 {
		t.Errorf("the last term is %v, want run, 2, of word 37", last)
	}
}

// FuzzAnalyze: whatever is indexed of a text, the text as a question finds it, and knowing its words takes no term
// away.
func FuzzAnalyze(f *testing.F) {
	for _, seed := range []string{
		"don't", "צה\"ל", "東京s", "👩‍👩‍👧‍👦🇩🇪", "a\u0301\u200d", "\xff\xe4", "İIıi", "ｶﾞ=\u0338", "to be or not to be",
		"IT", "getUserById v1.24.3 a/b.c ada@example.org 2023-05-07 $1,200.50 7th 5k",
		"die Häuser, où est la gare, AT&T",
	} {
		f.Add(seed, "")
		f.Add(seed, "english")
		f.Add(seed, "tr")
	}
	f.Fuzz(func(t *testing.T, text, language string) {
		if _, err := lexical.New(lexical.Options{Language: language}); err != nil {
			t.Skip(err)
		}
		s := newShelf(t, lexical.Options{Language: language})
		before := s.ask(text).Terms
		row := s.text(text)
		q := s.ask(text)
		after := terms(q)
		for _, term := range before {
			if !term.Aside && !slices.Contains(after, term.Term) { // what stands aside may be there for want of better
				t.Errorf("analysis of %q loses %q once its words are known: %q", text, term.Term, after)
			}
		}
		if got := s.scores(q); s.x.Stats().Postings > 0 != (len(got) == 1) {
			t.Errorf("%q has terms %v and finds %v", text, before, got)
		}
		explained := map[string]bool{}
		for _, term := range s.x.Explain(q, s.view(), row) {
			explained[term.Term] = true
		}
		words := map[int]bool{} // one of the terms of each word is in the row
		for _, term := range q.Terms {
			words[term.Word] = words[term.Word] || explained[term.Term]
		}
		for word, found := range words {
			if !found {
				t.Errorf("%q has the terms %v, of which those of word %d are not explained", text, q.Terms, word)
			}
		}
	})
}

// TestUnstemmedAndUndated: words stay as they are, stop words are left out all the same, and the day is no word.
func TestUnstemmedAndUndated(t *testing.T) {
	s := newShelf(t, lexical.Options{Language: "english", Unstemmed: true, Undated: true})
	s.add(lexical.Document{Content: "the boats were sailing", When: time.Date(2023, 5, 7, 0, 0, 0, 0, time.UTC)})
	for question, found := range map[string]bool{
		"boats": true, "boat": false, "sailing": true, "sail": false, "2023": false, "may": false,
	} {
		if got := s.find(question); (len(got) == 1) != found {
			t.Errorf("%s finds %v", question, got)
		}
	}
	if got := s.x.Length(0); got != 2 {
		t.Errorf("the row has %d tokens, want boats and sailing", got)
	}
}
