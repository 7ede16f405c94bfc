package eval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// locomoDate is how LoCoMo writes the time of a session.
const locomoDate = "3:04 pm on 2 January, 2006"

type locomoSample struct {
	ID           string                     `json:"sample_id"`
	Conversation map[string]json.RawMessage `json:"conversation"`
	Questions    []locomoQuestion           `json:"qa"`
}

type locomoTurn struct {
	Speaker string `json:"speaker"`
	ID      string `json:"dia_id"`
	Text    string `json:"text"`
	Caption string `json:"blip_caption"`
}

type locomoQuestion struct {
	Question string   `json:"question"`
	Evidence []string `json:"evidence"`
	Category int      `json:"category"`
}

// locomo reads one file.
type locomo struct {
	set       *Set
	file      string
	data      []byte
	bySession bool
	leaveOut  []string
	dated     bool
	// known leads from a turn's id in its conversation to the document that holds it.
	known map[string]string
}

// locomoCategories are the categories 1 to 5; the last is reported apart.
func locomoCategories() []string {
	return []string{"multi-hop", "temporal", "open-domain", "single-hop", "adversarial"}
}

func loadLoCoMo(in *input, o LoadOptions) (*Set, error) {
	data, err := in.read("")
	if err != nil {
		return nil, err
	}
	by := cmp.Or(o.By, "turn")
	pool := cmp.Or(o.SpacePer, map[string]string{"turn": "conversation", "session": "global"}[by])
	set := &Set{Unit: by, Pool: pool, Categories: locomoCategories(), Depth: 100, K: []int{5, 10, 20}}
	var samples []locomoSample
	if err := json.Unmarshal(data, &samples); err != nil {
		return nil, jsonFailure(in.root, data, err)
	}
	l := &locomo{set: set, file: in.root, data: data, bySession: by == "session", leaveOut: o.LeaveOut, dated: o.Dated}
	for i := range samples {
		if pool == "conversation" || i == 0 {
			set.Pools = append(set.Pools, Pool{Name: samples[i].ID})
		}
		if err := l.sample(i, &samples[i], &set.Pools[len(set.Pools)-1]); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// fail is a DataError at the value that path leads to.
func (l *locomo) fail(path []string, format string, args ...any) error {
	return l.at(path).fail(fmt.Errorf(format, args...))
}

// at is the place of the value that path leads to: looking for it reads the file up to there.
func (l *locomo) at(path []string) Place {
	return Place{l.file, func() int { return lineAt(l.data, offsetOf(l.data, path)) }}
}

func (l *locomo) sample(index int, s *locomoSample, p *Pool) error {
	l.known = map[string]string{}
	path := []string{strconv.Itoa(index), "conversation"}
	var numbers []int
	for key := range s.Conversation {
		if n, err := strconv.Atoi(strings.TrimPrefix(key, "session_")); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if err := l.session(s, "session_"+strconv.Itoa(n), path, p); err != nil {
			return err
		}
	}
	for i, q := range s.Questions {
		at := []string{strconv.Itoa(index), "qa", strconv.Itoa(i)}
		if q.Category < 1 || q.Category > len(l.set.Categories) {
			return l.fail(at, "category is %d: use 1 to %d", q.Category, len(l.set.Categories))
		}
		if strings.TrimSpace(q.Question) == "" {
			return l.fail(at, "the question is empty")
		}
		l.set.ask(p, Question{
			ID: s.ID + "/" + strconv.Itoa(i), Category: l.set.Categories[q.Category-1],
			Apart: q.Category == len(l.set.Categories), Text: q.Question, Grades: l.gold(q.Evidence), At: l.at(at),
		})
	}
	return nil
}

// session adds the documents of one session.
func (l *locomo) session(s *locomoSample, name string, path []string, p *Pool) error {
	path = append(slices.Clone(path), name)
	var turns []locomoTurn
	if err := json.Unmarshal(s.Conversation[name], &turns); err != nil {
		return jsonFailure(l.file, l.data, err, path...)
	}
	var date string
	dated := []string{path[0], path[1], name + "_date_time"}
	if raw, there := s.Conversation[name+"_date_time"]; !there {
		return l.fail(path, "there is no %s_date_time", name)
	} else if err := json.Unmarshal(raw, &date); err != nil {
		return jsonFailure(l.file, l.data, err, dated...)
	}
	when, err := time.Parse(locomoDate, date)
	if err != nil {
		return l.fail(dated, "the time is %q: write it as in %q", date, locomoDate)
	}
	var whole []string
	sessionDocument := documentID(len(p.Documents), s.ID+" "+name)
	for i, turn := range turns {
		at := append(slices.Clone(path), strconv.Itoa(i))
		if _, twice := l.known[turn.ID]; twice || turn.ID == "" {
			return l.fail(at, "dia_id is %q: give each turn of a conversation an id of its own", turn.ID)
		}
		if slices.Contains(l.leaveOut, "speaker") {
			turn.Speaker = ""
		}
		if slices.Contains(l.leaveOut, "caption") {
			turn.Caption = ""
		}
		text := strings.TrimSpace(turn.Text + " " + turn.Caption)
		if l.dated && text != "" {
			text += " " + date
		}
		if l.bySession {
			l.known[turn.ID] = sessionDocument
			if turn.Speaker != "" {
				text = strings.TrimSpace(turn.Speaker + ": " + text)
			}
			whole = append(whole, text)
			continue
		}
		d := Document{At: l.at(at), Draft: engram.Draft{
			ID: documentID(len(p.Documents), s.ID+" "+turn.ID), Content: text, Speaker: turn.Speaker,
			Session: s.ID + " " + name, OccurredAt: when,
		}}
		if l.set.add(p, d) {
			l.known[turn.ID] = d.ID
		}
	}
	if l.bySession {
		l.set.add(p, Document{At: l.at(path), Draft: engram.Draft{
			ID: sessionDocument, Content: strings.Join(whole, "\n"), OccurredAt: when,
		}})
	}
	return nil
}

// gold normalises a question's evidence: ids are split at ";", "," and blanks, "D:11:26" is "D11:26", "D30:05" is
// "D30:5", and unknown ones are dropped.
func (l *locomo) gold(evidence []string) map[string]float64 {
	grades := map[string]float64{}
	for _, e := range evidence {
		for _, id := range strings.FieldsFunc(e, func(r rune) bool { return strings.ContainsRune("; ,\t\n", r) }) {
			id = strings.Replace(id, "D:", "D", 1)
			if session, turn, ok := strings.Cut(id, ":"); ok {
				id = session + ":" + cmp.Or(strings.TrimLeft(turn, "0"), "0")
			}
			if document, there := l.known[id]; there {
				grades[document] = 1
			}
		}
	}
	return grades
}
