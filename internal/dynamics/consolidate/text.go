package consolidate

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// guards are words that turn what a statement says without being what it is about: negation, intention, possibility,
// condition and order in time. English; the words of languages without a stop list all count as what it is about.
const guards = " not no never nor neither none nobody nothing without cannot t if unless whether except only " +
	"will would could should might may must shall can ll d before after until since "

// shape is what two texts must share besides their words in order to say the same.
type shape struct {
	question bool
	numbers  []string // tokens with a digit, sorted, each once
	guards   []string // sorted, each once
	names    []string // capitalised tokens in the order of their first occurrence, lower case
}

func shapeOf(text string) shape {
	s := shape{question: strings.ContainsAny(text, "?？")}
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for token := range strings.FieldsFuncSeq(text, between) {
		first, _ := utf8.DecodeRuneInString(token)
		lower := strings.ToLower(token)
		switch {
		case strings.ContainsFunc(token, unicode.IsDigit):
			s.numbers = append(s.numbers, lower)
		case strings.Contains(guards, " "+lower+" "):
			s.guards = append(s.guards, lower)
		case unicode.IsUpper(first) && len(lower) > 1 && !slices.Contains(s.names, lower):
			s.names = append(s.names, lower)
		}
	}
	slices.Sort(s.numbers)
	slices.Sort(s.guards)
	s.numbers, s.guards = slices.Compact(s.numbers), slices.Compact(s.guards)
	return s
}

// agrees reports whether nothing in two shapes says that the texts differ in meaning: the same numbers and guards, both
// a question or neither, and the names that both have in the same order, for who did it to whom.
func (s *shape) agrees(o *shape) bool {
	if s.question != o.question || !slices.Equal(s.numbers, o.numbers) || !slices.Equal(s.guards, o.guards) {
		return false
	}
	last := -1
	for _, name := range s.names {
		at := slices.Index(o.names, name)
		if at < 0 {
			continue
		}
		if at < last {
			return false
		}
		last = at
	}
	return true
}

// namesDiffer reports whether each text names somebody or something that the other does not.
func (s *shape) namesDiffer(o *shape) bool {
	return missesSome(s.names, o.names) && missesSome(o.names, s.names)
}

func missesSome(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return !slices.Contains(b, name) })
}
