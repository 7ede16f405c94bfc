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

// language is how words of one language are treated. The zero value leaves them as they are.
type language struct {
	id     uint8 // below 32: vocabulary keeps a bit for each
	stem   func(*snowballstem.Env) bool
	stops  bool // the English stop list applies
	turkic bool // I is the capital of a dotless i
}

// dates reports whether expressions of time are looked for: they are known in English, and in what names no language.
func (l language) dates() bool { return l.stops || l.id == 0 }

// languageNames lists the names and ISO 639 codes that languageOf knows, for Languages and for its test.
const languageNames = "arabic danish dutch english finnish french german hungarian irish italian none norwegian " +
	"porter portuguese romanian russian spanish swedish tamil turkish"

// Languages lists the languages that [Options] and [Document] can name, in alphabetical order. "english" is the second
// edition of Porter's algorithm (Snowball "english"), "porter" the one of 1980, "none" neither stems nor stops.
func Languages() []string { return strings.Fields(languageNames) }

// languageOf finds a language by its name or ISO 639 code, whatever its case; a region after a hyphen is ignored. An
// unknown name gives "none" and false.
func languageOf(name string) (language, bool) {
	name, _, _ = strings.Cut(strings.ToLower(name), "-")
	switch name {
	case "none":
		return language{}, true
	case "english", "en":
		return language{id: 1, stem: english.Stem, stops: true}, true
	case "porter":
		return language{id: 2, stem: porter.Stem, stops: true}, true
	case "arabic", "ar":
		return language{id: 3, stem: arabic.Stem}, true
	case "danish", "da":
		return language{id: 4, stem: danish.Stem}, true
	case "dutch", "nl":
		return language{id: 5, stem: dutch.Stem}, true
	case "finnish", "fi":
		return language{id: 6, stem: finnish.Stem}, true
	case "french", "fr":
		return language{id: 7, stem: french.Stem}, true
	case "german", "de":
		return language{id: 8, stem: german.Stem}, true
	case "hungarian", "hu":
		return language{id: 9, stem: hungarian.Stem}, true
	case "irish", "ga":
		return language{id: 10, stem: irish.Stem}, true
	}
	return furtherLanguage(name)
}

// furtherLanguage is the second half of languageOf.
func furtherLanguage(name string) (language, bool) {
	switch name {
	case "italian", "it":
		return language{id: 11, stem: italian.Stem}, true
	case "norwegian", "no", "nb", "nn":
		return language{id: 12, stem: norwegian.Stem}, true
	case "portuguese", "pt":
		return language{id: 13, stem: portuguese.Stem}, true
	case "romanian", "ro":
		return language{id: 14, stem: romanian.Stem}, true
	case "russian", "ru":
		return language{id: 15, stem: russian.Stem}, true
	case "spanish", "es":
		return language{id: 16, stem: spanish.Stem}, true
	case "swedish", "sv":
		return language{id: 17, stem: swedish.Stem}, true
	case "tamil", "ta":
		return language{id: 18, stem: tamil.Stem}, true
	case "turkish", "tr":
		return language{id: 19, stem: turkish.Stem, turkic: true}, true
	}
	return language{}, false
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
func (s *stemmer) stem(word []byte, l language) (stem []byte) {
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

// letterCount counts runes up to minStemmed.
func letterCount(word []byte) int {
	n := 0
	for range string(word[:min(len(word), minStemmed*4)]) {
		n++
	}
	return n
}

// englishStopWords is the list that the defaults were measured with, s t d ll m re ve being what apostrophes leave.
const englishStopWords = "" +
	" a about above after again against all am an and any are as at be because been before being below between " +
	"both but by can did do does doing down during each few for from further had has have having he her here hers " +
	"herself him himself his how i if in into is it its itself just me more most my myself no nor not now of off " +
	"on once only or other our ours ourselves out over own same she should so some such than that the their " +
	"theirs them themselves then there these they this those through to too under until up very was we were what " +
	"when where which while who whom why will with would you your yours yourself yourselves s t d ll m re ve "

const longestStopWord = len("yourselves")

// EnglishStopWords returns the stop list of english and porter; the slice is the caller's.
func EnglishStopWords() []string { return slices.Clip(strings.Fields(englishStopWords)) }

// IsEnglishStopWord reports whether a word in lower case is in the stop list of english and porter.
func IsEnglishStopWord(word string) bool { return isEnglishStopWord([]byte(word)) }

// isEnglishStopWord searches the text of the list: it is asked once for each distinct word of an index.
func isEnglishStopWord(token []byte) bool {
	if len(token) > longestStopWord {
		return false
	}
	var padded [longestStopWord + 2]byte
	needle := append(append(append(padded[:0], ' '), token...), ' ')
	return strings.Contains(englishStopWords, string(needle))
}
