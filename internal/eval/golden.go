package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// loadGolden reads a user's own questions: lines of {"query": text, "expected": [ids]}, with "id" and "category" if one
// likes. Other fields are refused. An expected id that the space has no longer counts as not found.
func loadGolden(in *input, _ LoadOptions) (*Set, error) {
	set := &Set{Unit: "memory", Pool: "space", Depth: 100, K: []int{5, 10, 20}}
	var p Pool
	seen := map[string]bool{}
	categories := map[string]bool{}
	err := in.lines("", func(at Place, line []byte) error {
		var q struct {
			ID       string   `json:"id"`
			Category string   `json:"category"`
			Query    string   `json:"query"`
			Expected []string `json:"expected"`
		}
		dec := json.NewDecoder(strings.NewReader(string(line)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			return err
		}
		switch {
		case dec.More():
			return errors.New("there is more behind the object: write one object a line")
		case strings.TrimSpace(q.Query) == "":
			return errors.New("query is empty")
		case len(q.Expected) == 0:
			return errors.New("expected is empty: name the ids that should be found")
		}
		if q.ID == "" {
			q.ID = fmt.Sprintf("q%d", len(p.Questions)+1)
		}
		if seen[q.ID] {
			return fmt.Errorf("id is %q a second time", q.ID)
		}
		seen[q.ID] = true
		if q.Category != "" && !categories[q.Category] {
			categories[q.Category] = true
			set.Categories = append(set.Categories, q.Category)
		}
		if slices.Contains(q.Expected, "") {
			return errors.New("expected has an empty id")
		}
		grades := map[string]float64{}
		for _, id := range q.Expected {
			grades[id] = 1
		}
		set.ask(&p, Question{ID: q.ID, Category: q.Category, Text: q.Query, Grades: grades, At: at})
		return nil
	})
	if err != nil {
		return nil, err
	}
	set.Pools = []Pool{p}
	return set, nil
}
