package engram

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vec"
)

// candidate is a memory that takes part in a pass.
type candidate struct {
	item   consolidate.Item
	record *store.Record
	found  store.Found
	cites  int // memories that it stands for, if it is a concept
}

// apart are the kinds of which two with the same words are two.
var apart = []string{"event", "task"}

// candidates reads the memories that take part: the newest that can be consolidated.
func (c *consolidator) candidates(v *store.View) ([]*candidate, error) {
	corpus := v.Corpus()
	var eligible []store.Found
	v.Scan(0, func(_ uint32, f store.Found) bool {
		facts := corpus.Facts.At(f.Row)
		if !f.Archived() && f.SupersededBy() == "" && facts.ExpiresAt == recall.NoTime && !facts.Pinned {
			eligible = append(eligible, f)
		}
		return true
	})
	most := cmp.Or(c.o.MaxMemories, defaultConsidered)
	if n := len(eligible) - most; n > 0 {
		c.out.Left = n
		eligible = eligible[n:]
	}
	out := make([]*candidate, 0, len(eligible))
	for _, f := range eligible {
		if err := c.ctx.Err(); err != nil {
			return nil, fmt.Errorf("consolidate: %w", err)
		}
		one, ok, err := c.candidate(v, f)
		if err != nil && !errors.Is(err, ErrCorrupt) { // a damaged memory is left as it is
			return nil, err
		}
		if ok {
			one.item.Words = v.Words(one.record)
			out = append(out, &one)
		}
	}
	return out, nil
}

// candidate reads one memory; ok is false if it does not take part.
func (c *consolidator) candidate(v *store.View, f store.Found) (one candidate, ok bool, err error) {
	r, err := v.Record(f.Row)
	if err != nil {
		return one, false, err
	}
	one = candidate{record: r, found: f, cites: v.CountLinks(f, LinkConsolidates, true)}
	kind := kindOf(r)
	if len(c.o.Kinds) > 0 && !slices.Contains(c.o.Kinds, kind) || len(c.o.Kinds) == 0 && slices.Contains(apart, kind) {
		return one, false, nil
	}
	if one.cites >= consolidate.Defaults().MaxMembers {
		return one, false, nil // full
	}
	if v.CountLinks(f, LinkConsolidates, false) > 0 {
		return one, false, nil // somebody restored it from its concept: it is to stay
	}
	if k, parted := v.Key(apartKey(r.ID)); parted && k.Version == r.Version && !c.o.Undone {
		return one, false, nil
	}
	if ok, err := c.wanted(v, f, r); err != nil || !ok {
		return one, false, err
	}
	vector, err := v.Vector(f.Row)
	if err != nil {
		return one, false, err
	}
	one.item = consolidate.Item{
		ID: r.ID, Scope: scopeOf(r, kind), Text: r.Content, Vector: vector, Concept: one.cites > 0,
	}
	return one, true, nil
}

// wanted asks the caller's condition.
func (c *consolidator) wanted(v *store.View, f store.Found, r *store.Record) (bool, error) {
	if c.o.Where == nil {
		return true, nil
	}
	look := c.s.lens(c.start)
	m := withFate(v, f, r, look)
	if err := m.setForWhere(v, f, look, true); err != nil {
		return false, err
	}
	return c.o.Where(&m), nil
}

// kindOf is a record's kind, of a concept that of its members.
func kindOf(r *store.Record) string {
	if kind, ok := fromPairs(r.Metadata)[conceptKind]; ok && r.Kind == KindConcept {
		return kind
	}
	return r.Kind
}

// scopeOf tells what memories must share to be consolidated.
func scopeOf(r *store.Record, kind string) string {
	return strings.Join([]string{
		kind, r.Speaker, strconv.FormatInt(r.ValidFrom.Nanos, 36), strconv.FormatInt(r.ValidUntil.Nanos, 36),
	}, "\x00")
}

// cluster is a group of restatements with the concept that is to stand for them.
type cluster struct {
	members []*candidate // those to be archived, in ascending order of ids
	concept *candidate   // the one that is there already; nil for a new one
	medoid  *candidate   // of a new one
	record  store.Record // the concept as it will be
	vector  []float32
	refused error // why it is left alone; nil if it is not
}

// maxRounds bounds the rounds of a plan: each joins to concepts what the one before left.
const maxRounds = 8

