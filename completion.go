package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics/complete"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// DefaultMembers is the number of memories that a completion without a limit asks.
const DefaultMembers = 64

// Partial is an incomplete memory: what [Space.Complete] goes by. Give at least one of a text, a vector, and known
// fields, which are Kinds, Speaker, Session, Tags, the times of the cue, and Metadata.
type Partial struct {
	// Cue holds the words, the vector and the fields that are known; Limit is the number of memories that are asked,
	// the nearest first: 1 to 1000, 0 means 64. Explain, Repeats, Compete, Hops,
	// Detail, MaxTokens and MaxTime belong to recall and are refused.
	Cue
	// Mask says which coordinates of Embedding are known; it has one element for each. nil: all are.
	Mask []bool `json:"mask,omitempty"`
	// Metadata are entries that a memory must have to be asked. They are in no index: the time grows with the number
	// of memories.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Fields names what is wanted: "content", "kind", "speaker", "session", "source", "occurred_at" or "metadata.KEY".
	// Empty: every one but content that is not given and that some memory has.
	Fields []string `json:"fields,omitempty"`
}

// Completion is what [Space.Complete] puts together. It is a reconstruction: no single memory need say it.
type Completion struct {
	// Reconstructed is always true: what is here was put together, not read.
	Reconstructed bool `json:"reconstructed"`
	// Novel says that nothing known resembles the cue; there are no fields and no members then.
	Novel bool `json:"novel"`
	// Ambiguous says that no single memory stands behind the completion: the heaviest weighs less than 0.9. A field can
	// still be certain, if those that share the weight agree on it.
	Ambiguous bool `json:"ambiguous"`
	// By says what the weights are made of: "scores" (of recall: words, meaning and association), "vectors", or
	// "fields" (all memories with the known fields weigh the same).
	By string `json:"by"`
	// Fields are in the order asked for, else in that of their names.
	Fields []CompletedField `json:"fields"`
	// Members are the memories that weigh at least 0.001, heaviest first.
	Members []Member `json:"members"`
	// Embedding is the mixture of the members' vectors, if weights come from vectors; it is no memory's. Bound is how
	// far it can be from the nearest member's, both of length 1.
	Embedding []float32 `json:"embedding,omitempty"`
	Bound     *float64  `json:"bound,omitempty"`
	// Searched is the number of memories that passed the filters; Damaged says what could not be read.
	Searched int      `json:"searched"`
	Damaged  []string `json:"damaged,omitempty"`
}

// CompletedField is one field as the members have it.
type CompletedField struct {
	// Name is as in Partial.Fields, Value what most of the weight agrees on; times are RFC 3339.
	Name  string `json:"field"`
	Value string `json:"value"`
	// Confidence in [0,1] is the sum of the weights of the members that agree; Ambiguous that it is below 0.9.
	Confidence float64 `json:"confidence"`
	Ambiguous  bool    `json:"ambiguous"`
	// Members are those that agree, of weight 0.001 and above, heaviest first.
	Members []Member `json:"members"`
	// Rivals are up to three other values, the most confident first.
	Rivals []Rival `json:"rivals,omitempty"`
}

// Rival is a value that other members have.
type Rival struct {
	Value      string  `json:"value"`
	Confidence float64 `json:"confidence"`
}

// Member is a memory's share in a completion.
type Member struct {
	ID     string  `json:"id"`
	Weight float64 `json:"weight"`
}

// What weights are made of.
const (
	byScores  = "scores"
	byVectors = "vectors"
	byFields  = "fields"
)

// leastShown is the weight from which on a member is listed; maxRivals is how many other values are.
const (
	leastShown = .001
	maxRivals  = 3
)

