package lexical

import (
	"slices"
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/porter"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
)

// language is how words of one language are treated.
type language struct {
	id    uint8  // its place in languages, below 32: vocabulary keeps a bit for each
	name  string // as in Options
	code  string // ISO 639, as it is stored; also a name
	stem  func(*snowballstem.Env) bool
	stops string // the stop list, parted by blanks
	// turkic: I is the capital of a dotless i.
	turkic bool
}

// The places of languages that are asked for by name.
const (
	noLanguage = 0
	inEnglish  = 1
	inPorter   = 2
	inArabic   = 3
	inRussian  = 15
	inTamil    = 18
)

// languages are those that [Options] and [Document] can name. "none" neither stems nor stops; "english" is the second
// edition of Porter's algorithm (Snowball "english"), "porter" the one of 1980.
var languages = [...]language{
	{0, "none", "none", nil, "", false},
	{1, "english", "en", english.Stem, englishStopWords, false},
	{2, "porter", "porter", porter.Stem, englishStopWords, false},
	{3, "arabic", "ar", arabic.Stem, arabicStopWords, false},
	{4, "danish", "da", danish.Stem, danishStopWords, false},
	{5, "dutch", "nl", dutch.Stem, dutchStopWords, false},
	{6, "finnish", "fi", finnish.Stem, finnishStopWords, false},
	{7, "french", "fr", french.Stem, frenchStopWords, false},
	{8, "german", "de", german.Stem, germanStopWords, false},
	{9, "hungarian", "hu", hungarian.Stem, hungarianStopWords, false},
	{10, "irish", "ga", irish.Stem, irishStopWords, false},
	{11, "italian", "it", italian.Stem, italianStopWords, false},
	{12, "norwegian", "no", norwegian.Stem, norwegianStopWords, false},
	{13, "portuguese", "pt", portuguese.Stem, portugueseStopWords, false},
	{14, "romanian", "ro", romanian.Stem, romanianStopWords, false},
	{15, "russian", "ru", russian.Stem, russianStopWords, false},
	{16, "spanish", "es", spanish.Stem, spanishStopWords, false},
	{17, "swedish", "sv", swedish.Stem, swedishStopWords, false},
	{18, "tamil", "ta", tamil.Stem, tamilStopWords, false},
	{19, "turkish", "tr", turkish.Stem, turkishStopWords, true},
}

// dates reports whether expressions of time are looked for: they are known in English, and in what names no language.
func (l *language) dates() bool { return l.id <= inPorter }

// Languages lists the languages that [Options] and [Document] can name, in alphabetical order. "english" is the second
// edition of Porter's algorithm (Snowball "english"), "porter" the one of 1980, "none" neither stems nor stops.
func Languages() []string {
	names := make([]string, len(languages))
	for i, l := range languages {
		names[i] = l.name
	}
	slices.Sort(names)
	return names
}

// LanguageCode gives the code under which a language is stored: ISO 639 for all but "porter" and "none". It is found by
// its name or its code, whatever its case; a region after a hyphen is ignored. ok is false for one that is not known.
func LanguageCode(name string) (code string, ok bool) {
	l, ok := languageOf(name)
	return l.code, ok
}

// languageOf finds a language as LanguageCode does. An unknown name gives "none" and false.
func languageOf(name string) (*language, bool) {
	name, _, _ = strings.Cut(strings.ToLower(name), "-")
	if name == "nb" || name == "nn" {
		name = "no"
	}
	for i := range languages {
		if l := &languages[i]; l.name == name || l.code == name {
			return l, true
		}
	}
	return &languages[noLanguage], false
}

// Words outside these bounds keep their form: "as" and "us" have no stem, and no language has words of 100 bytes.
const (
	minStemmed = 3  // letters
	maxStemmed = 64 // bytes
)

// stemmer runs stemming algorithms; it is for one goroutine.
type stemmer struct{ env *snowballstem.Env }

// stem returns the stem of word, which must be letters only and in lower case, or word itself where it has none. The
// result is the caller's. A defect of an algorithm costs the stem of that one word, not the write.
func (s *stemmer) stem(word []byte, l *language) (stem []byte) {
	if l.stem == nil || len(word) > maxStemmed || letterCount(word) < minStemmed {
		return word
	}
	defer func() {
		if recover() != nil {
			s.env = nil
			stem = word
		}
	}()
	if s.env == nil {
		s.env = snowballstem.NewEnv("")
	}
	s.env.SetCurrent(string(word))
	l.stem(s.env)
	if got := s.env.Current(); got != "" {
		return []byte(got)
	}
	return word
}

// stem is what stemming makes of a word in this index.
func (x *Index) stem(s *stemmer, word []byte, l *language) []byte {
	if x.unstemmed {
		return word
	}
	return s.stem(word, l)
}

// letterCount counts runes up to minStemmed.
func letterCount(word []byte) int {
	n := 0
	for range string(word[:min(len(word), minStemmed*4)]) {
		n++
	}
	return n
}

// IsEnglishStopWord reports whether a word in lower case is in the stop list of english and porter.
func IsEnglishStopWord(word string) bool {
	w := []byte(word)
	l := known().find(hashOf(w), w)
	return l != nil && l.stops>>inEnglish&1 != 0
}
