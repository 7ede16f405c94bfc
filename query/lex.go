package query

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // keywords, fields, numbers, times, durations
	tokenText             // in quotes
	tokenSymbol           // operators, parentheses, commas
)

// token is one piece of a query.
type token struct {
	kind   tokenKind
	raw    string // as it stands there
	text   string // of tokenText: what the quotes hold
	offset int
}

// symbols are the longer ones first.
var symbols = [...]string{"<=", ">=", "!=", "==", "<>", "&&", "||", "=", "<", ">", "(", ")", ","}

// instead says what to write for symbols of other languages.
func instead(symbol string) string {
	switch symbol {
	case "==":
		return "="
	case "<>":
		return "!="
	case "&&":
		return "AND"
	case "||":
		return "OR"
	}
	return ""
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_.:+-", r)
}

// lex cuts a query into tokens; the last is tokenEnd.
func lex(query string) ([]token, error) {
	if !utf8.ValidString(query) {
		return nil, &Error{Query: strings.ToValidUTF8(query, "\uFFFD"), Problem: "it is not UTF-8: send UTF-8 text"}
	}
	var tokens []token
	for at := 0; at < len(query); {
		r, size := utf8.DecodeRuneInString(query[at:])
		if unicode.IsSpace(r) {
			at += size
			continue
		}
		t, err := next(query, at, r)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		at += len(t.raw)
	}
	return append(tokens, token{kind: tokenEnd, offset: len(query)}), nil
}

// next reads the token that begins at at with r.
func next(query string, at int, r rune) (token, error) {
	rest := query[at:]
	switch {
	case r == '"' || r == '\'':
		return quoted(query, at, byte(r))
	case wordRune(r):
		end := strings.IndexFunc(rest, func(r rune) bool { return !wordRune(r) })
		if end < 0 {
			end = len(rest)
		}
		return token{kind: tokenWord, raw: rest[:end], offset: at}, nil
	}
	for _, symbol := range symbols {
		if !strings.HasPrefix(rest, symbol) {
			continue
		}
		if meant := instead(symbol); meant != "" {
			return token{}, &Error{
				Query: query, Offset: at, Length: len(symbol), Problem: symbol + " is no operator", Meant: meant,
			}
		}
		return token{kind: tokenSymbol, raw: symbol, offset: at}, nil
	}
	return token{}, &Error{
		Query: query, Offset: at, Length: utf8.RuneLen(r), Problem: fmt.Sprintf("%q begins nothing", r),
	}
}

// quoted reads a text in quotes: double ones with the escapes of Go, single ones in which two stand for one.
func quoted(query string, at int, quote byte) (token, error) {
	end := closing(query[at:], quote)
	if end < 0 {
		return token{}, &Error{
			Query: query, Offset: at, Length: len(query) - at, Problem: "the text has no closing " + string(quote),
		}
	}
	t := token{kind: tokenText, raw: query[at : at+end+1], offset: at}
	inner := t.raw[1:end]
	if quote == '\'' {
		t.text = strings.ReplaceAll(inner, "''", "'")
		return t, nil
	}
	for len(inner) > 0 {
		r, multibyte, rest, err := strconv.UnquoteChar(inner, '"')
		if err != nil {
			return token{}, &Error{
				Query: query, Offset: at + end - len(inner), Length: 1,
				Problem: `the escape is unknown: use \" \\ \n \t \u1234, or single quotes, which know none`,
			}
		}
		if inner = rest; r < utf8.RuneSelf || multibyte {
			t.text += string(r)
		} else {
			t.text += string([]byte{byte(r)})
		}
	}
	if !utf8.ValidString(t.text) {
		return token{}, &Error{Query: query, Offset: at, Length: len(t.raw), Problem: "its escapes do not give UTF-8"}
	}
	return t, nil
}

// closing finds the quote that ends a text that begins with one; -1 if there is none.
func closing(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i
		}
	}
	return -1
}