// plan finds the clusters. A concept that was just made can be what a memory restates that is no restatement of each
// member; so clusters are looked for until there are none, and the next pass finds nothing.
func (c *consolidator) plan(found []*candidate) []*cluster {
	var clusters []*cluster
	of := map[*candidate]*cluster{} // by the candidate that is its concept
	for range maxRounds {
		items := make([]consolidate.Item, len(found))
		for i, f := range found {
			items[i] = f.item
		}
		groups := consolidate.Groups(items, consolidate.Defaults())
		if len(groups) == 0 {
			break
		}
		taken := make([]bool, len(found))
		var concepts []*candidate
		for _, g := range groups {
			medoid := found[g.Medoid]
			cl := of[medoid]
			if cl == nil {
				cl = &cluster{}
				clusters = append(clusters, cl)
			}
			for _, i := range g.Members {
				taken[i] = true
			}
			concept := c.take(cl, found, g)
			of[concept] = cl
			if cl.refused == nil && concept.cites < consolidate.Defaults().MaxMembers {
				concepts = append(concepts, concept)
			}
		}
		left := concepts
		for i, f := range found {
			if !taken[i] {
				left = append(left, f)
			}
		}
		found = left
	}
	return clusters
}

// take adds a group to a cluster and returns what stands for its concept in the next round.
func (c *consolidator) take(cl *cluster, found []*candidate, g consolidate.Group) *candidate {
	medoid := found[g.Medoid]
	var members []*candidate
	for _, i := range g.Members {
		if i != g.Medoid || !medoid.item.Concept {
			members = append(members, found[i])
		}
	}
	concept := *medoid
	switch {
	case !medoid.item.Concept:
		cl.medoid, cl.vector = medoid, centroid(members, medoid)
		cl.record = *members[0].record
		cl.record.ID, cl.record.Version, cl.record.Kind = "", 1, KindConcept
		cl.record.Content = medoid.record.Content
		cl.record.Language, cl.record.LanguageFrom = medoid.record.Language, medoid.record.LanguageFrom
		cl.record.Metadata = c.conceptMetadata(members[0].record)
		concept.item.ID += "\x00" // no memory's
		concept.item.Vector, concept.item.Concept = cl.vector, true
	case len(cl.members) == 0:
		cl.concept, cl.record, cl.vector = medoid, *medoid.record, medoid.item.Vector
	}
	members = members[:min(len(members), consolidate.Defaults().MaxMembers-concept.cites)]
	for _, m := range members {
		cl.extend(m.record)
	}
	concept.cites += len(members)
	cl.members = append(cl.members, members...)
	slices.SortFunc(cl.members, func(a, b *candidate) int { return cmp.Compare(a.record.ID, b.record.ID) })
	if most := c.s.db.o.Limits.Tags; len(cl.record.Tags) > most {
		cl.refused = fmt.Errorf("%d memories like %q have %d tags together, at most %d are allowed: %w",
			len(cl.members), cl.members[0].record.ID, len(cl.record.Tags), most, errLeftAlone)
	}
	return &concept
}

// conceptMetadata is that of a concept whose first member is r.
func (c *consolidator) conceptMetadata(r *store.Record) []store.Pair {
	metadata := fromPairs(r.Metadata)
	size := len(conceptKind) + len(r.Kind)
	for key, value := range metadata {
		size += len(key) + len(value)
	}
	if metadata == nil || size > c.s.db.o.Limits.Metadata {
		metadata = map[string]string{}
	}
	metadata[conceptKind] = r.Kind
	return toPairs(metadata)
}

// extend makes the concept stand for r as well.
func (cl *cluster) extend(r *store.Record) {
	out := &cl.record
	if r.OccurredAt.Nanos > out.OccurredAt.Nanos {
		out.OccurredAt, out.Session = r.OccurredAt, r.Session
	}
	if r.Source != out.Source {
		out.Source = ""
	}
	out.Confidence = max(out.Confidence, r.Confidence)
	out.Tags = slices.Clone(out.Tags)
	for _, tag := range r.Tags {
		if !slices.Contains(out.Tags, tag) {
			out.Tags = append(out.Tags, tag)
		}
	}
	var shared []store.Pair
	for _, pair := range out.Metadata {
		if pair.Key == conceptKind || slices.Contains(r.Metadata, pair) {
			shared = append(shared, pair)
		}
	}
	out.Metadata = shared
}

// life is what was made of the uses of all that a concept stands for, and what is said of them: the stability of the
// most stable, the time from when the first was stored to when any was last used, and each source once, as it spoke
// last and as surely as it ever did. What a concept had before other members join it is a part of it. When it began is
// left open.
func (cl *cluster) life(tx *store.Tx, m *dynamics.Model) (*store.Dynamics, error) {
	all := cl.members
	if cl.concept != nil {
		all = append([]*candidate{cl.concept}, all...)
	}
	lives := make([]store.Dynamics, len(all))
	for i, c := range all {
		f, _, err := tx.Find(c.record.ID)
		if err != nil {
			return nil, err
		}
		lives[i] = standing(tx.View(), f, c.record, m)
	}
	// In the order in which something was last said of them; where that is the same the concept first, then by id.
	slices.SortStableFunc(lives, func(a, b store.Dynamics) int { return cmp.Compare(a.At, b.At) })
	out := lives[0]
	for i := range lives[1:] {
		joinLives(&out, &lives[1+i])
	}
	out.State.Learn(out.Evidence)
	return &out, nil
}

