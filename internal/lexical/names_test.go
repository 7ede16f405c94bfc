package lexical_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/lexical"
)

// indexed lists what is indexed of a text: its terms in order, a whole in brackets.
func indexed(t *testing.T, text string) string {
	s := newShelf(t, lexical.Options{Language: "english"})
	var got []string
	for _, term := range terms(s.ask(text)) {
		if whole, ok := strings.CutPrefix(term, "\x02"); ok {
			term = "[" + whole + "]"
		}
		got = append(got, term)
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}

// TestNames: names that are put together are indexed whole and in parts, numbers and dates in one form.
func TestNames(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"getUserById", "get getuserbyid id user"},
		{"get_user_by_id", "[getuserbyid] get id user"},
		{"XMLHttpRequest", "http request xml xmlhttprequest"},
		{"HTTPServer2", "2 http httpserver2 server"},
		{"URLs and APIs", "api url"},
		{"NASA", "nasa"},
		{"iPhone eBay", "bay ebay iphon phone"},
		{"größeBerechnen", "berechnen grösse grösseberechnen"},
		{"v1.24.3", "1 24 3 [1.24.3] v1"},
		{"1.24.3", "1 24 3 [1.24.3]"},
		{"utf-8 UTF8", "8 [utf8] utf utf8"},
		{"internal/lexical/when.go", "[internallexicalwhengo] [whengo] go intern lexic"},
		{"ada.lovelace@example.co.uk", "[adalovelace] [adalovelaceexamplecouk] [examplecouk] ada co exampl lovelac uk"},
		{"https://example.com/a/b1", "1 [examplecom] [httpsexamplecomab1] b1 com exampl https"},
		{`C:\Users\ada`, "[cusersada] ada c user"},
		{"well-known facts", "fact known well"},
		{"snake_case.", "[snakecase] case snake"},
		{"the end.Next time", "[endnext] end next time"},
		{"3f2a9b77c1d04e5f", "3f2a9b77c1d04e5f"},
		{"1,000,000 and 7th", "1000000 7 7th"},
		{"1,000,00 x", "00 1000 x"},
		{"10,20,30", "10 20 30"},
		{"$1,200.50", "1200 50 [1200.50] [1200.5]"},
		{"$1200.50", "1200 50 [1200.50] [1200.5]"},
		{"€1,200.50", "1200 50 [1200.50] [1200.5]"},
		{"1200.50", "1200 50 [1200.50]"},
		{"5k run", "5000 5k run"},
		{"٣ ٢٠٢٣", "2023 3"},
		{"2023-05-07", "05 07 2023 7 [2023.05.07] may"},
		{"2023/05/07", "05 07 2023 7 [2023.05.07] may"},
		{"7.5.2023", "2023 5 7 [7.5.2023] may"},
		{"05/14/2023", "05 14 2023 [05.14.2023] may"},
		{"05/07/2023", "05 07 2023 5 7 [05.07.2023] juli may"},
		{"5/7/23", "2023 23 5 7 [5.7.23] juli may"},
		{"31.2.2023", "2 2023 31 [31.2.2023]"},
		{"2023-05-07T10:30:00Z", "00 00z 05 07 10 2023 30 7 [2023.05.07.10.30.00z] [2023.05.07] may"},
		{"AT&T R&D", "[att] [rd] r"},
	} {
		if got := indexed(t, c.text); got != c.want {
			t.Errorf("%q is indexed as %q, want %q", c.text, got, c.want)
		}
	}
}

// TestNamesAreFound: one name finds the same name written otherwise, and first.
func TestNamesAreFound(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	s.text("the user has some way to get an id, by chance")
	camel := s.text("call getUserById there")
	snake := s.text("call get_user_by_id there")
	release := s.text("release v1.24.3 is out")
	s.text("release 24 has 3 bugs and 1 fix")
	path := s.text("see internal/lexical/when.go for that")
	s.text("go on: when is what internal lexical rules say?")
	node := s.text("written for node.js")
	price := s.text("the bike was $1,200.50 in all")
	million := s.text("a town of 1,000,000 people")
	s.text("the 77 number is a bus")
	number := s.text("number77 is this one")
	s.text("number78 is that one")
	for _, c := range []struct {
		question string
		want     []uint32 // first
	}{
		{"getUserById", []uint32{camel, snake}},
		{"get_user_by_id", []uint32{camel, snake}},
		{"getuserbyid", []uint32{camel, snake}},
		{"1.24.3", []uint32{release}},
		{"version v1.24.3?", []uint32{release}},
		{"what is in when.go", []uint32{path}},
		{"lexical/when.go", []uint32{path}},
		{"nodejs", []uint32{node}},
		{"1200.5", []uint32{price}},
		{"1200", []uint32{price}},
		{"1000000", []uint32{million}},
		{"number77", []uint32{number}},
	} {
		got := rank(s, c.question)[:len(c.want)]
		slices.Sort(got)
		if !cmp.Equal(got, c.want) {
			t.Errorf("%q finds %v first, want %v", c.question, got, c.want)
		}
	}
	if got := s.find("number77"); !cmp.Equal(got, []uint32{number}) {
		t.Errorf("a name that is known is found in %v, want %v and nothing that has its parts", got, number)
	}
	if got := s.find("number79"); len(got) != 3 {
		t.Errorf("a name that is not known is found in %v, want the three with its parts", got)
	}
}

// TestPartsLeaveLengthsAlone: what stands aside does not make a row longer, so that rows with names rank as they did.
func TestPartsLeaveLengthsAlone(t *testing.T) {
	text := "call getUserById with v1.24.3 of a/b.c on 2023-05-07, $1,200.50 by ada@example.org"
	plain, full := newShelf(t, lexical.Options{Plain: true}), newShelf(t, lexical.Options{})
	plain.text(strings.ReplaceAll(text, "1,200", "1200"))
	full.text(text)
	if plain.x.Length(0) != full.x.Length(0) || full.x.Stats().Postings <= plain.x.Stats().Postings {
		t.Errorf("length is %d with parts, %d without", full.x.Length(0), plain.x.Length(0))
	}
}

// TestStopWordsThatAreNames: a stop word written as a name is found by a question of nothing else, and one in capitals
// by any; so is a memory of nothing but stop words.
func TestStopWordsThatAreNames(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	band := s.text("Last night we heard The Who and it was loud")
	office := s.text("ask IT about the printer")
	hamlet := s.text("to be or not to be")
	company := s.text("shares of AT&T fell")
	will := s.add(lexical.Document{Content: "sold the car", Speaker: "Will", Tags: []string{"own"}})
	s.text("The printer is about as old as it was, who knows")
	for _, c := range []struct {
		question string
		want     []uint32
	}{
		{"The Who", []uint32{band}},
		{"who is it", []uint32{band, office}},
		{"IT", []uint32{office}},
		{"who runs IT?", []uint32{office}},
		{"AT&T", []uint32{company}},
		{"to be", []uint32{hamlet}},
		{"Will", []uint32{will}},
		{"own", []uint32{will}},
		{"and the", []uint32{band}},
		{"", []uint32{}},
	} {
		if got := s.find(c.question); !cmp.Equal(got, c.want) {
			t.Errorf("%q is found in %v, want %v", c.question, got, c.want)
		}
	}
}
