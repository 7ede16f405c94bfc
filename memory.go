package engram

import (
	"cmp"
	"time"
)

// DefaultSpace is the name of the space that doors use when nobody names one. It is a space like any other.
const DefaultSpace = "default"

// DefaultKind is the kind of a memory that was given none.
const DefaultKind = "note"

// Memory is one stored memory as it stands at one version.
type Memory struct {
	// ID names the memory within its space: the caller's, 1 to 128 bytes of UTF-8 without control characters, or a
	// UUIDv7 that the engine assigned.
	ID string `json:"id"`
	// Content is what is remembered: UTF-8, not empty.
	Content string `json:"content"`
	// Kind says what sort of memory it is: a word of the caller's choosing, up to 64 bytes; "note" by default.
	Kind string `json:"kind"`
	// Tags are labels without duplicates, in the order given.
	Tags []string `json:"tags,omitempty"`
	// Speaker is who said it, if somebody did.
	Speaker string `json:"speaker,omitempty"`
	// Session groups memories that belong to one conversation or event; neighbours in a session are associated.
	Session string `json:"session,omitempty"`
	// OccurredAt is when it happened; the time of storing by default. Its zone offset is kept, if
	// it is whole minutes; of others, which RFC 3339 cannot state, the instant is kept in UTC.
	OccurredAt time.Time `json:"occurred_at"`
	// ValidFrom and ValidUntil bound the time in which it is true, as [ValidFrom, ValidUntil); zero is open.
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	// ExpiresAt is when it stops being there: no call finds it then, but one that erases; zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Pin marks a memory that must never be forgotten by the engine of its own accord.
	Pin bool `json:"pin,omitempty"`
	// Language is what Content is in, as an ISO 639 code ("en"), if that is known: words are stemmed by it, and stop
	// words left out. LanguageDetected: it was found out when the version was stored; else somebody named it.
	Language         string `json:"language,omitempty"`
	LanguageDetected bool   `json:"language_detected,omitempty"`
	// Confidence in (0,1) is the probability that it is true, by what all its sources say, to six decimals; Belief
	// tells how many say what. While only its writer has spoken it is GivenConfidence, or the reliability of its
	// Source, .8 for one that nothing is known of. Nothing is certain: it lies in [.018, .982].
	Confidence float64 `json:"confidence"`
	// GivenConfidence in [0,1) is how sure its writer was; nil if that was left to what is known of the source.
	GivenConfidence *float64 `json:"given_confidence,omitempty"`
	// Source is where it comes from: a URI or a name.
	Source string `json:"source,omitempty"`
	// Metadata is the caller's own, returned as given.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Embedding is the vector, of the space's dimension, or nil. Recall leaves it out; Get gives it.
	Embedding []float32 `json:"embedding,omitempty"`
	// EmbeddingModel is what made Embedding, if it is there and somebody named it.
	EmbeddingModel string `json:"embedding_model,omitempty"`
	// Links are the explicit associations of this memory, outgoing and incoming.
	Links []Association `json:"links,omitempty"`
	// CreatedAt is when the first version was stored, UpdatedAt when this one was.
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Version counts from 1.
	Version int `json:"version"`
	// Reason is why this version was made, as told to Update.
	Reason string `json:"reason,omitempty"`
	// Reinforced is how often the same content was remembered again.
	Reinforced int `json:"reinforced,omitempty"`
	// ArchivedAt is when it was archived; zero if it is active.
	ArchivedAt time.Time `json:"archived_at,omitzero"`
	// SupersededBy names the memory that replaced this one; "" if none did.
	SupersededBy string `json:"superseded_by,omitempty"`
	// SupersededAt is when the space learned of that; ValidUntil is when it ended being true.
	SupersededAt time.Time `json:"superseded_at,omitzero"`
	// ArchivedSpans are the times in which it was archived before it was restored, oldest first.
	ArchivedSpans []Span `json:"archived_spans,omitempty"`
	// Use is how fresh it is, by its uses, and Belief what Confidence rests on; both as of now, or as of the instant
	// that was asked for. Older versions in a history have none.
	Use    *Usage  `json:"use,omitempty"`
	Belief *Belief `json:"belief,omitempty"`
	// Held says whether what it states was true at the instant that a cue's ValidAt asked for: yes, or unknown, where
	// it does not say since when it is true; see [Space.Held]. Empty if no instant was asked for.
	Held Held `json:"held,omitempty"`
	// Tier is where the content is held: hot, warm or cold.
	Tier Tier `json:"tier,omitempty"`
}

