package lexical

import "strings"

// EnglishStopWords returns the stop list of english and porter.
func EnglishStopWords() []string { return strings.Fields(englishStopWords) }