// joinLives adds to d what is known of one more restatement.
func joinLives(d, more *store.Dynamics) {
	a, b := &d.State, &more.State
	if b.Stability > a.Stability {
		a.Stability, a.Difficulty = b.Stability, b.Difficulty
	}
	if b.LastUse > a.LastUse {
		a.LastUse, d.During = b.LastUse, more.During
	}
	a.Since, a.LabileTill, a.Lapse = min(a.Since, b.Since), max(a.LabileTill, b.LabileTill), max(a.Lapse, b.Lapse)
	if a.Lapse <= a.LastUse {
		a.Lapse = 0
	}
	for _, e := range more.Evidence {
		d.Evidence = slices.Clone(dynamics.Hear(d.Evidence, e))
		i := slices.IndexFunc(d.Evidence, func(known dynamics.Evidence) bool { return known.Source == e.Source })
		known := &d.Evidence[i]
		known.LogOdds, known.Counted = max(known.LogOdds, e.LogOdds), known.Counted|e.Counted
	}
}

// settle decides the rest of a cluster: what it is called off for, its text, and the version that it makes.
func (c *consolidator) settle(v *store.View, cl *cluster) error {
	if cl.refused != nil {
		return cl.refused
	}
	if err := c.fits(v, cl); err != nil {
		return err
	}
	first := cl.members[0].record
	cl.record.Reason = fmt.Sprintf("consolidates %d memories of kind %s", len(cl.members), first.Kind)
	if cl.concept == nil {
		return c.summarize(v, cl)
	}
	cl.record.Reason = fmt.Sprintf("consolidates %d more memories of kind %s", len(cl.members), first.Kind)
	return nil
}

// fits refuses a cluster that could not be taken apart again in one write.
func (c *consolidator) fits(v *store.View, cl *cluster) error {
	size := 0
	add := func(r *store.Record, dims int) {
		size += 4*dims + len(r.Content) + len(r.ID) + len(r.Speaker) + len(r.Session) + len(r.Source) +
			len(r.Reason) + 256
		for _, p := range r.Metadata {
			size += len(p.Key) + len(p.Value)
		}
		for _, tag := range r.Tags {
			size += len(tag)
		}
	}
	for _, m := range cl.members {
		add(m.record, len(m.item.Vector))
	}
	if cl.concept != nil {
		links, err := v.Links(cl.concept.found)
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.Type != LinkConsolidates || !l.Outgoing {
				continue
			}
			r, err := v.Record(l.Other)
			if err != nil {
				return err
			}
			add(r, v.Dim)
		}
	}
	if most := c.s.db.o.Limits.BatchBytes; size > most {
		return fmt.Errorf("memories like %q have %d bytes together, at most %d are allowed: %w",
			cl.members[0].record.ID, size, most, errLeftAlone)
	}
	return nil
}

// summarize lets the caller write the concept's text.
func (c *consolidator) summarize(v *store.View, cl *cluster) error {
	if c.o.Summarize == nil {
		return nil
	}
	members := make([]Memory, len(cl.members))
	for i, m := range cl.members {
		members[i] = withFate(v, m.found, m.record, c.s.lens(c.start))
	}
	text, err := c.o.Summarize(c.ctx, members)
	if err == nil {
		err = c.s.db.o.Limits.draft(&Draft{Content: text})
	}
	if err != nil {
		return fmt.Errorf("summarize %q and %d more: %w: %w",
			cl.members[0].record.ID, len(cl.members)-1, err, errLeftAlone)
	}
	if cl.record.Content != text {
		cl.record.Content = text
		setLanguage(&cl.record, "")
	}
	return nil
}

// centroid is the mean direction of the members' vectors, each counted as often as its content was met, with their mean
// length; the medoid's vector if that is none; nil if no member has one.
func centroid(members []*candidate, medoid *candidate) []float32 {
	var sum []float64
	length, total := 0.0, 0.0
	for _, m := range members {
		v := m.item.Vector
		if len(v) == 0 {
			continue
		}
		if sum == nil {
			sum = make([]float64, len(v))
		}
		weight := float64(1 + m.found.Reinforced())
		norm := math.Sqrt(vec.SquaredNorm(v))
		for d, x := range v {
			sum[d] += weight * float64(x) / norm
		}
		length += weight * norm
		total += weight
	}
	if sum == nil {
		return nil
	}
	norm := 0.0
	for _, x := range sum {
		norm += x * x
	}
	out := make([]float32, len(sum))
	for d, x := range sum {
		out[d] = float32(x / math.Sqrt(norm) * length / total)
	}
	if vec.Validate(out) != nil {
		return slices.Clone(medoid.item.Vector)
	}
	return out
}
