package lexical_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/lexical"
)

// tongues says the same in each language that has a stop list.
var tongues = map[string]string{
	"en": "Yesterday we were at the harbour with the children and it was cold.",
	"ar": "أمس كنا في الميناء مع الأطفال وكان الجو باردا",
	"da": "I går efter arbejde var vi ved havnen med børnene, og det blev ikke til noget.",
	"nl": "Gisteren waren we met de kinderen in de haven en het was koud.",
	"fi": "Eilen olimme lasten kanssa satamassa ja siellä oli kylmä.",
	"fr": "Hier nous étions au port avec les enfants et il faisait froid.",
	"de": "Gestern waren wir mit den Kindern am Hafen und es war kalt.",
	"hu": "Tegnap a gyerekekkel voltunk a kikötőben, és nagyon hideg volt.",
	"ga": "Bhí muid ag an gcuan inné leis na páistí agus bhí sé fuar.",
	"it": "Ieri eravamo al porto con i bambini e faceva freddo.",
	"no": "I går etter jobben var vi på havna med barna, og det ble ikke noe av turen.",
	"pt": "Ontem estávamos no porto com as crianças e não estava frio.",
	"ro": "Ieri am fost în port cu copiii și era foarte frig.",
	"ru": "Вчера мы были с детьми в порту, и было холодно.",
	"es": "Ayer estuvimos en el puerto con los niños y hacía frío.",
	"sv": "I går var vi i hamnen med barnen och det var kallt.",
	"ta": "நேற்று நாங்கள் குழந்தைகளுடன் துறைமுகத்தில் இருந்தோம், அது குளிராக இருந்தது.",
	"tr": "Dün çocuklarla birlikte limandaydık ve hava çok soğuktu.",
}

// TestLanguageIsFound: each language is told by what a text says, and nothing is said of what could be several.
func TestLanguageIsFound(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	for want, text := range tongues {
		if got := s.x.Prepare(lexical.Document{Content: text}).Detected(); got != want {
			t.Errorf("%q is found to be in %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{
		"", "ok", "Los Angeles, Las Vegas", "Juan de la Cruz", "alpha beta gamma", "42", "😂", "Україна і її мова",
		"فارسی چیست", "東京都に犬がいる",
	} {
		if got := s.x.Prepare(lexical.Document{Content: text}).Detected(); got != "" {
			t.Errorf("%q is found to be in %q, want none", text, got)
		}
	}
	for _, d := range []lexical.Document{
		{Content: tongues["de"], Language: "fr"},
		{Content: tongues["de"], Language: "none"},
		{Content: tongues["de"], Found: new("")},
	} {
		if got := s.x.Prepare(d).Detected(); got != "" {
			t.Errorf("a document with its language is found to be in %q", got)
		}
	}
	fixed := newShelf(t, lexical.Options{Language: "english"})
	if got := fixed.x.Prepare(lexical.Document{Content: tongues["de"]}).Detected(); got != "" {
		t.Errorf("an index with its language finds %q", got)
	}
}

// TestQuestionsInTheLanguagesPresent: a word of a question is stemmed in each language that a row alive is in, and in
// none that no row is in any more.
func TestQuestionsInTheLanguagesPresent(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	english := s.text("The houses at the harbour were sold and it was sad")
	if got := terms(s.ask("Häuser")); !cmp.Equal(got, []string{"häuser"}) {
		t.Errorf("with English alone the terms are %q", got)
	}
	german := s.text("Die Häuser am Hafen sind verkauft, und das ist schade")
	haus := s.text("das Haus ist alt und es war ein wenig feucht")
	for question, want := range map[string][]uint32{
		"Haus": {german, haus}, "Häuser": {german, haus}, "wo ist das Haus?": {german, haus},
		"which house was sold?": {english}, "houses": {english}, "was ist das": {}, "die": {},
	} {
		if got := s.find(question); !cmp.Equal(got, want) {
			t.Errorf("%q is found in %v, want %v", question, got, want)
		}
	}
	stated := s.add(lexical.Document{Content: "Maison", Language: "french"})
	if got := s.find("maisons"); !cmp.Equal(got, []uint32{stated}) {
		t.Errorf("maisons is found in %v, want the row that names its language", got)
	}
	before := s.view()
	s.remove(german)
	s.remove(haus)
	s.remove(stated)
	if got := terms(s.ask("Häuser")); !cmp.Equal(got, []string{"häuser"}) {
		t.Errorf("without German rows the terms are %q", got)
	}
	if got := terms(s.x.Analyze("Häuser", before)); !cmp.Equal(got, []string{"häuser", "häus", "haus"}) {
		t.Errorf("in the view before, the terms are %q, want the German and the French stem, too", got)
	}
}

// TestLanguagesTogetherChangeNothing: rows of other languages do not change the rows that a question in English finds.
func TestLanguagesTogetherChangeNothing(t *testing.T) {
	alone, together := newShelf(t, lexical.Options{}), newShelf(t, lexical.Options{})
	texts := []string{"the red harbour", "harbours and ships in the sun", "a ship was sunk"}
	for _, text := range texts {
		alone.text(text)
		together.text(text)
	}
	for _, text := range tongues {
		together.text(text)
	}
	for _, question := range []string{"harbour", "ships", "was the ship sunk?", "sunny"} {
		if got, want := together.find(question), alone.find(question); !cmp.Equal(got[:len(want)], want) {
			t.Errorf("%q finds %v beside other languages, %v alone", question, got, want)
		}
	}
}
