package engram

import (
	"strings"
	"unicode/utf8"
)

// Detail says how much of each hit an answer gives.
type Detail string

// How much of a hit there is; Get reads the whole memory.
const (
	// DetailFull gives all of it, as "" does.
	DetailFull Detail = "full"
	// DetailSummary gives the beginning of a content of more than [SummaryBytes].
	DetailSummary Detail = "summary"
	// DetailIDs leaves out content, tags and metadata.
	DetailIDs Detail = "ids"
)

// SummaryBytes is how much of a content DetailSummary gives at most: chosen, some 60 tokens.
const SummaryBytes = 240

// detailed leaves of a hit what was asked for.
func (h *Hit) detailed(how Detail) {
	switch how {
	case DetailSummary:
		short := beginning(h.Content)
		h.Content, h.Shortened = short, len(short) < len(h.Content)
	case DetailIDs:
		h.Content, h.Tags, h.Metadata, h.Shortened = "", nil, nil, true
	case DetailFull:
	}
}

// beginning is as much of a text as a summary gives: up to the end of its last whole sentence there if that is more
// than a third of it, else of its last whole word, else of its last whole character.
func beginning(text string) string {
	if len(text) <= SummaryBytes {
		return text
	}
	cut := SummaryBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	short := text[:cut]
	sentence := 0
	for _, end := range []string{". ", "! ", "? ", "\n", "。", "！", "？"} {
		if i := strings.LastIndex(short, end); i >= 0 {
			sentence = max(sentence, i+len(strings.TrimRight(end, " \n")))
		}
	}
	if sentence > SummaryBytes/3 {
		return short[:sentence]
	}
	if word := strings.LastIndexAny(short, " \t\n"); word > 0 {
		return strings.TrimRight(short[:word], " \t\n")
	}
	return short
}
