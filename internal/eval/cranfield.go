package eval

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// section is a run of lines under a mark such as ".W".
type section struct {
	mark  byte
	rest  string // behind the mark
	line  int
	words []string
}

func (s *section) text() string { return strings.Join(s.words, "\n") }

// sections reads the layout of the SMART system: a line that begins with a dot and a letter begins a section.
func sections(in *input, name string) ([]section, error) {
	data, err := in.read(name)
	if err != nil {
		return nil, err
	}
	var all []section
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimRight(string(line), "\r\n")
		if len(text) >= 2 && text[0] == '.' && text[1] >= 'A' && text[1] <= 'Z' && (len(text) == 2 || text[2] == ' ') {
			if strings.IndexByte("ITABW", text[1]) < 0 {
				return nil, &DataError{
					File: in.path(name), Line: number, What: text[:2] + " is no mark: use .I, .T, .A, .B and .W",
				}
			}
			all = append(all, section{mark: text[1], rest: strings.TrimSpace(text[2:]), line: number})
			continue
		}
		if len(all) == 0 && strings.TrimSpace(text) == "" {
			continue
		}
		if len(all) == 0 {
			return nil, &DataError{File: in.path(name), Line: number, What: "the file must begin with .I and a number"}
		}
		last := &all[len(all)-1]
		last.words = append(last.words, text)
	}
	return all, nil
}

// records groups sections by the .I that begins each, and calls fn with the number and the texts by mark.
func records(in *input, name string, fn func(at Place, number string, texts map[byte]string) error) error {
	all, err := sections(in, name)
	if err != nil {
		return err
	}
	for i := 0; i < len(all); {
		head := all[i]
		at := lineOf(in.path(name), head.line)
		if _, err := strconv.Atoi(head.rest); head.mark != 'I' || err != nil {
			return at.fail(errors.New("a record must begin with .I and a number"))
		}
		texts := map[byte]string{}
		for i++; i < len(all) && all[i].mark != 'I'; i++ {
			s := &all[i]
			if _, twice := texts[s.mark]; twice && s.mark == 'T' {
				err := errors.New("a second .T: begin each record with .I and a number")
				return lineOf(in.path(name), s.line).fail(err)
			}
			texts[s.mark] = strings.TrimSpace(texts[s.mark] + "\n" + s.text())
		}
		if err := fn(at, head.rest, texts); err != nil {
			return at.fail(err)
		}
	}
	return nil
}

// loadCranfield reads the Cranfield collection of 1,400 abstracts. Queries are numbered by their order, whatever their
// .I says; codes 1 to 4 are relevant, others are not.
func loadCranfield(in *input, _ LoadOptions) (*Set, error) {
	j := newJudged()
	err := records(in, "cran.all.1400", func(at Place, number string, texts map[byte]string) error {
		return j.document(at, number, engram.Draft{
			Content: strings.TrimSpace(texts['T'] + "\n" + texts['W']), Source: oneLine(texts['B']),
		})
	})
	if err != nil {
		return nil, err
	}
	err = records(in, "cran.qry", func(at Place, _ string, texts map[byte]string) error {
		return j.question(at, strconv.Itoa(len(j.questions)+1), texts['W'])
	})
	if err != nil {
		return nil, err
	}
	err = in.lines("cranqrel", func(_ Place, line []byte) error {
		fields := strings.Fields(string(line))
		if len(fields) != 3 {
			return fmt.Errorf("there are %d fields: write query, document and code", len(fields))
		}
		code, err := strconv.Atoi(fields[2])
		if err != nil {
			return fmt.Errorf("the code is %q: write a whole number", fields[2])
		}
		grade := 0.0
		if code >= 1 && code <= 4 {
			grade = 1
		}
		return j.judge(fields[0], fields[1], grade)
	})
	if err != nil {
		return nil, err
	}
	return j.finish(), nil
}

// oneLine joins lines: a source is a name, without control characters.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
