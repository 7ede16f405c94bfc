package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	engram "github.com/orchard9/engram-go"
)

// printable returns text with control characters (and those that turn the writing direction) replaced, so that a
// stored text cannot drive the terminal that shows it. Line ends become the sign for them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '⏎'
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '�'
		}
		return r
	}, text)
}

// indented returns text of several lines with prefix before every line but the first.
func indented(text, prefix string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n"+prefix)
}

// whenText writes a time with the offset it was stored with.
func whenText(t time.Time) string {
	return t.Format("2006-01-02 15:04:05Z07:00")
}

// attributes writes what a memory has beside its content, in one line; how it stands comes last.
func attributes(m engram.Memory) string {
	parts := []string{printable(m.Kind)}
	if m.Speaker != "" {
		parts = append(parts, "by "+printable(m.Speaker))
	}
	if m.Session != "" {
		parts = append(parts, "in "+printable(m.Session))
	}
	for _, tag := range m.Tags {
		parts = append(parts, "#"+printable(tag))
	}
	if m.Language != "" && !m.LanguageDetected {
		parts = append(parts, "in "+m.Language)
	}
	if m.Pin {
		parts = append(parts, "pinned")
	}
	return strings.Join(append(parts, m.Standing()), " ")
}

// shortNumber writes a number with four digits.
func shortNumber(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// counted writes a number with the right form of its noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sizeText writes a number of bytes for a person.
func sizeText(sizeBytes int64) string {
	const unit = 1024
	if sizeBytes < unit {
		return counted(int(sizeBytes), "byte", "bytes")
	}
	value, name := float64(sizeBytes)/unit, 0
	names := []string{"KiB", "MiB", "GiB", "TiB"}
	for value >= unit && name < len(names)-1 {
		value, name = value/unit, name+1
	}
	return fmt.Sprintf("%.1f %s", value, names[name])
}

// shellQuote writes text as one word of a shell's command line.
func shellQuote(text string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/\\._-:+", r)
	}
	if text != "" && !strings.ContainsFunc(text, special) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// printDamaged prints what an answer says could not be read.
func (a *app) printDamaged(list []string) {
	for _, what := range list {
		a.printf("Not considered, because it is damaged: %s\n", printable(what))
	}
}
