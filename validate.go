package engram

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vec"
)

// quote shows a value in an error: shortened, with whatever cannot be printed escaped.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "…"
	}
	return strconv.Quote(s)
}

func validSpaceName(name string) error {
	ok := len(name) >= 1 && len(name) <= maxSpaceName
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return &InvalidError{
			Field: "space", Value: quote(name), Allowed: "use 1 to 64 of a-z, 0-9, dot, underscore and hyphen",
		}
	}
	return nil
}

// checks collects the first thing wrong with a request.
type checks struct{ err error }

func (c *checks) fail(field, value, allowed string) {
	if c.err == nil {
		c.err = &InvalidError{Field: field, Value: value, Allowed: allowed}
	}
}

func (c *checks) tooLarge(field string, got, most int, unit string) {
	if c.err == nil {
		c.err = &SizeError{Field: field, Got: got, Most: most, Unit: unit}
	}
}

// text checks a string: UTF-8 of at most most bytes.
func (c *checks) text(field, s string, most int) {
	switch {
	case len(s) > most:
		c.tooLarge(field, len(s), most, "bytes")
	case !utf8.ValidString(s):
		c.fail(field, quote(s), "it is not UTF-8: send UTF-8 text")
	}
}

// name checks a string that identifies something: text without control characters.
func (c *checks) name(field, s string, most int) {
	c.text(field, s, most)
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			c.fail(field, quote(s), "control characters are not allowed")
			return
		}
	}
}

func (c *checks) id(field, id string) {
	if id == "" {
		c.fail(field, "empty", "use an id of 1 to 128 bytes")
		return
	}
	c.name(field, id, maxIDBytes)
}

func (c *checks) ids(field string, ids []string, most int) {
	if len(ids) > most {
		c.tooLarge(field, len(ids), most, "ids")
		return
	}
	for i, id := range ids {
		c.id(fmt.Sprintf("%s[%d]", field, i), id)
	}
}

// names checks kinds, or types of associations, of which none is ever empty.
func (c *checks) names(field string, names []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", field, i)
		if name == "" {
			c.fail(at, "empty", fmt.Sprintf("use 1 to %d bytes", maxNameBytes))
		}
		c.name(at, name, maxNameBytes)
	}
}

func (c *checks) unit(field string, x float64) {
	if !(x >= 0 && x <= 1) {
		c.fail(field, strconv.FormatFloat(x, 'g', -1, 64), "use a number from 0 to 1")
	}
}

func (c *checks) tags(field string, tags []string, most int) {
	if len(tags) > most {
		c.tooLarge(field, len(tags), most, "tags")
		return
	}
	for i, tag := range tags {
		at := fmt.Sprintf("%s[%d]", field, i)
		if tag == "" {
			c.fail(at, "empty", "use a tag of 1 to 128 bytes")
		}
		c.name(at, tag, maxTagBytes)
		if slices.Index(tags, tag) != i {
			c.fail(at, quote(tag), "it is there twice: give each tag once")
		}
	}
}

// The instants that nanoseconds since 1970 reach in 64 bits, to the year.
var (
	minTime = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// model checks the name of what made a vector, which must be there then.
func (c *checks) model(name string, vector bool) {
	c.name("embedding_model", name, maxModelBytes)
	if name != "" && !vector {
		const allowed = "there is no embedding that it could have made: leave it out, or give one"
		c.fail("embedding_model", quote(name), allowed)
	}
}

func validModel(name string) error {
	c := &checks{}
	c.name("EmbeddingModel", name, maxModelBytes)
	return c.err
}

// language checks the name of a language; "" is found out.
func (c *checks) language(name string) {
	if _, known := lexical.LanguageCode(name); !known && name != "" {
		all := strings.Join(Languages(), ", ")
		c.fail("language", quote(name), "use "+all+", an ISO 639 code of these, or leave it out")
	}
}

// between checks a whole number that may be left out as 0.
func (c *checks) between(field string, n, least, most int) {
	if n != 0 && (n < least || n > most) {
		c.fail(field, strconv.Itoa(n), fmt.Sprintf("use %d to %d, or leave it out", least, most))
	}
}

func (c *checks) terms(field string, names []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(Terms(), name) {
			c.fail(at, quote(name), "use "+strings.Join(Terms(), ", "))
		} else if slices.Index(names, name) != i {
			c.fail(at, quote(name), "it is there twice: give each name once")
		}
	}
}

