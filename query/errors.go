package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	engram "github.com/orchard9/engram-go"
)

// Error is a query that was not understood. Nothing was done. It matches engram.ErrInvalid.
type Error struct {
	Query  string // the whole text
	Offset int    // of the first byte that is wrong; the length of Query for something that is missing at its end
	Length int    // how many bytes are wrong; 0 at the end
	// Problem says what is wrong and what is allowed; Meant is what was perhaps meant, "" if nothing is near.
	Problem string
	Meant   string
}

// Error says where the query is wrong, in what, and what was perhaps meant.
func (e *Error) Error() string {
	line, column := e.position()
	place := fmt.Sprintf("column %d", column)
	if strings.Contains(e.Query, "\n") {
		place = fmt.Sprintf("line %d, column %d", line, column)
	}
	text := "query, " + place + ": " + e.Problem
	if e.Meant != "" {
		text += "; did you mean " + e.Meant + "?"
	}
	return text
}

// Is reports whether target is engram.ErrInvalid.
func (e *Error) Is(target error) bool { return target == engram.ErrInvalid }

// position counts lines and, in characters, columns from 1.
func (e *Error) position() (line, column int) {
	before := e.Query[:e.Offset]
	line = 1 + strings.Count(before, "\n")
	before = before[strings.LastIndexByte(before, '\n')+1:]
	return line, 1 + utf8.RuneCountInString(before)
}

// around is how many characters Caret shows to each side of the place.
const around = 50

// Caret shows the place: a piece of the line that is wrong, and below it a line that points. Characters that do not
// print as one column, such as tabs, are shown as blanks.
func (e *Error) Caret() string {
	start := strings.LastIndexByte(e.Query[:e.Offset], '\n') + 1
	line, _, _ := strings.Cut(e.Query[start:], "\n")
	at := e.Offset - start
	left, right := []rune(line[:at]), []rune(line[at:])
	wrong := utf8.RuneCountInString(line[at:min(at+e.Length, len(line))])
	left, right = left[max(0, len(left)-around):], right[:min(len(right), around)]
	for _, part := range [][]rune{left, right} {
		for i, r := range part {
			if r < ' ' || r == 0x7f || r >= 0x300 {
				part[i] = ' '
			}
		}
	}
	pointer := strings.Repeat("^", max(1, min(wrong, len(right))))
	return string(left) + string(right) + "\n" + strings.Repeat(" ", len(left)) + pointer
}

// nearest gives the candidate that differs from word in the fewest letters, if these are few for its length.
func nearest(word string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		allowed := min(2, len(c)/2)
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d <= allowed && d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is how many letters must be inserted, left out, replaced or swapped with their neighbour (V. I. Levenshtein,
// 1966, with F. J. Damerau's swaps, 1964, of letters not changed otherwise). Long words are far from everything.
func distance(a, b string) int {
	const long = 40
	if len(a) > long || len(b) > long {
		return long
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, last, now := rows[0], rows[1], rows[2]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, now, older
	}
	return rows[1][len(b)]
}
