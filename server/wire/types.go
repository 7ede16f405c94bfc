package wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/strictjson"
	"github.com/orchard9/engram-go/server/problem"
)

// Draft is the body of a memory to be remembered.
type Draft struct {
	engram.Draft
	EmbeddingB64 *string `json:"embedding_b64,omitempty"`
}

// Engine returns the draft as the root package takes it.
func (d Draft) Engine() (engram.Draft, error) {
	v, err := vector("", d.Embedding, d.EmbeddingB64)
	d.Embedding = v
	return d.Draft, err
}

// Batch is the body of several memories to be remembered at once.
type Batch struct {
	Memories []Draft `json:"memories"`
}

// Engine returns the drafts as the root package takes them.
func (b Batch) Engine() ([]engram.Draft, error) {
	drafts := make([]engram.Draft, len(b.Memories))
	for i, d := range b.Memories {
		v, err := vector(fmt.Sprintf("memories[%d].", i), d.Embedding, d.EmbeddingB64)
		if err != nil {
			return nil, err
		}
		d.Embedding = v
		drafts[i] = d.Draft
	}
	return drafts, nil
}

// Outcomes answers a Batch, in its order.
type Outcomes struct {
	Outcomes []engram.Outcome `json:"outcomes"`
}

// Change is the body of an update.
type Change struct {
	engram.Change
	EmbeddingB64 *string `json:"embedding_b64,omitempty"`
}

// Engine returns the change as the root package takes it.
func (c Change) Engine() (engram.Change, error) {
	if c.EmbeddingB64 == nil {
		return c.Change, nil
	}
	var given []float32
	if c.Embedding != nil {
		given = append([]float32{}, *c.Embedding...)
	}
	v, err := vector("", given, c.EmbeddingB64)
	c.Embedding = &v
	return c.Change, err
}

// Cue is the body of a recall.
type Cue struct {
	engram.Cue
	EmbeddingB64 *string `json:"embedding_b64,omitempty"`
}

// Engine returns the cue as the root package takes it.
func (c Cue) Engine() (engram.Cue, error) {
	v, err := vector("", c.Embedding, c.EmbeddingB64)
	c.Embedding = v
	return c.Cue, err
}

// Partial is the body of a completion.
type Partial struct {
	engram.Partial
	EmbeddingB64 *string `json:"embedding_b64,omitempty"`
}

// Engine returns the partial memory as the root package takes it.
func (p Partial) Engine() (engram.Partial, error) {
	v, err := vector("", p.Embedding, p.EmbeddingB64)
	p.Embedding = v
	return p.Partial, err
}

// Consolidate is the body of a consolidation.
type Consolidate struct {
	engram.ConsolidateOptions
	// MaxSeconds is how long the pass may take; 0 is no limit.
	MaxSeconds float64 `json:"max_seconds,omitempty"`
}

// Engine returns the options as the root package takes them.
func (c Consolidate) Engine() (engram.ConsolidateOptions, error) {
	const most = 24 * 60 * 60
	if !(c.MaxSeconds >= 0 && c.MaxSeconds <= most) {
		return engram.ConsolidateOptions{}, invalid("max_seconds", fmt.Sprint(c.MaxSeconds),
			fmt.Sprintf("must be a number from 0 to %d", most))
	}
	c.MaxTime = time.Duration(c.MaxSeconds * float64(time.Second))
	return c.ConsolidateOptions, nil
}

// UndoConsolidation is the body that names the concept to take apart.
type UndoConsolidation struct {
	ID string `json:"id"`
}

// Link is the body of an association.
type Link struct {
	From string `json:"from"`
	engram.Link
}

// Unlinked answers the removal of an association.
type Unlinked struct {
	Removed bool `json:"removed"`
}

// Canceled answers the cancelling of a replacing of vectors.
type Canceled struct {
	Canceled bool `json:"canceled"`
}

// EmbeddingModel names what made the vectors of a space.
type EmbeddingModel struct {
	EmbeddingModel string `json:"embedding_model"`
}

// Held answers whether a memory's statement held: "yes", "no" or "unknown".
type Held struct {
	Held engram.Held `json:"held"`
}

// Sources answers the listing of how reliable sources are known to be.
type Sources struct {
	Sources []engram.SourceRecord `json:"sources"`
}

// Contradictions answers their listing.
type Contradictions struct {
	Contradictions []engram.Contradiction `json:"contradictions"`
}

// Spaces answers the listing of spaces.
type Spaces struct {
	Spaces []string `json:"spaces"`
}

// Memory is one memory with what was asked to be included.
type Memory struct {
	engram.Memory
	// History are all versions, oldest first.
	History []engram.Memory `json:"history,omitempty"`
	// Neighbors are the memories before and after this one in its session.
	Neighbors []engram.Association `json:"neighbors,omitempty"`
}

