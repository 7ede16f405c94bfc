package engram

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/strictjson"
)

// The lines of Export and Import.

// Export writes the whole space to w as JSON lines, as of the moment when it begins: every version of every memory,
// oldest first, archived ones included, with embeddings, links (as outgoing), times and versions, and what was made of
// its uses and said of it, now and before; then what the space keeps beside its memories: how reliable sources are, the
// record of feedback, idempotency keys and event ids, which memories are to stay apart, and fitted weights.
// [Space.Import] reads it back without loss. Memories, and fitted weights, that cannot be read are left out: when
// everything else is written, the error, which matches ErrCorrupt, and the report say so.
func (s *Space) Export(ctx context.Context, w io.Writer) (ExportReport, error) {
	var report ExportReport
	out := bufio.NewWriterSize(w, 64<<10)
	now := s.db.o.Clock()
	err := s.read(ctx, "export", func(v *store.View) error {
		var stop, unreadable error
		v.Scan(0, func(_ uint32, f store.Found) bool {
			if stop = ctx.Err(); stop != nil || expired(v.ExpiresAt(f.Row), now) {
				return stop == nil
			}
			stop = exportMemory(out, v, f, s.lens(now), &report)
			if errors.Is(stop, ErrCorrupt) {
				report.leaveOut(stop)
				unreadable, stop = cmp.Or(unreadable, stop), nil
			}
			return stop == nil
		})
		if stop == nil {
			stop = s.exportSpace(ctx, out, v, now, &report)
		}
		if err := out.Flush(); stop == nil {
			stop = err
		}
		if stop != nil {
			return stop
		}
		for _, lost := range []error{v.Lost(), s.db.models.damage(s.name)} {
			if lost != nil {
				report.leaveOut(lost)
				unreadable = cmp.Or(unreadable, lost)
			}
		}
		if unreadable != nil {
			return fmt.Errorf("export: everything else is written, but %d things or more that cannot be read, such "+
				"as: %w", report.DamagedCount, unreadable)
		}
		return nil
	})
	return report, err
}

// leaveOut notes a memory that could not be read.
func (r *ExportReport) leaveOut(err error) {
	r.DamagedCount++
	r.Damaged = tellDamage(r.Damaged, err)
}

func exportMemory(out io.Writer, v *store.View, f store.Found, at lens, report *ExportReport) error {
	versions, err := history(v, f, at, math.MaxInt)
	if err != nil {
		return err
	}
	for i, m := range versions {
		m.Tier = ""
		outgoing := m.Links[:0]
		for _, l := range m.Links {
			if !l.Incoming {
				outgoing = append(outgoing, l)
			}
		}
		m.Links = outgoing
		export := lineOf(m)
		if i == len(versions)-1 {
			export.States = statesOf(f)
		}
		if m.SupersededBy != "" {
			r, err := v.Record(f.Row)
			if err != nil {
				return err
			}
			export.StatedUntil = r.ValidUntil.Go()
		}
		if err := writeLine(out, export); err != nil {
			return err
		}
		report.Versions++
	}
	report.Memories++
	return nil
}

// lineOf is a version of a memory as the writer of its draft gave it: what uses made of it and what is believed are
// States.
func lineOf(m Memory) exportLine {
	m.Use, m.Belief, m.Confidence = nil, nil, 1
	if m.GivenConfidence != nil {
		m.Confidence, m.GivenConfidence = *m.GivenConfidence, nil
	}
	return exportLine{Memory: m}
}

// writeLine writes one line of an export.
func writeLine(out io.Writer, line any) error {
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode export: %w", err)
	}
	if _, err := out.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// importLine is a line of an import: a draft, or, if it has a version, one version of a memory as Export wrote it.
type importLine struct {
	Draft
	// EmbeddingB64 is the embedding as base64 of little-endian float32, which is smaller and quicker to read.
	EmbeddingB64 *string   `json:"embedding_b64,omitempty"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at,omitzero"`
	Version      int       `json:"version,omitempty" min:"1"`
	Reason       string    `json:"reason,omitempty"`
	Reinforced   int       `json:"reinforced,omitempty"`
	ArchivedAt   time.Time `json:"archived_at,omitzero"`
	SupersededBy string    `json:"superseded_by,omitempty"`
	SupersededAt time.Time `json:"superseded_at,omitzero"`
	// StatedUntil is the end of validity that the version itself states, where ValidUntil is that of a supersession.
	StatedUntil   time.Time   `json:"stated_valid_until,omitzero"`
	ArchivedSpans []Span      `json:"archived_spans,omitempty"`
	States        []stateLine `json:"states,omitempty"`
	// Use and Belief are how older exports tell of the current state.
	Use    *Usage  `json:"use,omitempty"`
	Belief *Belief `json:"belief,omitempty"`
	// LanguageDetected says that Language was found out, not named.
	LanguageDetected bool `json:"language_detected,omitempty"`
	// Space is there if the line tells of the space, and nothing else is there then.
	Space *spaceLine `json:"space,omitempty"`
}