func (c *checks) time(field string, t time.Time) {
	if !t.IsZero() && (t.Before(minTime) || !t.Before(maxTime)) {
		c.fail(field, t.Format(time.RFC3339), "use a time from the years 1678 to 2261")
	}
	const day = 24 * 60 * 60
	if _, offset := t.Zone(); offset <= -day || offset >= day {
		c.fail(field, t.Format(time.RFC3339), "use a zone that is less than 24 hours from UTC")
	}
}

// order checks that a span is not empty or reversed.
func (c *checks) order(fromField string, from time.Time, untilField string, until time.Time) {
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		c.fail(untilField, until.Format(time.RFC3339Nano),
			fmt.Sprintf("it must be after %s, which is %s", fromField, from.Format(time.RFC3339Nano)))
	}
}

func (c *checks) metadata(m map[string]string, most int) {
	size := 0
	for _, key := range sortedKeys(m) {
		size += len(key) + len(m[key])
		if key == "" {
			c.fail("metadata", "an empty key", "use keys of 1 to 128 bytes")
		}
		c.name("metadata key", key, maxTagBytes)
		c.text("metadata."+key, m[key], most)
	}
	if size > most {
		c.tooLarge("metadata", size, most, "bytes")
	}
}

func (c *checks) vector(field string, v []float32) {
	if v == nil || c.err != nil {
		return
	}
	if len(v) < 8 || len(v) > maxDim {
		c.fail(field, fmt.Sprintf("a vector of %d numbers", len(v)),
			fmt.Sprintf("use %d to %d numbers", store.MinDim, maxDim))
		return
	}
	if err := vec.Validate(v); err != nil {
		c.fail(field, "refused", err.Error())
	}
}

// links checks associations that a caller asks for.
func (c *checks) links(field string, links []Link, most int) {
	c.storedLinks(field, links, most)
	for i, l := range links {
		c.linkType(fmt.Sprintf("%s[%d].type", field, i), l.Type)
		same := func(other Link) bool { return other.To == l.To && other.kind() == l.kind() }
		if slices.ContainsFunc(links[:i], same) {
			c.fail(fmt.Sprintf("%s[%d]", field, i), quote(l.To),
				"it is there twice with this type: give each association once")
		}
	}
}

// link checks an association of which at leads to the fields.
func (c *checks) link(at string, l Link) {
	c.id(at+"to", l.To)
	c.name(at+"type", l.Type, maxNameBytes)
	if l.Weight != nil {
		c.unit(at+"weight", *l.Weight)
	}
}

// linkType refuses the type that is the engine's own.
func (c *checks) linkType(field, linkType string) {
	if linkType == LinkConsolidates {
		c.fail(field, quote(linkType), "it is the engine's own: use consolidate, undo, or another type")
	}
}

// storedLinks checks associations as they are stored.
func (c *checks) storedLinks(field string, links []Link, most int) {
	if len(links) > most {
		c.tooLarge(field, len(links), most, "links")
		return
	}
	for i, l := range links {
		c.link(fmt.Sprintf("%s[%d].", field, i), l)
	}
}