// Complete fills in what a partial memory leaves out, from the memories that resemble it: each field is a weighted
// vote, with the memories behind it and the confidence they add up to, and is called ambiguous where they do not agree.
//
// The weights are, for a text (with or without a vector), a softmax of recall's scores at temperature 0.354; for a
// vector alone one update of a modern Hopfield network (sharpness 20) over the nearest memories; for known fields alone
// the same for each. It writes nothing, and never names a memory that was not stored. Confidence is the share of the
// weight. On records of which half of the fields were masked its calibration error is .02 by fields, .04 by scores and
// .03 by vectors of 768 dimensions, .05 by ones of 192: vectors that differ for reasons that have nothing to do with
// the field make it too sure.
func (s *Space) Complete(ctx context.Context, p Partial) (Completion, error) {
	if err := s.db.o.Limits.partial(&p); err != nil {
		return Completion{}, err
	}
	p.EmbeddingModel = s.modelOf(p.EmbeddingModel, p.Embedding)
	var out Completion
	now := s.db.o.Clock()
	err := s.read(ctx, "complete", func(v *store.View) (err error) {
		if err := v.CheckModel(p.EmbeddingModel); err != nil {
			return err
		}
		return readWhole(v, func() error {
			c := completer{s: s, ctx: ctx, v: v, p: &p, now: now}
			out, err = c.complete()
			return err
		})
	})
	if err != nil {
		return Completion{}, err
	}
	return out, nil
}

// partial checks a partial memory.
func (l Limits) partial(p *Partial) error {
	if err := l.cue(&p.Cue); err != nil {
		return err
	}
	c := &checks{}
	if p.Explain {
		c.fail("explain", "true", "it belongs to recall: leave it out")
	}
	if p.Repeats {
		c.fail("repeats", "true", "it belongs to recall: leave it out")
	}
	if p.Compete {
		c.fail("compete", "true", "it belongs to recall: leave it out")
	}
	if p.Hops != nil {
		c.fail("hops", strconv.Itoa(*p.Hops), "it belongs to recall: leave it out")
	}
	if p.Detail != "" {
		c.fail("detail", quote(string(p.Detail)), "it belongs to recall: leave it out")
	}
	if p.MaxTokens != 0 {
		c.fail("max_tokens", strconv.Itoa(p.MaxTokens), "it belongs to recall: leave it out")
	}
	if p.MaxTime != 0 {
		c.fail("max_time_ms", strconv.Itoa(p.MaxTime), "it belongs to recall: leave it out")
	}
	if len(p.Without) > 0 && p.Text == "" {
		c.fail("without", quote(p.Without[0]), "it changes the scores of a text: give one, or leave it out")
	}
	known := 0
	for _, is := range p.Mask {
		if is {
			known++
		}
	}
	switch {
	case p.Mask == nil:
	case len(p.Mask) != len(p.Embedding):
		c.fail("mask", fmt.Sprintf("%d long", len(p.Mask)), "give one element for each of the embedding's")
	case known == 0:
		c.fail("mask", "false throughout", "at least one coordinate must be known")
	default:
		p.Embedding = complete.Mask(p.Embedding, p.Mask)
		c.vector("embedding (where mask is true)", p.Embedding)
	}
	c.metadata(p.Metadata, l.Metadata)
	for i, name := range p.Fields {
		at := fmt.Sprintf("fields[%d]", i)
		key, ok := strings.CutPrefix(name, metadataField)
		if (!ok || key == "") && !slices.Contains(completable, name) {
			c.fail(at, quote(name), "use "+strings.Join(completable, ", ")+" or metadata.KEY")
		}
		if slices.Index(p.Fields, name) != i {
			c.fail(at, quote(name), "it is there twice: give each field once")
		}
	}
	empty := p.Where == nil && p.Text == "" && len(p.Embedding) == 0 && len(p.IDs) == 0 && len(p.Kinds) == 0 &&
		len(p.Tags) == 0 && len(p.TagsAny) == 0 && p.Speaker == "" && p.Session == "" && p.From.IsZero() &&
		p.To.IsZero() && len(p.Metadata) == 0
	if empty {
		c.fail("query", "", "give words, a vector or known fields to complete from")
	}
	return c.err
}

