package eval

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// judged collects the documents and questions of a collection with one pool.
type judged struct {
	set       *Set
	pool      Pool
	known     map[string]string // the document's id by its name in the collection; "" if it has no text
	questions []Question
	byName    map[string]int // index of a question
}

func newJudged() *judged {
	return &judged{
		set:   &Set{Unit: "document", Pool: "global", Depth: 1000, K: []int{5, 10, 20, 100}},
		known: map[string]string{}, byName: map[string]int{},
	}
}

func (j *judged) document(at Place, name string, d engram.Draft) error {
	if _, twice := j.known[name]; twice || name == "" {
		return fmt.Errorf("the document's id is %q: give each document an id of its own", name)
	}
	d.ID = documentID(len(j.pool.Documents), name)
	j.known[name] = ""
	if j.set.add(&j.pool, Document{Draft: d, At: at}) {
		j.known[name] = d.ID
	}
	return nil
}

func (j *judged) question(at Place, name, text string) error {
	if _, twice := j.byName[name]; twice || name == "" {
		return fmt.Errorf("the query's id is %q: give each query an id of its own", name)
	}
	if strings.TrimSpace(text) == "" {
		return errors.New("the query is empty")
	}
	j.byName[name] = len(j.questions)
	j.questions = append(j.questions, Question{ID: name, Text: text, Grades: map[string]float64{}, At: at})
	return nil
}

// judge notes a grade; 0 and below is not relevant. A judgement on a document without text can never be met.
func (j *judged) judge(query, document string, grade float64) error {
	i, known := j.byName[query]
	if !known {
		return fmt.Errorf("there is no query %q", query)
	}
	id, known := j.known[document]
	if !known {
		return fmt.Errorf("there is no document %q", document)
	}
	if grade > 0 && id != "" {
		j.questions[i].Grades[id] = grade
	}
	return nil
}

// judgeLine reads a line of tab-separated judgements: query, document, grade.
func (j *judged) judgeLine(line string) error {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return fmt.Errorf("there are %d fields: write query, document and grade with tabs between", len(fields))
	}
	grade, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
	if err != nil || !(grade >= -1e6 && grade <= 1e6) {
		return fmt.Errorf("the grade is %q: write a number", fields[2])
	}
	return j.judge(fields[0], fields[1], grade)
}

// judgements reads a file of judgeLines, under a heading or without.
func (j *judged) judgements(in *input, name string) error {
	first := true
	return in.lines(name, func(_ Place, line []byte) error {
		heading := first && j.isHeading(string(line))
		if first = false; heading {
			return nil
		}
		return j.judgeLine(string(line))
	})
}

// isHeading reports whether a line names columns: three names of which none is a query's, a document's or a number.
func (j *judged) isHeading(line string) bool {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return false
	}
	_, query := j.byName[fields[0]]
	_, document := j.known[fields[1]]
	_, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
	return !query && !document && err != nil
}

func (j *judged) finish() *Set {
	for _, q := range j.questions {
		j.set.ask(&j.pool, q)
	}
	j.set.Pools = []Pool{j.pool}
	return j.set
}

func loadBEIR(in *input, o LoadOptions) (*Set, error) {
	j := newJudged()
	type text struct {
		ID    string `json:"_id"`
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	err := objects(in, "corpus.jsonl", func(at Place, d text) error {
		return j.document(at, d.ID, engram.Draft{Content: strings.TrimSpace(d.Title + "\n" + d.Text)})
	})
	if err != nil {
		return nil, err
	}
	err = objects(in, "queries.jsonl", func(at Place, q text) error { return j.question(at, q.ID, q.Text) })
	if err != nil {
		return nil, err
	}
	split, err := beirSplit(in, o.Split)
	if err != nil {
		return nil, err
	}
	if err := j.judgements(in, "qrels/"+split+".tsv"); err != nil {
		return nil, err
	}
	return j.finish(), nil
}

// beirSplit decides which judgements are taken.
func beirSplit(in *input, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	entries, err := os.ReadDir(in.path("qrels"))
	if err != nil {
		return "", unreadable(err)
	}
	var splits []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".tsv")
		if ok && name == "test" {
			return name, nil
		}
		if ok {
			splits = append(splits, name)
		}
	}
	if len(splits) != 1 {
		return "", &DataError{
			File: filepath.Join(in.root, "qrels"),
			What: fmt.Sprintf("it has %d files of judgements (%s): name one as the split", len(splits),
				strings.Join(splits, ", ")),
		}
	}
	return splits[0], nil
}
