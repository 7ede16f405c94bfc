package eval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Format names how a collection is laid out.
type Format string

// The formats.
const (
	LoCoMo    Format = "locomo"    // a JSON file of conversations with questions
	BEIR      Format = "beir"      // a folder with corpus.jsonl, queries.jsonl and qrels/*.tsv
	Cranfield Format = "cranfield" // a folder with cran.all.1400, cran.qry and cranqrel
	Spector   Format = "spector"   // a folder with corpus-*.jsonl, daily/corpus-*.jsonl, queries.jsonl and qrels.tsv
	Golden    Format = "golden"    // a JSONL file of queries with the ids that an existing space should find
)

// Formats lists all formats.
func Formats() []Format { return []Format{LoCoMo, BEIR, Cranfield, Spector, Golden} }

// LoadOptions say how a collection is read.
type LoadOptions struct {
	Format Format
	// By is what a document is: "turn" (the default) or "session". For LoCoMo only.
	By string
	// SpacePer is what shares a space: "conversation" (the default by turn) or "global" (the default by session). For
	// LoCoMo only.
	SpacePer string
	// LeaveOut names what of a turn is not remembered: "speaker", "caption". For LoCoMo only.
	LeaveOut []string
	// Dated writes the session's time into the text as well. For LoCoMo only.
	Dated bool
	// Split names the judgements of a BEIR collection, qrels/SPLIT.tsv; "" takes test, else the only ones there are.
	Split string
}

// Set is a collection to be measured on. A golden set has questions and no documents.
type Set struct {
	Format Format
	Unit   string // what a document is: "turn", "session", "document" or "memory"
	Pool   string // what a question searches: "conversation", "global" or "space"
	Pools  []Pool
	// LeaveOut and Dated are those of LoadOptions.
	LeaveOut []string
	Dated    bool
	// Categories are the groups of questions that are reported one by one, in their order; nil if there are none.
	Categories []string
	Files      []File
	// Skipped counts documents without text, which are not remembered; Unscored questions without a known relevant
	// document, which are not asked.
	Skipped  int
	Unscored int
	// Depth is how long lists are by default, and K at which ranks they are judged.
	Depth int
	K     []int
}

// Pool is a group of documents in one space with the questions asked of it.
type Pool struct {
	Name      string
	Documents []Document
	Questions []Question
	Now       time.Time // the time of the last document
}

// Document is one document as it is remembered.
type Document struct {
	engram.Draft
	At Place // for errors
}

// Question is one judged question.
type Question struct {
	ID       string
	Category string
	// Apart keeps a question out of the headline.
	Apart bool
	Text  string
	// Grades are the grades of the relevant documents by id; each is above 0.
	Grades map[string]float64
	At     Place // for errors
}

// Place tells where in a collection something stands: the file, and the line or how to find it.
type Place struct {
	File string
	Line func() int
}

// fail is a DataError at a place.
func (p Place) fail(err error) error {
	return &DataError{File: p.File, Line: p.Line(), What: err.Error()}
}

// lineOf is a place whose line is known.
func lineOf(file string, line int) Place { return Place{file, func() int { return line }} }

// File is a file that a set was read from. Name is relative to the path that was given.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Load reads a collection. What is wrong with its contents is a *DataError; a file that is missing is the operating
// system's error.
func Load(path string, o LoadOptions) (*Set, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	in := &input{root: path}
	set, err := map[Format]func(*input, LoadOptions) (*Set, error){
		LoCoMo: loadLoCoMo, BEIR: loadBEIR, Cranfield: loadCranfield, Spector: loadSpector, Golden: loadGolden,
	}[o.Format](in, o)
	if err != nil {
		return nil, err
	}
	set.Format, set.Files, set.LeaveOut, set.Dated = o.Format, in.files, o.LeaveOut, o.Dated
	questions := 0
	for i := range set.Pools {
		p := &set.Pools[i]
		questions += len(p.Questions)
		for j := range p.Documents {
			if at := p.Documents[j].OccurredAt; at.After(p.Now) {
				p.Now = at
			}
		}
	}
	if questions == 0 {
		return nil, &DataError{File: path, What: "there is no question with a known relevant document"}
	}
	return set, nil
}

func (o LoadOptions) check() error {
	if !slices.Contains(Formats(), o.Format) {
		return &engram.InvalidError{
			Field: "format", Value: fmt.Sprintf("%q", o.Format), Allowed: "use " + listed(Formats()),
		}
	}
	for _, f := range []struct {
		name, value string
		format      Format
		allowed     []string
	}{
		{"by", o.By, LoCoMo, []string{"turn", "session"}},
		{"space-per", o.SpacePer, LoCoMo, []string{"conversation", "global"}},
		{
			"leave-out", strings.Join(o.LeaveOut, ","), LoCoMo,
			[]string{"speaker", "caption", "speaker,caption", "caption,speaker"},
		},
		{"dated", map[bool]string{true: "true"}[o.Dated], LoCoMo, nil},
		{"split", o.Split, BEIR, nil},
	} {
		switch {
		case f.value == "":
		case o.Format != f.format:
			return &engram.InvalidError{
				Field: f.name, Value: fmt.Sprintf("%q", f.value),
				Allowed: "it belongs to the format " + string(f.format),
			}
		case f.allowed != nil && !slices.Contains(f.allowed, f.value):
			return &engram.InvalidError{
				Field: f.name, Value: fmt.Sprintf("%q", f.value), Allowed: "use " + strings.Join(f.allowed, " or "),
			}
		}
	}
	return nil
}

func listed(formats []Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// ask adds a question to a pool, or counts it if nothing relevant to it is known.
func (s *Set) ask(p *Pool, q Question) {
	if len(q.Grades) == 0 {
		s.Unscored++
		return
	}
	p.Questions = append(p.Questions, q)
}

// add adds a document to a pool, or counts it if it has no text. It reports whether it was added.
func (s *Set) add(p *Pool, d Document) bool {
	if strings.TrimSpace(d.Content) == "" {
		s.Skipped++
		return false
	}
	p.Documents = append(p.Documents, d)
	return true
}

// documentID makes an id that orders as the collection does, so that equal scores rank by position.
func documentID(position int, name string) string { return fmt.Sprintf("%07d %s", position, name) }