// Answer is what a recall found. On the wire the terms of a hit are an object from term to value.
type Answer struct {
	Hits     []Hit `json:"hits"`
	Searched int   `json:"searched"`
	// Truncated says that the cue's max_tokens left out hits.
	Truncated bool `json:"truncated,omitempty"`
	// Rejected is the evidence of the memory nearest to the cue's vector, if nothing passes.
	Rejected *float64 `json:"rejected,omitempty"`
	// RecallID names this recall in feedback.
	RecallID string `json:"recall_id,omitempty"`
	// Damaged says what could not be read and so was not considered.
	Damaged []string `json:"damaged,omitempty"`
	// None is the probability that what was meant is not known, if the cue asked to compete.
	None *float64 `json:"none,omitempty"`
}

// Hit is one recalled memory.
type Hit struct {
	engram.Memory
	Score float64 `json:"score"`
	// Why are the terms by name; they add up to Score.
	Why map[string]float64 `json:"why"`
	// Explain are the parts of the terms, by the terms' names, if the cue asked to explain.
	Explain map[string][]engram.Part `json:"explain,omitempty"`
	// Similar are further hits that say the same.
	Similar []string `json:"similar,omitempty"`
	// Shortened says that the content is not all of it, as the cue's detail asked.
	Shortened bool `json:"shortened,omitempty"`
	// Contradicts names the memories that are known to say otherwise.
	Contradicts []string `json:"contradicts,omitempty"`
	// Probability is that of being the one meant, if the cue asked to compete.
	Probability *float64 `json:"probability,omitempty"`
}

// FromAnswer returns a as the wire has it. The two share what they point to.
func FromAnswer(a engram.Answer) Answer {
	hits := make([]Hit, len(a.Hits))
	for i, h := range a.Hits {
		hits[i] = Hit{
			Memory: h.Memory, Score: h.Score, Why: make(map[string]float64, len(h.Why)), Probability: h.Probability,
			Contradicts: h.Contradicts, Similar: h.Similar, Shortened: h.Shortened,
		}
		for _, t := range h.Why {
			hits[i].Why[t.Name] = t.Value
			if len(t.Detail) == 0 {
				continue
			}
			if hits[i].Explain == nil {
				hits[i].Explain = map[string][]engram.Part{}
			}
			hits[i].Explain[t.Name] = t.Detail
		}
	}
	return Answer{
		Hits: hits, Searched: a.Searched, Truncated: a.Truncated, Rejected: a.Rejected, RecallID: a.RecallID,
		Damaged: a.Damaged, None: a.None,
	}
}

// Engine returns the answer as the root package gives it, for clients; the terms are in the order of their names.
func (a Answer) Engine() engram.Answer {
	hits := make([]engram.Hit, len(a.Hits))
	for i, h := range a.Hits {
		hits[i] = engram.Hit{
			Memory: h.Memory, Score: h.Score, Probability: h.Probability, Contradicts: h.Contradicts,
			Similar: h.Similar, Shortened: h.Shortened,
		}
		for name, value := range h.Why {
			hits[i].Why = append(hits[i].Why, engram.Term{Name: name, Value: value, Detail: h.Explain[name]})
		}
		slices.SortFunc(hits[i].Why, func(x, y engram.Term) int { return strings.Compare(x.Name, y.Name) })
	}
	return engram.Answer{
		Hits: hits, Searched: a.Searched, Truncated: a.Truncated, Rejected: a.Rejected, RecallID: a.RecallID,
		Damaged: a.Damaged, None: a.None,
	}
}

// vector returns the vector that was given in one of two forms, nil if in none. prefix leads to the field in errors.
func vector(prefix string, numbers []float32, b64 *string) ([]float32, error) {
	v, err := strictjson.Vector(prefix, numbers, b64)
	return v, asProblem(err)
}

// EncodeVector returns v in the form of embedding_b64.
func EncodeVector(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// EscapeSegment percent-encodes an id or a space's name so that it is one segment of a path, whatever it contains.
// Dots are encoded too: clients and proxies resolve "." and "..".
func EscapeSegment(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' ||
			c == '~'
		if plain {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// WorkLine is a line of a verification or a compaction that tells of its progress: Progress so far, of which Problems
// or Left are those met since the line before, and at last the whole Report, or a Problem.
type WorkLine[R engram.VerifyReport | engram.CompactReport] struct {
	Progress *R               `json:"progress,omitempty"`
	Report   *R               `json:"report,omitempty"`
	Problem  *problem.Problem `json:"problem,omitempty"`
}

// LastLine is the last line of a stream of lines, such as an export, that could not be finished: why.
type LastLine struct {
	Problem *problem.Problem `json:"problem"`
}