// completable are the fields besides those of the metadata.
var completable = []string{"content", "kind", "speaker", "session", "source", "occurred_at"}

const metadataField = "metadata."

// completer is one completion.
type completer struct {
	s       *Space
	ctx     context.Context
	v       *store.View
	p       *Partial
	now     time.Time
	out     Completion
	records []*store.Record // of the memories asked, heaviest first
	weights []float64
}

func (c *completer) complete() (Completion, error) {
	c.out = Completion{Reconstructed: true, Fields: []CompletedField{}, Members: []Member{}}
	cue := c.p.Cue
	cue.Limit = cmp.Or(cue.Limit, min(DefaultMembers, c.s.db.o.Limits.Hits))
	q, damage, err := c.s.query(c.v, &cue, c.now)
	if err != nil {
		return Completion{}, err
	}
	if len(c.p.Metadata) > 0 {
		c.withMetadata(&q, damage)
	}
	ask := c.askScores
	if q.Text == "" && len(q.Embedding) > 0 {
		ask = c.askVectors
	}
	if err := ask(q); err != nil {
		return Completion{}, err
	}
	c.out.Damaged = tellDamage(c.out.Damaged, append(*damage, c.v.Unreadable(maxDamage)...)...)
	c.out.Novel = len(c.records) == 0
	if !c.out.Novel {
		c.vote()
	}
	return c.out, nil
}

// withMetadata narrows the question to the memories that have the known entries.
func (c *completer) withMetadata(q *recall.Query, damage *[]error) {
	others := q.Filters.Keep
	q.Filters.Keep = keep(c.v, damage, func(row uint32, r *store.Record) bool {
		metadata := fromPairs(r.Metadata)
		for key, value := range c.p.Metadata {
			if got, ok := metadata[key]; !ok || got != value {
				return false
			}
		}
		return others == nil || others(row)
	})
}

// askScores weighs what recall finds by its scores; without words and vector all weigh the same.
func (c *completer) askScores(q recall.Query) error {
	found, err := c.s.db.recall.Recall(c.ctx, corpusOf(c.v, &c.p.Cue, c.now), q)
	if err != nil {
		return err
	}
	c.searched(found.Searched, found.Damage)
	c.out.By = byScores
	scores, rows := make([]float64, len(found.Hits)), make([]uint32, len(found.Hits))
	for i, h := range found.Hits {
		scores[i], rows[i] = h.Score, h.Row
	}
	if err := c.read(rows); err != nil {
		return err
	}
	if q.Text == "" {
		c.out.By = byFields
		clear(scores)
	}
	c.weights = complete.Softmax(scores, complete.Temperature)
	return nil
}

// askVectors weighs the nearest memories by one update.
func (c *completer) askVectors(q recall.Query) error {
	near, err := c.s.db.recall.Nearest(c.ctx, corpusOf(c.v, &c.p.Cue, c.now), q)
	if err != nil {
		return err
	}
	c.searched(near.Searched, near.Damage)
	c.out.By = byVectors
	if !near.Known {
		return nil
	}
	if err := c.read(near.Rows); err != nil {
		return err
	}
	patterns := make([][]float32, len(near.Rows))
	for i, row := range near.Rows {
		if patterns[i], err = c.v.Vector(row); err != nil {
			return fmt.Errorf("read member: %w", err)
		}
	}
	update, err := complete.Complete(q.Embedding, patterns, c.s.db.o.sharpness())
	if err != nil {
		return err
	}
	c.weights, c.out.Embedding, c.out.Bound = update.Weights, update.Vector, &update.Bound
	return nil
}

func (c *completer) searched(n int, damage []error) {
	c.out.Searched = n
	for _, err := range damage {
		c.out.Damaged = tellDamage(c.out.Damaged, err)
	}
}

