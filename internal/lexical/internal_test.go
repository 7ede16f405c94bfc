package lexical

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

// TestShortCutAgreesWithLibrary compares the ASCII short cut and its cuts around other runes with the long way over
// the whole text.
func TestShortCutAgreesWithLibrary(t *testing.T) {
	pieces := []string{
		"a", "B", "z9", "10", "3.5", "1,000", "7th", "XMLHttp", "URLs", "5k", "07T10", "/", "€", "don't", "it’s", "_",
		"-", ".", ":", ",", "'", "\"", " ", " ", "\n", "\t", "\r\n",
		"é", "e\u0301", "\u0301", "\u200d", "\ufe0f", "\u20e3", "#", "1", "ß", "І", "שׁ", "צה", "\u0338", "=", "東", "京",
		"ー",
		"カ", "ｶ", "ﾞ", "서울", "ไทย", "😂", "👩", "👍🏽", "🇩🇪", "\u00ad", "\u200e", "؟", "·", "…", "½",
		"²", "\xff", "\xe4\xb8", "\x00",
	}
	r := rand.New(rand.NewPCG(3, 3))
	tokens := func(turkic bool, way func(*tokenizer)) []string {
		var got []string
		tk := tokenizer{turkic: turkic, companions: true}
		tk.emit = func(token []byte, k kind, j joint) { got = append(got, fmt.Sprintf("%s %04b %q", token, k, j)) }
		way(&tk)
		return got
	}
	for i := range 20_000 {
		var b strings.Builder
		for range 1 + r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		text := b.String()
		short := tokens(i%5 == 0, func(tk *tokenizer) { tk.text(text) })
		long := tokens(i%5 == 0, func(tk *tokenizer) { tk.chunk(text); tk.flush() })
		if !slices.Equal(short, long) {
			t.Fatalf("text %q: short cut %q, library %q", text, short, long)
		}
	}
}

const usual = 7 // wording of the list in TestAppendAfterInterruption

// randomUses draws what a posting can hold.
func randomUses(r *rand.Rand) []use {
	often := func() uint32 { return 1 + uint32(r.ExpFloat64()*float64(r.IntN(300))) }
	switch r.IntN(3) {
	case 0:
		return []use{newUse(usual, often())}
	case 1:
		return []use{newUse(uint8(r.IntN(256)), often())}
	}
	var uses []use
	for _, wording := range r.Perm(256)[:2+r.IntN(maxWordings-1)] {
		uses = append(uses, newUse(uint8(wording), min(often(), maxEach)))
	}
	return uses
}

// TestAppendAfterInterruption sets back what put writes after publishing, as if it had ended there, at random.
func TestAppendAfterInterruption(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var p pages
	list := postings{usual: usual}
	type posting struct {
		row  uint32
		uses []use
	}
	var want []posting
	row := uint32(0)
	for i := range 20_000 {
		state, tail := list.state.Load(), tailAsNoted(&p, &list)
		uses := randomUses(r)
		at := p.spot(&list, list.state.Load())
		p.put(&at, row, uses)
		switch r.IntN(4) {
		case 0: // ended before publishing: only the published word counts, whatever else was written stays
			list.state.Store(state)
			list.tail = tail
		case 1: // ended after publishing
			list.tail = tail
			fallthrough
		default:
			want = append(want, posting{row, uses})
		}
		row += 1 + uint32(r.ExpFloat64()*float64(int(1)<<r.IntN(16)))
		if i%500 != 0 {
			continue
		}
		asked := uint8(r.IntN(256))
		c := p.read(&list)
		for k, w := range want {
			expected := hit{row: w.row}
			for _, u := range w.uses {
				expected.frequency += u.frequency()
				if u.wording() == asked && asked != noWording {
					expected.exact = u.frequency()
				}
			}
			if got, ok := c.next(asked); !ok || got != expected {
				t.Fatalf("posting %d of %d, wording %d, is %v %v, want %v", k, len(want), asked, got, ok, expected)
			}
		}
		if _, ok := c.next(asked); ok {
			t.Fatalf("more than %d postings", len(want))
		}
	}
}

// tailAsNoted is the tail that put notes before it extends.
func tailAsNoted(p *pages, list *postings) uint32 {
	block, _ := place(int(uint32(list.state.Load())))
	_, tail := p.tailBody(list, block)
	return tail
}

func TestPages(t *testing.T) {
	var p pages
	end := uint64(0)
	for i := range 4000 {
		n := 8 * (1 + i%64)
		a := p.alloc(n, 1<<40)
		if a < end || a%8 != 0 || len(p.at(a)) < n {
			t.Fatalf("alloc(%d) = %d after %d with %d bytes in its page", n, a, end, len(p.at(a)))
		}
		end = a + uint64(n)
	}
	for k := range 40 {
		start := pageStart(k)
		if page, offset := locatePage(start); page != k || offset != 0 {
			t.Errorf("locatePage(%d) = %d, %d; want %d, 0", start, page, offset, k)
		}
		if page, _ := locatePage(pageStart(k+1) - 1); page != k {
			t.Errorf("the last byte of page %d is in page %d", k, page)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("alloc beyond the limit did not panic")
		}
	}()
	p.alloc(64, end)
}