// draft checks everything about a draft that can be told without looking at what is stored.
func (l Limits) draft(d *Draft) error {
	c := &checks{}
	if d.ID != "" {
		c.id("id", d.ID)
	}
	if strings.TrimSpace(d.Content) == "" {
		c.fail("content", quote(d.Content), "it must not be empty")
	}
	c.text("content", d.Content, l.Content)
	c.name("kind", d.Kind, maxNameBytes)
	c.tags("tags", d.Tags, l.Tags)
	c.name("speaker", d.Speaker, maxPersonBytes)
	c.name("session", d.Session, maxPersonBytes)
	c.name("source", d.Source, maxSourceBytes)
	c.name("idempotency_key", d.IdempotencyKey, maxIDBytes)
	c.time("occurred_at", d.OccurredAt)
	c.time("valid_from", d.ValidFrom)
	c.time("valid_until", d.ValidUntil)
	c.time("expires_at", d.ExpiresAt)
	c.order("valid_from", d.ValidFrom, "valid_until", d.ValidUntil)
	if d.Confidence != nil {
		c.unit("confidence", *d.Confidence)
	}
	c.metadata(d.Metadata, l.Metadata)
	c.language(d.Language)
	c.vector("embedding", d.Embedding)
	c.model(d.EmbeddingModel, len(d.Embedding) > 0)
	c.links("links", d.Links, l.Links)
	c.ids("supersedes", d.Supersedes, l.IDs)
	for i, id := range d.Supersedes {
		if id == d.ID {
			c.fail(fmt.Sprintf("supersedes[%d]", i), quote(id), "a memory cannot replace itself: use update")
		}
		if slices.Index(d.Supersedes, id) != i {
			c.fail(fmt.Sprintf("supersedes[%d]", i), quote(id), "it is there twice: give each id once")
		}
	}
	c.ids("contradicts", d.Contradicts, l.Links)
	for i, id := range d.Contradicts {
		at := fmt.Sprintf("contradicts[%d]", i)
		switch {
		case id == d.ID:
			c.fail(at, quote(id), "a memory cannot contradict itself")
		case slices.Index(d.Contradicts, id) != i:
			c.fail(at, quote(id), "it is there twice: give each id once")
		case slices.Contains(d.Supersedes, id):
			c.fail(at, quote(id), "it is in supersedes too: a memory that is replaced is not contradicted")
		case slices.ContainsFunc(d.Links, func(l Link) bool { return l.To == id && l.Type == Contradicts }):
			c.fail(at, quote(id), "it is in links too, with this type: say it once")
		}
	}
	return c.err
}

// cue checks a cue.
func (l Limits) cue(q *Cue) error {
	c := &checks{}
	c.text("query", q.Text, l.Query)
	c.vector("embedding", q.Embedding)
	c.model(q.EmbeddingModel, len(q.Embedding) > 0)
	if q.Limit < 0 || q.Limit > l.Hits {
		c.fail("limit", strconv.Itoa(q.Limit), fmt.Sprintf("use 1 to %d", l.Hits))
	}
	c.ids("ids", q.IDs, l.IDs)
	if q.IDs != nil && len(q.IDs) == 0 {
		c.fail("ids", "empty", "name at least one memory, or leave it out")
	}
	c.names("kinds", q.Kinds)
	c.tags("tags", q.Tags, l.IDs)
	c.tags("tags_any", q.TagsAny, l.IDs)
	c.tags("tags_none", q.TagsNone, l.IDs)
	c.name("speaker", q.Speaker, maxPersonBytes)
	c.name("session", q.Session, maxPersonBytes)
	c.name("during", q.During, maxPersonBytes)
	c.time("from", q.From)
	c.time("to", q.To)
	c.time("valid_at", q.ValidAt)
	c.time("as_of", q.AsOf)
	c.order("from", q.From, "to", q.To)
	c.unit("min_confidence", q.MinConfidence)
	c.terms("without", q.Without)
	c.between("max_tokens", q.MaxTokens, 64, 1_000_000)
	c.between("max_time_ms", q.MaxTime, 1, 3_600_000)
	c.detail(q)
	if q.Compete && q.Text == "" && len(q.Embedding) == 0 {
		c.fail("compete", "true", "it needs a text or an embedding: what is ranked by time does not compete")
	}
	if q.Repeats && q.Text == "" && len(q.Embedding) == 0 {
		c.fail("repeats", "true", "without a text or an embedding every memory has a place of its own: leave it out")
	}
	return c.err
}