// read reads the members. All are tried, so that those that cannot be read are passed over together the next time.
func (c *completer) read(rows []uint32) (err error) {
	for _, row := range rows {
		r, readErr := c.v.Record(row)
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("read member: %w", readErr))
		}
		c.records = append(c.records, r)
	}
	return err
}

// vote fills the members and the fields.
func (c *completer) vote() {
	members := make([]complete.Member, len(c.records))
	for i, r := range c.records {
		members[i] = complete.Member{ID: r.ID, Weight: c.weights[i], Value: r.ID}
	}
	c.out.Ambiguous = slices.Max(c.weights) < complete.Margin
	for _, choice := range complete.Vote(members) {
		c.out.Members = append(c.out.Members, shown(choice.Members)...)
	}
	for _, name := range c.fields() {
		for i, r := range c.records {
			members[i].Value = fieldOf(r, name)
		}
		choices := complete.Vote(members)
		if len(choices) == 0 {
			continue
		}
		best := choices[0]
		field := CompletedField{
			Name: name, Value: best.Value, Confidence: best.Confidence, Ambiguous: best.Confidence < complete.Margin,
			Members: shown(best.Members),
		}
		for _, rival := range choices[1:min(len(choices), 1+maxRivals)] {
			if rival.Confidence >= leastShown {
				field.Rivals = append(field.Rivals, Rival{Value: rival.Value, Confidence: rival.Confidence})
			}
		}
		c.out.Fields = append(c.out.Fields, field)
	}
}

// shown are the members that weigh enough to be listed.
func shown(members []complete.Member) []Member {
	out := []Member{}
	for _, m := range members {
		if m.Weight >= leastShown {
			out = append(out, Member{ID: m.ID, Weight: m.Weight})
		}
	}
	return out
}

// fields names what is to be completed.
func (c *completer) fields() []string {
	if len(c.p.Fields) > 0 {
		return c.p.Fields
	}
	names := map[string]bool{
		"kind": len(c.p.Kinds) != 1, "speaker": c.p.Speaker == "", "session": c.p.Session == "", "source": true,
		"occurred_at": true,
	}
	for i, r := range c.records {
		if c.weights[i] < leastShown {
			continue
		}
		for _, pair := range r.Metadata {
			if _, given := c.p.Metadata[pair.Key]; !given {
				names[metadataField+pair.Key] = true
			}
		}
	}
	maps.DeleteFunc(names, func(_ string, wanted bool) bool { return !wanted })
	return slices.Sorted(maps.Keys(names))
}

// fieldOf is a record's field as text, "" if it has none.
func fieldOf(r *store.Record, name string) string {
	if key, ok := strings.CutPrefix(name, metadataField); ok {
		i := slices.IndexFunc(r.Metadata, func(p store.Pair) bool { return p.Key == key })
		if i < 0 {
			return ""
		}
		return r.Metadata[i].Value
	}
	switch name {
	case "content":
		return r.Content
	case "kind":
		return r.Kind
	case "speaker":
		return r.Speaker
	case "session":
		return r.Session
	case "source":
		return r.Source
	}
	return r.OccurredAt.Go().Format(time.RFC3339Nano)
}

// leastRivals is how many memories compete at least, so that a hit's probability does not depend on a small Limit.
const leastRivals = 100

// compete gives each of the first limit hits its probability in a competition of all of them with "none of these".
//
// The threshold is ln(1+n) nats of n memories searched. A score says, in nats, how unlikely what it rests on is by
// chance in one memory: among n that have nothing to do with the question, one is expected to reach ln n.
func compete(hits []recall.Hit, searched, limit int) (p []float64, none float64) {
	scores := make([]float64, len(hits))
	for i, h := range hits {
		scores[i] = h.Score
	}
	p, none = complete.Compete(scores, math.Log1p(float64(searched)), complete.Temperature)
	return p[:min(limit, len(p))], none
}