func TestPlace(t *testing.T) {
	block, within := 0, 0
	for size := 1; size < 10_000; size++ {
		if within++; within > payload(block) {
			block, within = block+1, 1
		}
		if b, taken := place(size); b != block || taken != within {
			t.Fatalf("place(%d) = %d, %d; want %d, %d", size, b, taken, block, within)
		}
	}
	if maxBlock != blockSize(1000) || blockSize(9) != maxBlock || blockSize(8) >= maxBlock {
		t.Errorf("blocks grow %d, %d, %d", blockSize(8), blockSize(9), blockSize(1000))
	}
}

func TestStemmerSurvivesDefects(t *testing.T) {
	var s stemmer
	without := language{name: "english"}
	if got := string(s.stem([]byte("running"), &without)); got != "running" {
		t.Errorf("without an algorithm, stem = %q", got)
	}
	l, _ := languageOf("arabic")
	if got := string(s.stem([]byte("ءءء"), l)); got == "" {
		t.Error("a word was stemmed to nothing")
	}
}

func TestLanguageNames(t *testing.T) {
	seen := map[uint8]string{}
	for _, name := range Languages() {
		l, known := languageOf(name)
		if !known || l.id >= 32 || seen[l.id] != "" || l.stem == nil != (name == "none") {
			t.Errorf("language %s: id %d (also %q), known %v", name, l.id, seen[l.id], known)
		}
		seen[l.id] = name
	}
	if _, known := languageOf(""); known {
		t.Error("the empty name is a language")
	}
}

func TestLn(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 100_000 {
		x := 1 + math.Exp(r.Float64()*60-30)
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 4e-16*max(1, want) {
			t.Fatalf("ln(%v) = %v, want %v", x, got, want)
		}
	}
	if ln(1) != 0 || ln(2) != math.Ln2 {
		t.Errorf("ln(1) = %v, ln(2) = %v", ln(1), ln(2))
	}
	// The same bits on every machine.
	for x, want := range map[float64]uint64{
		1.6: 0x3fde148a1a2726ce, 8.0 / 3: 0x3fef62f40794a7b8, 12345.678: 0x4022d79559791e31,
	} {
		if got := math.Float64bits(ln(x)); got != want {
			t.Errorf("ln(%v) has the bits %#x, want %#x", x, got, want)
		}
	}
}

// TestMergeInterrupted ends merges of the tail at random places, again and again, and compares every list with what was
// added, as a reader gathers it, at every moment: in how many ways a row has a term, and how often as it is asked for.
func TestMergeInterrupted(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	x, err := New(Options{Language: "english"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]hit{} // by word
	var ends isolate.Stamps
	merges, mixed := 0, 0
	for row := range uint32(3000) {
		words := map[string]map[string]uint32{} // by stem and word
		var text strings.Builder
		for range r.IntN(20) + r.IntN(400)*(r.IntN(100)/99) {
			stem := inLetters(int(r.ExpFloat64()*40)) + "ank"
			word := stem + []string{"", "", "", "s", "ing", "ed"}[r.IntN(6)]
			if words[stem] == nil {
				words[stem] = map[string]uint32{}
			}
			words[stem][word]++
			text.WriteString(word + " ")
		}
		if old := x.tail.Load(); old != nil && r.IntN(3) == 0 { // an Add ended in its merge
			x.sorter.sort(old)
			for from := 0; from < len(x.sorter.order) && r.IntN(4) > 0; {
				from = x.mergeBatch(old, from)
				merges++
			}
		}
		x.Add(row, x.Prepare(Document{Content: text.String()}))
		ends.Set(row, isolate.Never)
		for stem, wordings := range words {
			h := hit{row: row}
			for _, n := range wordings {
				h.frequency += n
			}
			mixed += len(wordings) / 2
			for _, ending := range []string{"", "s", "ing", "ed"} {
				if h.exact = wordings[stem+ending]; len(wordings) > maxWordings {
					h.exact = 0
				}
				want[stem+ending] = append(want[stem+ending], h)
			}
		}
		v := View{Rows: row + 1, At: 1, Ends: &ends, Docs: int(row) + 1}
		for _, wordings := range words {
			for word := range wordings {
				q := x.Analyze(word, v).Terms[0]
				if got := x.alive(q, v, nil); !slices.Equal(got, want[word]) {
					t.Fatalf("seed %d, row %d: %s (%+v) is in %v, want %v", seed, row, word, q, got, want[word])
				}
			}
		}
	}
	if len(want) < 400 || merges < 1000 || mixed < 1000 {
		t.Fatalf("%d words, %d batches of interrupted merges, %d rows with several wordings: too few to show anything",
			len(want), merges, mixed)
	}
}

// inLetters writes a number in letters that stemming leaves alone.
func inLetters(n int) string {
	s := ""
	for ; n > 0 || s == ""; n /= 10 {
		s += string("bdfgklmnpr"[n%10])
	}
	return s
}