// exportLine is one version as Export writes it.
type exportLine struct {
	Memory
	StatedUntil time.Time   `json:"stated_valid_until,omitzero"`
	States      []stateLine `json:"states,omitempty"`
}

// decode reads and checks a line.
func (im *importer) decode(n *numbered, raw []byte) (err error) {
	if n.importLine, err = im.decoder.Decode(raw); err != nil {
		return err
	}
	if n.Embedding, err = strictjson.Vector("", n.Embedding, n.EmbeddingB64); err != nil {
		return err
	}
	return n.validate(im.space.db.o.Limits)
}

// validate checks a line.
func (n *numbered) validate(l Limits) error {
	c := &checks{}
	if n.Space != nil {
		alone := importLine{Space: n.Space}
		if !reflect.DeepEqual(n.importLine, alone) {
			c.fail("space", "beside other fields", "a line tells of a memory or of the space")
		}
		n.Space.check(c)
		return c.err
	}
	if err := n.check(c, l); err != nil {
		return err
	}
	if n.Version < 0 || n.Version > 1<<31-1 {
		c.fail("version", fmt.Sprint(n.Version), "use a version counted from 1")
	}
	if n.Version > 0 {
		c.id("id", n.ID)
		if n.CreatedAt.IsZero() || n.UpdatedAt.IsZero() || n.OccurredAt.IsZero() {
			const needs = "a line with a version needs occurred_at, created_at and updated_at"
			c.fail("version", fmt.Sprint(n.Version), needs)
		}
	} else if !n.CreatedAt.IsZero() || !n.UpdatedAt.IsZero() || n.Reason != "" || n.Reinforced != 0 ||
		!n.ArchivedAt.IsZero() || n.SupersededBy != "" || !n.SupersededAt.IsZero() || len(n.ArchivedSpans) > 0 ||
		!n.StatedUntil.IsZero() || n.Use != nil || n.Belief != nil || len(n.States) > 0 || n.LanguageDetected {
		c.fail("version", "missing", "created_at, updated_at, reason, reinforced, archived_at, archived_spans, "+
			"superseded_by, superseded_at, stated_valid_until, states, use, belief and language_detected need it")
	}
	if n.LanguageDetected && n.Language == "" {
		c.fail("language_detected", "true", "it needs language: say which, or leave both out")
	}
	n.checkFate(c)
	n.checkStates(c)
	c.time("created_at", n.CreatedAt)
	c.time("updated_at", n.UpdatedAt)
	c.time("archived_at", n.ArchivedAt)
	c.text("reason", n.Reason, maxReasonBytes)
	if n.SupersededBy != "" {
		c.id("superseded_by", n.SupersededBy)
	}
	if n.Reinforced < 0 || n.Reinforced > 1<<31-1 {
		c.fail("reinforced", fmt.Sprint(n.Reinforced), "use a count, 0 or more")
	}
	return c.err
}

// check checks the part of a line that is a draft. What was exported may have more links than a draft, and the engine's
// own.
func (n *numbered) check(c *checks, l Limits) error {
	links := n.Links
	if n.Version > 0 {
		c.storedLinks("links", links, maxDeferred)
		n.Links = nil
	}
	err := l.draft(&n.Draft)
	n.Links = links
	return err
}

// checkFate checks what a line says of archiving and supersession.
func (n *numbered) checkFate(c *checks) {
	c.time("superseded_at", n.SupersededAt)
	c.time("stated_valid_until", n.StatedUntil)
	if n.SupersededBy == "" && (!n.SupersededAt.IsZero() || !n.StatedUntil.IsZero()) {
		c.fail("superseded_by", "missing", "superseded_at and stated_valid_until need it")
	}
	for i, span := range n.ArchivedSpans {
		field := fmt.Sprintf("archived_spans[%d]", i)
		if span.From.IsZero() || span.Until.IsZero() {
			c.fail(field, "open", "give from and until")
		}
		c.time(field+".from", span.From)
		c.time(field+".until", span.Until)
		c.order(field+".from", span.From, field+".until", span.Until)
	}
}