// Span is the time from From, which is in it, to Until, which is not.
type Span struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Usage is what uses made of a memory.
type Usage struct {
	// Stability is the days after which Retrievability has fallen from 1 to .9, in [0.001, 36500]; 2.3065 for a memory
	// that nobody used.
	Stability float64 `json:"stability"`
	// Difficulty in [1,10] is how slowly stability grows.
	Difficulty float64 `json:"difficulty"`
	// LastUsed is when it was last of use or told again; when it was stored, if it never was.
	LastUsed time.Time `json:"last_used"`
	// LabileUntil is until when Update with UpdateByUse edits it in place; zero if it was never of use.
	LabileUntil time.Time `json:"labile_until,omitzero"`
	// Retrievability in (0,1] is how fresh it is: the predicted probability that it is still of use.
	Retrievability float64 `json:"retrievability"`
}

// Belief is how far a memory is believed, by the sources that spoke for it and against it, its own included.
type Belief struct {
	// Probability is the memory's Confidence: log-odds of the sources added up, each further one on the same side at
	// half the weight.
	Probability float64 `json:"probability"`
	// For and Against count the sources that say so, Sources both.
	For     int `json:"for"`
	Against int `json:"against"`
	Sources int `json:"sources"`
	// Disputed: some source speaks against it, and the probability is below .6.
	Disputed bool `json:"disputed,omitempty"`
	// Low and High are where the share of sources that support it lies with probability .9.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Evidence is what each source says, the memory's own first, at most 64; nil while nobody has said anything of it,
	// by Feedback or by remembering it again.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is what one source says of a memory.
type Evidence struct {
	Source   string `json:"source"`
	Supports bool   `json:"supports"`
	// LogOdds in [-4,4] are those of the source's being right, as known when it spoke.
	LogOdds float64 `json:"log_odds"`
}

// Tier is where a memory's content is held.
type Tier string

// The tiers.
const (
	TierHot  Tier = "hot"  // in memory, and in the log
	TierWarm Tier = "warm" // in a sealed, mapped segment
	TierCold Tier = "cold" // in a sealed segment that recall has not needed: packed, and read from its file
)

// Association is an explicit link between two memories as seen from one of them.
type Association struct {
	// To is the other memory's id.
	To string `json:"to"`
	// Type is the kind of association, up to 64 bytes; "relates_to" by default.
	Type string `json:"type"`
	// Weight in [0,1] is its strength; 0.8 by default.
	Weight float64 `json:"weight"`
	// Incoming is true if the link was made from the other memory to this one.
	Incoming bool `json:"incoming,omitempty"`
}

// Defaults of an association.
const (
	DefaultLinkType   = "relates_to"
	DefaultLinkWeight = 0.8
)

// Draft is a memory to be remembered. Only Content is required; see [Memory] for the fields not explained here.
type Draft struct {
	ID         string    `json:"id,omitempty" min:"1"` // "" lets the engine assign a UUIDv7
	Content    string    `json:"content"`
	Kind       string    `json:"kind,omitempty"`
	Tags       []string  `json:"tags,omitempty"`
	Speaker    string    `json:"speaker,omitempty"`
	Session    string    `json:"session,omitempty"`
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	Pin        bool      `json:"pin,omitempty"`
	// Confidence in [0,1] is how sure the writer is; nil, or 1, leaves that to what is known of the source.
	Confidence *float64          `json:"confidence,omitempty"`
	Source     string            `json:"source,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	// Language is what Content is in: one of [Languages] or its ISO 639 code, "none" for neither stems nor stop words;
	// "" finds out.
	Language  string    `json:"language,omitempty"`
	Embedding []float32 `json:"embedding,omitempty"`
	// EmbeddingModel names what made Embedding, up to 128 bytes; "" means Options.EmbeddingModel. The first name that a
	// space meets is its own until [Space.Reembed] replaces its vectors; vectors of another one are refused, those
	// without a name are not. Where vectors without a name came first, a name is refused until [Space.NameEmbeddings]
	// gives them one.
	EmbeddingModel string `json:"embedding_model,omitempty"`
	// Links are associations to memories that exist, or that stand earlier or later in the same batch.
	Links []Link `json:"links,omitempty"`
	// Supersedes names memories that this one replaces: they end being true when this one begins (ValidFrom, else
	// OccurredAt) and are no longer recalled by default, but stay readable. Their associations are taken over, the 256
	// heaviest, but those of type "contradicts" and where Links says otherwise.
	Supersedes []string `json:"supersedes,omitempty"`
	// Contradicts names memories that say otherwise, of which neither replaces the other: each gets an association of
	// type "contradicts" and weight 1. See [Space.Contradictions].
	Contradicts []string `json:"contradicts,omitempty"`
	// IdempotencyKey, up to 128 bytes, makes a retry safe: a second Remember with the same key in the same space
	// changes nothing and returns the first one's outcome. The same key with other content is a conflict. A space knows
	// its newest 65,536 keys; older ones, and those of erased memories, are as new.
	IdempotencyKey string `json:"idempotency_key,omitempty" min:"1"`
}

// Link asks for an association.
type Link struct {
	To string `json:"to"`
	// Type "" means "relates_to".
	Type string `json:"type,omitempty"`
	// Weight nil means 0.8.
	Weight *float64 `json:"weight,omitempty"`
}

// kind is the type of the association.
func (l Link) kind() string { return cmp.Or(l.Type, DefaultLinkType) }

// Outcome says what a write did.
type Outcome struct {
	// ID is the memory that now holds the content.
	ID string `json:"id"`
	// Result says what happened.
	Result Result `json:"outcome"`
	// Version is the memory's version after the write.
	Version int `json:"version"`
	// Superseded are the ids that this write ended, as the draft named them.
	Superseded []string `json:"superseded,omitempty"`
	// Contradicts are the memories that this write contradicted, as the draft named them.
	Contradicts []string `json:"contradicts,omitempty"`
	// Embedding tells whether the memory now has a vector: "none" or "stored".
	Embedding string `json:"embedding"`
}

// Result is what a write did.
type Result string

// The results of a write.
const (
	// Created: a new memory.
	Created Result = "created"
	// Reinforced: the same content was already known in the same scope (kind, speaker and session, or the same id);
	// nothing new was stored but the fact that it was met again.
	Reinforced Result = "reinforced"
	// Superseded: a new memory, and the ones named in Supersedes ended.
	Superseded Result = "superseded"
	// Updated: a new version of a memory.
	Updated Result = "updated"
	// Unchanged: the memory was as an update would make it; there is no new version.
	Unchanged Result = "unchanged"
	// Restored: an archived memory is active again.
	Restored Result = "restored"
)

// Change is an update: nil leaves a field as it is, a pointer to the zero value clears it. One that gives no field is
// refused.
type Change struct {
	Content    *string            `json:"content,omitempty"`
	Kind       *string            `json:"kind,omitempty"`
	Tags       *[]string          `json:"tags,omitempty"`
	Speaker    *string            `json:"speaker,omitempty"`
	Session    *string            `json:"session,omitempty"`
	OccurredAt *time.Time         `json:"occurred_at,omitempty"`
	ValidFrom  *time.Time         `json:"valid_from,omitempty"`
	ValidUntil *time.Time         `json:"valid_until,omitempty"`
	ExpiresAt  *time.Time         `json:"expires_at,omitempty"`
	Pin        *bool              `json:"pin,omitempty"`
	Confidence *float64           `json:"confidence,omitempty"`
	Source     *string            `json:"source,omitempty"`
	Metadata   *map[string]string `json:"metadata,omitempty"`
	// Language is as in a Draft; "" has it found out again. A new Content without it keeps a language that somebody
	// named, and has one that was found out found again.
	Language *string `json:"language,omitempty"`
	// Embedding replaces the vector; an empty one clears it. A new Content without a new Embedding drops the old
	// vector, which described other words.
	Embedding *[]float32 `json:"embedding,omitempty"`
	// EmbeddingModel names what made Embedding, as in a Draft.
	EmbeddingModel string `json:"embedding_model,omitempty"`
	// Reason is kept with the new version. It changes nothing by itself, nor do Mode and IfVersion.
	Reason string `json:"reason,omitempty"`
	// Mode says what becomes of the memory that is changed; "" is UpdateInPlace.
	Mode UpdateMode `json:"mode,omitempty"`
	// IfVersion, if above 0, refuses the update with ErrConflict unless the memory is at this version.
	IfVersion int `json:"if_version,omitempty" min:"1"`
}

// UpdateMode says whether an update edits a memory or replaces it.
type UpdateMode string

// The modes of updating.
const (
	// UpdateInPlace makes the next version of the memory: its id, its history and what its uses made of it stay.
	UpdateInPlace UpdateMode = "in_place"
	// UpdateByUse edits in place within six hours of a reported use (Feedback: useful, confirmed, pinned), and replaces
	// otherwise: who has just used a memory corrects it; who has not states something new.
	UpdateByUse UpdateMode = "by_use"
	// UpdateReplace makes a new memory that supersedes the old one and takes over its associations, as
	// Draft.Supersedes.
	UpdateReplace UpdateMode = "replace"
)

// ForgetMode says how to forget.
type ForgetMode string

// The modes of forgetting.
const (
	// Archive takes memories out of recall and listing; Get still reads them and Restore brings them back.
	Archive ForgetMode = "archive"
	// Erase removes memories for good, with their versions and links.
	Erase ForgetMode = "erase"
)

// ForgetRequest selects memories to forget: those in IDs, or those that match every one of the other selectors given.
// At least one selector is required, and IDs cannot be mixed with the others.
type ForgetRequest struct {
	IDs []string `json:"ids,omitempty"`
	// Tags: all must be present.
	Tags []string `json:"tags,omitempty"`
	// Before selects memories that occurred before this time.
	Before time.Time `json:"before,omitzero"`
	// Mode "" means Archive.
	Mode ForgetMode `json:"mode,omitempty"`
	// DryRun counts and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// Reason is passed on to the events.
	Reason string `json:"reason,omitempty"`
}

// ForgetReport says what Forget did.
type ForgetReport struct {
	Matched  int `json:"matched"`
	Archived int `json:"archived"`
	Erased   int `json:"erased"`
	// Missing are the ids asked for that do not exist.
	Missing []string `json:"missing,omitempty"`
	// Damaged says why memories could not be read: whether the filters select them is not known, and they are as they
	// were. At most 16 are listed.
	Damaged []string `json:"damaged,omitempty"`
}

// Cue is what Recall goes by. With Text or Embedding, memories are ranked by their words, their meaning and their
// associations; with neither, by time, newest first. Everything else filters, before ranking.
type Cue struct {
	// Text is a question or some words.
	Text string `json:"query,omitempty"`
	// Embedding is a vector of the space's dimension.
	Embedding []float32 `json:"embedding,omitempty"`
	// EmbeddingModel names what made Embedding, as in a Draft; another model than the space's is refused.
	EmbeddingModel string `json:"embedding_model,omitempty"`
	// Limit is the number of hits wanted: 1 to 1000; 0 means 10.
	Limit int `json:"limit,omitempty" min:"1"`

	IDs      []string `json:"ids,omitempty" min:"1"` // only these memories; nil is all, none at all is refused
	Kinds    []string `json:"kinds,omitempty"`       // one of these kinds
	Tags     []string `json:"tags,omitempty"`        // all of these tags
	TagsAny  []string `json:"tags_any,omitempty"`    // at least one of these tags
	TagsNone []string `json:"tags_none,omitempty"`   // none of these tags
	Speaker  string   `json:"speaker,omitempty" min:"1"`
	Session  string   `json:"session,omitempty" min:"1"`
	// From and To bound OccurredAt as [From, To); zero is open.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// ValidAt keeps what was true then, superseded memories included, and what does not say since when it is true: each
	// hit says which (Memory.Held). Zero: no such filter, and superseded memories are left out.
	ValidAt time.Time `json:"valid_at,omitzero"`
	// AsOf answers from what the space knew then: memories stored by then, as they were, also if they were changed,
	// archived or replaced later. What was erased or has expired since is not there. Words are weighed as in the
	// memories of then; explicit associations, which have no dates, take no part. With ValidAt: what was believed then
	// of what was true at ValidAt. Zero: now.
	AsOf time.Time `json:"as_of,omitzero"`
	// MinConfidence in [0,1] keeps memories whose Confidence is at least this.
	MinConfidence float64 `json:"min_confidence,omitempty"`
	// Where, if not nil, keeps the memories for which it returns true. It is asked last of the filters, before ranking,
	// and is given each memory that passed the others, without Embedding and Links, as it is or was at AsOf: every one
	// of these is read, some microseconds each. It must give the same answer for the same memory, and may not keep it.
	Where func(*Memory) bool `json:"-"`
	// WhereLinks gives Where the memories' Links as well, which costs some microseconds more each. With AsOf there are
	// none: associations have no dates.
	WhereLinks bool `json:"-"`
	// During is the session in which is asked, which need not be one of the memories': what was lately of use in it
	// primes the answer ([Feedback.During]), and nothing else does. Empty: what was lately of use anywhere in the
	// space.
	During string `json:"during,omitempty" min:"1"`
	// Explain adds the detail of each term to the hits: which words, which neighbours.
	Explain bool `json:"explain,omitempty"`
	// MaxTokens, 64 to 1,000,000, ends the hits before their contents need more tokens; 0 sets no bound. Tokens are
	// counted as [ApproxTokens] does, since the reader's own count is not known here.
	MaxTokens int `json:"max_tokens,omitempty" min:"1"`
	// MaxTime, 1 to 3,600,000 milliseconds of real time, ends a recall that takes longer with context.DeadlineExceeded;
	// 0 sets no bound. There is no partial answer: what it would hold depended on how busy the machine is.
	MaxTime int `json:"max_time_ms,omitempty" min:"1"`
	// Without switches terms of the score off, for measuring what each is worth on one's own memories: names of
	// [Terms].
	Without []string `json:"without,omitempty"`
	// Hops, 0 to [MaxHops], is how many associations activation goes over at most from what was found and what primes;
	// 0 leaves it there. Nil: as many as are worth it. Not for a cue without text and embedding.
	Hops *int `json:"hops,omitempty"`
	// Detail says how much of each hit is given, and counted by MaxTokens; "" is [DetailFull].
	Detail Detail `json:"detail,omitempty"`
	// Repeats gives each hit a place of its own. Otherwise hits that say the same are one: the best of them, which
	// names the others in Similar, so that the answer has room for more. The same are hits of one kind, speaker and
	// span of validity with the same content, or that Consolidate would call restatements of each other, unless they
	// are known to contradict. The 4*Limit best are looked at, and more, to 1000, while these have not as many
	// different ones as wanted. A cue without text and embedding lists each memory in any case.
	Repeats bool `json:"repeats,omitempty"`
	// Compete adds to each hit the probability that it is the one meant, in a competition of the 100 best (or Limit, if
	// that is more) with each other and with "none of these". Not for a cue without text and embedding.
	Compete bool `json:"compete,omitempty"`
}

// Answer is what Recall found. No hits means that nothing relevant is known.
type Answer struct {
	Hits []Hit `json:"hits"`
	// Searched is the number of memories that passed the filters and were considered.
	Searched int `json:"searched"`
	// Truncated says that MaxTokens left out hits, the less relevant ones: all, if not even the best fits.
	Truncated bool `json:"truncated,omitempty"`
	// Rejected is there if nothing passes and a vector was given: the evidence, in nats, of the memory nearest to it,
	// which was too little to count. It may be below 0.
	Rejected *float64 `json:"rejected,omitempty"`
	// RecallID names this recall in Feedback.
	RecallID string `json:"recall_id,omitempty"`
	// Damaged says what could not be read and so was not considered: memories and vectors, by file and offset. Empty if
	// everything was looked at.
	Damaged []string `json:"damaged,omitempty"`
	// None is the probability that the memory meant is not known at all, if the cue asked to compete; see
	// Hit.Probability.
	None *float64 `json:"none,omitempty"`
}

// Hit is one recalled memory.
type Hit struct {
	// Memory is the memory without its Embedding and Links.
	Memory
	// Score ranks: larger is better. It compares hits of one answer, not of different questions.
	Score float64 `json:"score"`
	// Why are the terms that add up to Score.
	Why []Term `json:"why"`
	// Contradicts names the memories that are known, now, to say otherwise, in the order of their ids, whether or not
	// they are in the answer: filters and limits never hide that there is another side. Get reads them.
	Contradicts []string `json:"contradicts,omitempty"`
	// Similar are the ids of further hits that say the same, best first; see Cue.Repeats.
	Similar []string `json:"similar,omitempty"`
	// Shortened says that Content is not all of it, as Cue.Detail asked.
	Shortened bool `json:"shortened,omitempty"`
	// Probability in [0,1], if the cue asked to compete, is e^(Score/t) over the sum of that over all competitors, with
	// t = 0.354, and ln(1+Answer.Searched) nats for "none of these". It orders hits as Score does and falls with every
	// further rival. It is not calibrated but too sure: over 383 questions about dialogues (LoCoMo), asked by words,
	// the best hit's probability is .79 in the mean, and it is among the evidence for .39 of them.
	Probability *float64 `json:"probability,omitempty"`
}

// Term is one part of a score.
type Term struct {
	// Name is "words", "meaning", "speaker", "time", "association", "priming", "use", "belief" or "recency".
	Name string `json:"term"`
	// Value is its share of the score.
	Value float64 `json:"value"`
	// Detail says where the value comes from, if the cue asked to explain: parts that add up to Value.
	Detail []Part `json:"detail,omitempty"`
}

// Part is one contribution to a term: of a word, or of a neighbour by its id.
type Part struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Page is a part of a listing.
type Page struct {
	Memories []Memory `json:"memories"`
	// Next is the cursor of the following page; "" if this is the last.
	Next string `json:"next_cursor,omitempty"`
	// Damaged says why memories that belong in this page could not be read; at most 16 are listed.
	Damaged []string `json:"damaged,omitempty"`
}