// change checks an update.
func (l Limits) change(d *Change) error {
	c := &checks{}
	if d.empty() {
		c.fail("change", "empty", "say what is to be different: give one of content, kind, tags, speaker, session, "+
			"occurred_at, valid_from, valid_until, expires_at, pin, confidence, source, metadata, language, embedding")
	}
	if d.Content != nil {
		if strings.TrimSpace(*d.Content) == "" {
			c.fail("content", quote(*d.Content), "it must not be empty: use forget to remove a memory")
		}
		c.text("content", *d.Content, l.Content)
	}
	for _, f := range []struct {
		name  string
		value *string
		most  int
	}{
		{"kind", d.Kind, maxNameBytes},
		{"speaker", d.Speaker, maxPersonBytes},
		{"session", d.Session, maxPersonBytes},
		{"source", d.Source, maxSourceBytes},
	} {
		if f.value != nil {
			c.name(f.name, *f.value, f.most)
		}
	}
	if d.Tags != nil {
		c.tags("tags", *d.Tags, l.Tags)
	}
	c.changeTimes(d)
	if d.Confidence != nil {
		c.unit("confidence", *d.Confidence)
	}
	if d.Metadata != nil {
		c.metadata(*d.Metadata, l.Metadata)
	}
	if d.Language != nil {
		c.language(*d.Language)
	}
	if d.Embedding != nil && len(*d.Embedding) > 0 {
		c.vector("embedding", *d.Embedding)
	}
	c.model(d.EmbeddingModel, d.Embedding != nil && len(*d.Embedding) > 0)
	c.text("reason", d.Reason, maxReasonBytes)
	if !slices.Contains([]UpdateMode{"", UpdateInPlace, UpdateByUse, UpdateReplace}, d.Mode) {
		c.fail("mode", quote(string(d.Mode)), "use in_place, by_use or replace")
	}
	if d.IfVersion < 0 || d.IfVersion > math.MaxInt32 {
		c.fail("if_version", strconv.Itoa(d.IfVersion), "use a version, counted from 1, or leave it out")
	}
	return c.err
}

// detail checks how far activation goes, and how much of a hit is given.
func (c *checks) detail(q *Cue) {
	if q.Hops != nil && (*q.Hops < 0 || *q.Hops > MaxHops) {
		c.fail("hops", strconv.Itoa(*q.Hops),
			fmt.Sprintf("use 0 to %d, or leave it out for as many as are worth it", MaxHops))
	}
	if q.Hops != nil && q.Text == "" && len(q.Embedding) == 0 {
		c.fail("hops", strconv.Itoa(*q.Hops), "it needs a text or an embedding: else nothing is activated")
	}
	if !slices.Contains([]Detail{"", DetailFull, DetailSummary, DetailIDs}, q.Detail) {
		c.fail("detail", quote(string(q.Detail)), "use ids, summary or full")
	}
}

// empty reports whether a change gives nothing that an update could make different.
func (d *Change) empty() bool {
	return d.Content == nil && d.Kind == nil && d.Tags == nil && d.Speaker == nil && d.Session == nil &&
		d.OccurredAt == nil && d.ValidFrom == nil && d.ValidUntil == nil && d.ExpiresAt == nil && d.Pin == nil &&
		d.Confidence == nil && d.Source == nil && d.Metadata == nil && d.Language == nil && d.Embedding == nil &&
		d.EmbeddingModel == ""
}

func (c *checks) changeTimes(d *Change) {
	for _, f := range []struct {
		name  string
		value *time.Time
	}{
		{"occurred_at", d.OccurredAt},
		{"valid_from", d.ValidFrom},
		{"valid_until", d.ValidUntil},
		{"expires_at", d.ExpiresAt},
	} {
		if f.value != nil {
			c.time(f.name, *f.value)
		}
	}
	if d.OccurredAt != nil && d.OccurredAt.IsZero() {
		c.fail("occurred_at", "empty", "a memory always has a time: leave it out to keep the one it has")
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
