package recall_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// dataFile finds a file of the test collections, which are not part of the project: in the folder that ENGRAM_DATA
// names, else beside the checkout. The test is skipped where it is absent.
func dataFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("ENGRAM_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test collection at %s: set ENGRAM_DATA to the folder that holds %s", path, name)
	}
	return path
}

// turn is one document, question one query with the places of its gold documents.
type turn struct {
	Speaker string `json:"speaker"`
	ID      string `json:"dia_id"`
	Text    string `json:"text"`
	Caption string `json:"blip_caption"`
	session string
	when    time.Time
}

type question struct {
	Question string   `json:"question"`
	Evidence []string `json:"evidence"`
	Category int      `json:"category"`
	gold     map[uint32]bool
}

type collection struct {
	turns     []turn
	questions []question
}

// loadLocomo reads the LoCoMo format: conversations of dated sessions, and questions with the turns that answer them.
func loadLocomo(t testing.TB) []collection {
	t.Helper()
	raw, err := os.ReadFile(dataFile(t, "locomo_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var samples []struct {
		Conversation map[string]json.RawMessage `json:"conversation"`
		QA           []question                 `json:"qa"`
	}
	if err := json.Unmarshal(raw, &samples); err != nil {
		t.Fatal(err)
	}
	var all []collection
	for _, sample := range samples {
		var c collection
		for n := 1; ; n++ {
			session := "session_" + strconv.Itoa(n)
			raw, found := sample.Conversation[session]
			if !found {
				break
			}
			var turns []turn
			var date string
			if err := cmp.Or(json.Unmarshal(raw, &turns),
				json.Unmarshal(sample.Conversation[session+"_date_time"], &date)); err != nil {
				t.Fatal(err)
			}
			when, err := time.Parse("3:04 pm on 2 January, 2006", date)
			if err != nil {
				t.Fatal(err)
			}
			for i := range turns {
				turns[i].session, turns[i].when = session, when
			}
			c.turns = append(c.turns, turns...)
		}
		c.questions = scored(sample.QA, c.turns)
		all = append(all, c)
	}
	return all
}

// scored keeps the questions of categories 1 to 4 that have evidence among the turns.
func scored(questions []question, turns []turn) []question {
	place := map[string]uint32{}
	for i, turn := range turns {
		place[turn.ID] = uint32(i)
	}
	zeros := regexp.MustCompile(`:0+(\d)`)
	var kept []question
	for _, q := range questions {
		if q.Category < 1 || q.Category > 4 {
			continue
		}
		q.gold = map[uint32]bool{}
		for _, e := range q.Evidence {
			for _, id := range strings.FieldsFunc(e, func(r rune) bool { return strings.ContainsRune("; ,", r) }) {
				id = strings.Replace(id, "D:", "D", 1)
				if i, found := place[zeros.ReplaceAllString(id, ":$1")]; found {
					q.gold[i] = true
				}
			}
		}
		if len(q.gold) > 0 {
			kept = append(kept, q)
		}
	}
	return kept
}

// quality sums R@5, R@10, R@20, nDCG@10 and MRR to rank 100 over n questions.
type quality struct {
	recall5, recall10, recall20, ndcg10, mrr float64
	n                                        int
}

func (m *quality) add(ranked []uint32, gold map[uint32]bool) {
	found, dcg, ideal, first := 0, 0.0, 0.0, 0
	for i, row := range ranked[:min(100, len(ranked))] {
		rank := i + 1
		if gold[row] {
			found++
			if first == 0 {
				first = rank
				m.mrr += 1 / float64(rank)
			}
			if rank <= 10 {
				dcg += 1 / math.Log2(float64(rank)+1)
			}
			part := 1 / float64(len(gold))
			for cut, sum := range map[int]*float64{5: &m.recall5, 10: &m.recall10, 20: &m.recall20} {
				if rank <= cut {
					*sum += part
				}
			}
		}
	}
	for rank := 1; rank <= min(10, len(gold)); rank++ {
		ideal += 1 / math.Log2(float64(rank)+1)
	}
	m.ndcg10 += dcg / ideal
	m.n++
}

func (m quality) mean() quality {
	n := float64(m.n)
	return quality{m.recall5 / n, m.recall10 / n, m.recall20 / n, m.ndcg10 / n, m.mrr / n, m.n}
}

func (m quality) String() string {
	return fmt.Sprintf("n=%d R@5 %.3f R@10 %.3f R@20 %.3f nDCG@10 %.3f MRR %.3f",
		m.n, m.recall5, m.recall10, m.recall20, m.ndcg10, m.mrr)
}

// position names turn i so that the order of names is that of positions.
func position(i int) string { return fmt.Sprintf("t%05d", i) }

// remember builds a space of a collection; vectors may be nil.
func (c *collection) remember(t testing.TB, vectors [][]float32) *space {
	return c.rememberWith(t, vectors, .9, .4)
}

// rememberWith is remember with other weights of words.
func (c *collection) rememberWith(t testing.TB, vectors [][]float32, k1, b float64) *space {
	s := newSpace(t, lexical.Options{K1: &k1, B: &b, Language: "porter", Plain: true})
	for i, turn := range c.turns {
		m := memory{
			id: position(i), text: turn.Text + " " + turn.Caption, speaker: turn.Speaker, session: turn.session,
			at: turn.when.UnixNano(), confidence: 1,
		}
		if vectors != nil {
			m.vector = vectors[i]
		}
		s.add(m)
	}
	return s
}

// ranked gives the rows of the hits, then, as the definition of the measures has it, all others by position.
func (s *space) ranked(q recall.Query) []uint32 {
	var rows []uint32
	seen := map[uint32]bool{}
	for _, h := range s.recall(q).Hits {
		rows = append(rows, h.Row)
		seen[h.Row] = true
	}
	for row := uint32(0); int(row) < len(s.rows) && len(rows) < 100; row++ {
		if !seen[row] {
			rows = append(rows, row)
		}
	}
	return rows
}

// plain switches off all that goes beyond BM25.
func plain(more ...string) []string {
	return append(more, recall.StepSpelling, recall.TermSpeaker, recall.TermTime)
}

// defaults builds a space of a collection as the engine indexes it by default: with the day in its words.
func (c *collection) defaults(t testing.TB) *space {
	s := newSpace(t, lexical.Options{})
	for i, turn := range c.turns {
		s.add(memory{
			id: position(i), text: turn.Text + " " + turn.Caption, speaker: turn.Speaker, session: turn.session,
			at: turn.when.UnixNano(), dated: true, confidence: 1,
		})
	}
	return s
}

// TestTermsEarnTheirPlace measures what each step of the ranking is worth, the others left on, over three conversations
// and in each. Naming the speaker must gain in each; spelling and time are for questions that are rare here, and must
// cost no more than .01.
func TestTermsEarnTheirPlace(t *testing.T) {
	collections := loadLocomo(t)
	spaces := make([]*space, len(collections))
	for i := range collections {
		spaces[i] = collections[i].defaults(t)
	}
	var asSet quality
	for k, off := range [][]string{
		nil,
		{recall.TermSpeaker},
		{recall.TermTime},
		{recall.StepSpelling},
		{recall.TermAssociation},
		plain(), plain(recall.TermAssociation),
	} {
		var all quality
		var each []string
		for i, c := range collections {
			var m quality
			for _, question := range c.questions {
				q := ask(question.Question)
				q.Limit, q.Without, q.Now = 100, off, c.turns[len(c.turns)-1].when.UnixNano()
				ranked := spaces[i].ranked(q)
				m.add(ranked, question.gold)
				all.add(ranked, question.gold)
			}
			each = append(each, fmt.Sprintf("%.3f %.3f", m.mean().recall10, m.mean().ndcg10))
		}
		got := all.mean()
		t.Logf("without %v: %v; R@10 and nDCG@10 of each %v", off, got, each)
		if k == 0 {
			asSet = got
		}
		gain, least := asSet.recall10-got.recall10, 0.0
		if slices.Equal(off, []string{recall.TermSpeaker}) {
			least = .03
		}
		if gain < least-.01 || asSet.ndcg10 < got.ndcg10-.01 {
			t.Errorf("without %v: %v, as set %v", off, got, asSet)
		}
	}
}

// TestKnownLadder reproduces what an independent implementation of BM25 with one step of spreading measured on these
// conversations, and holds what association is worth beyond it. Document = turn, pool = its conversation, query = the
// question, gold = its evidence.
func TestKnownLadder(t *testing.T) {
	collections := loadLocomo(t)
	for _, rung := range []struct {
		what      string
		k1, b     float64
		neighbour float64 // the part of a memory's score that each neighbour in its session receives
		want      quality
	}{
		{"words", .9, .4, 0, quality{.569, .649, .697, .507, .490, 383}},
		{"words with 1.2 and .75, and neighbours", 1.2, .75, .3, quality{.584, .675, .760, .507, .480, 383}},
		{"words and neighbours", .9, .4, .3, quality{.592, .678, .759, .524, .505, 383}},
	} {
		got := stepped(t, collections, rung.neighbour, rung.k1, rung.b)
		t.Logf("%s: %v", rung.what, got)
		near := func(x, y float64) bool { return math.Abs(x-y) <= .002 }
		if got.n != rung.want.n || !near(got.recall5, rung.want.recall5) || !near(got.recall10, rung.want.recall10) ||
			!near(got.recall20, rung.want.recall20) || !near(got.ndcg10, rung.want.ndcg10) ||
			!near(got.mrr, rung.want.mrr) {
			t.Errorf("%s: %v, want %v within .002", rung.what, got, rung.want)
		}
	}
	for i := range collections {
		before := stepped(t, collections[i:i+1], .3, .9, .4)
		after := gauge(t, collections[i:i+1], plain(), nil)
		t.Logf("conversation %d: %v, with one step %v", i, after, before)
		if after.recall10 < before.recall10+.02 || after.ndcg10 < before.ndcg10 {
			t.Errorf("conversation %d: %v, want more than with one step, %v", i, after, before)
		}
	}
	t.Logf("as set: %v", gauge(t, collections, nil, nil))
}

// stepped asks by words alone, lets each memory give a part of its score to its neighbours in its session, once and all
// at the same time, and ranks by that.
func stepped(t *testing.T, collections []collection, part, k1, b float64) quality {
	t.Helper()
	var m quality
	for _, c := range collections {
		s := c.rememberWith(t, nil, k1, b)
		for _, question := range c.questions {
			q := ask(question.Question)
			q.Limit, q.Without = recall.MaxLimit, plain(recall.TermAssociation)
			own := make([]float64, len(c.turns))
			for _, h := range s.recall(q).Hits {
				own[h.Row] = h.Score
			}
			scores := slices.Clone(own)
			for i := 1; i < len(own); i++ {
				if c.turns[i].session == c.turns[i-1].session {
					scores[i] += part * own[i-1]
					scores[i-1] += part * own[i]
				}
			}
			ranked := make([]uint32, len(own))
			for row := range ranked {
				ranked[row] = uint32(row)
			}
			slices.SortStableFunc(ranked, func(a, b uint32) int { return cmp.Compare(scores[b], scores[a]) })
			m.add(ranked, question.gold)
		}
	}
	return m.mean()
}

// gauge asks all questions of categories 1 to 4.
func gauge(t *testing.T, collections []collection, off []string, weights *recall.Weights) quality {
	t.Helper()
	return gaugeWith(t, collections, off, weights, .9, .4)
}

// gaugeWith is gauge with other weights of words.
func gaugeWith(
	t *testing.T, collections []collection, off []string, weights *recall.Weights, k1, b float64,
) quality {
	t.Helper()
	var m quality
	for _, c := range collections {
		s := c.rememberWith(t, nil, k1, b)
		for _, question := range c.questions {
			q := ask(question.Question)
			q.Limit, q.Without, q.Weights = 100, off, weights
			m.add(s.ranked(q), question.gold)
		}
	}
	return m.mean()
}
