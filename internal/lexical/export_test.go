package lexical

import "strings"

// EnglishStopWords returns the stop list of english and porter.
func EnglishStopWords() []string { return strings.Fields(englishStopWords) }

// Times lists what expressions of time in row's content name, relative to when it occurred: the first two at most.
func (x *Index) Times(row uint32) []Span {
	if !x.HasTimes(row) {
		return nil
	}
	var spans []Span
	for packed := x.times.Get(row); packed != 0; packed >>= 32 {
		spans = append(spans, unpack(uint32(packed)))
	}
	return spans
}
