package engram

import (
	"fmt"
	"time"
)

// ExportReport counts what Export wrote.
type ExportReport struct {
	Memories int `json:"memories"` // identities
	Versions int `json:"versions"` // lines: every version of every memory
	// Others are the lines that tell of the space: sources, judgements, keys and the like.
	Others int `json:"others"`
	// Damaged says which memories, and whether fitted weights, are left out because they could not be read, at most 16
	// of them; DamagedCount counts all.
	Damaged      []string `json:"damaged,omitempty"`
	DamagedCount int      `json:"damaged_count,omitempty"`
}

// ImportOptions say how Import treats what it reads.
type ImportOptions struct {
	// Strict stops at the first bad line; what was stored before it stays. Otherwise bad lines are reported and the
	// rest is imported.
	Strict bool
	// Progress, if not nil, is called now and then from Import's goroutine with the counts so far.
	Progress func(ImportReport)
}

// ImportReport counts what Import did.
type ImportReport struct {
	Lines      int   `json:"lines"` // lines read, empty ones not counted
	Bytes      int64 `json:"bytes"`
	Created    int   `json:"created"`    // memories that did not exist before
	Versions   int   `json:"versions"`   // later versions stored
	Merged     int   `json:"merged"`     // lines of a version that was known, which told more of it
	Others     int   `json:"others"`     // lines that told something new of the space: sources, judgements, keys, ...
	Unchanged  int   `json:"unchanged"`  // lines that said what is stored already
	Reinforced int   `json:"reinforced"` // lines that met what is known: without an id, or from another source
	Links      int   `json:"links"`
	// Bad are the refused lines, the first 100 of them; BadCount counts all.
	Bad      []BadLine `json:"bad,omitempty"`
	BadCount int       `json:"bad_count"`
}

// BadLine is a line that Import refused.
type BadLine struct {
	Line  int    `json:"line"` // counted from 1
	Error string `json:"error"`
}

// Torn is the rest of a write, none of which was acknowledged, that an opening dropped from the end of a log.
type Torn struct {
	Space  string
	File   string // the log file
	Offset int64  // where its last whole record ends
	Bytes  int64  // how much was dropped
	Kept   string // the file that has it now, until the log file is dropped; "" if there was no room for it
}

// String says it in one line.
func (t Torn) String() string {
	text := fmt.Sprintf("%d bytes of a write that a crash cut off, and nobody was told was stored, were dropped at "+
		"offset %d of %s", t.Bytes, t.Offset, t.File)
	if t.Kept != "" {
		text += ", and are kept in " + t.Kept
	}
	return text
}

// SpaceStats describes one space. Sizes are in bytes.
type SpaceStats struct {
	Space    string `json:"space"`
	Memories int    `json:"memories"` // active, the current versions
	Archived int    `json:"archived"`
	Expired  int    `json:"expired,omitempty"` // no longer there, active and archived ones, and in neither count
	Versions int    `json:"versions"`          // rows held, old versions and archived ones included
	// Hot, Warm and Cold count rows by tier.
	Hot  int `json:"hot"`
	Warm int `json:"warm"`
	Cold int `json:"cold"`
	// Vectors counts embeddings of active memories; Dim is their dimension, 0 if none was stored yet.
	Vectors int `json:"vectors"`
	Dim     int `json:"dim"`
	// EmbeddingModel is what made the vectors; "" if nobody named it.
	EmbeddingModel string `json:"embedding_model,omitempty"`
	// UnnamedVectors are those of Vectors of which nobody has said what made them: all, or none.
	UnnamedVectors int `json:"unnamed_vectors,omitempty"`
	// Reembedding tells of vectors that are being built to take the place of these; nil if none are.
	Reembedding *Reembedding `json:"reembedding,omitempty"`
	// Links counts explicit associations.
	Links int `json:"links"`
	// Position is the log position (LSN) of the last visible write.
	Position     uint64 `json:"position"`
	Segments     int    `json:"segments"`
	LogBytes     int64  `json:"log_bytes"`
	SegmentBytes int64  `json:"segment_bytes"`
	IndexBytes   int64  `json:"index_bytes"`
	HotBytes     int64  `json:"hot_bytes"`
	// ColdBytes is the part of SegmentBytes that is cold. ColdRatio is by what contents in the cold tier are smaller
	// than they would be as they are, 0 if there are none.
	ColdBytes int64   `json:"cold_bytes"`
	ColdRatio float64 `json:"cold_ratio"`
	// Cooled and Warmed count segments that became cold, and warm again, since the space was opened.
	Cooled int64 `json:"cooled"`
	Warmed int64 `json:"warmed"`
	// ErasedVersions and ErasedBytes are what erased memories still take in segments, and ErasedBytes vectors that were
	// replaced, too; a compaction gives it back.
	ErasedVersions int   `json:"erased_versions"`
	ErasedBytes    int64 `json:"erased_bytes"`
	// EarlierFiles counts the files of an earlier format version, which [DB.Upgrade] writes anew.
	EarlierFiles int `json:"earlier_files,omitempty"`
	// KeptAside is what is kept of the space as it was before this version wrote to it; nil if nothing is.
	KeptAside *KeptAside `json:"kept_aside,omitempty"`
	// Budgets are those that were given, and how far they are used.
	Budgets []Budget `json:"budgets,omitempty"`
	// Sealing, Compaction and Consolidation are those that run by themselves; of sealings, those that compactions and
	// calls began count, too.
	Sealing       WorkStats `json:"sealing"`
	Compaction    WorkStats `json:"compaction"`
	Consolidation WorkStats `json:"consolidation"`
	// ReadOnly is the reason why the space refuses writes, "" if it does not: damage and work that fails are no reason
	// by themselves.
	ReadOnly string `json:"read_only,omitempty"`
	// Torn is the number of bytes of an unfinished write that the last opening dropped from the log's end.
	Torn int64 `json:"torn_bytes,omitempty"`
	// TornFile is the path of the file that has these bytes now, until the log file that they were in is dropped.
	TornFile string `json:"torn_file,omitempty"`
	// Quarantined lists what was found damaged since the space was opened.
	Quarantined []string `json:"quarantined,omitempty"`
	// Problems lists why the space does not take writes or does not serve all it holds, and what failed of the work in
	// the background: what Ready says of this space. Empty if it is healthy.
	Problems []string `json:"problems,omitempty"`
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Files    int       `json:"files"`
	Records  int       `json:"records"`
	Bytes    int64     `json:"bytes"`
	Problems []Problem `json:"problems"` // empty if all is well
}

// Problem is one thing that Verify found wrong. One without a File is of an index in memory, which is made anew when
// the space is opened again.
type Problem struct {
	File   string `json:"file,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	What   string `json:"what"`
}

// Event is one change of a space, as told to whoever asked for Events.
type Event struct {
	Space string `json:"space"`
	// Position is the log position of the change; positions of one space only grow.
	Position uint64    `json:"position"`
	At       time.Time `json:"at"`
	Kind     EventKind `json:"event"`
	ID       string    `json:"id"`
	Version  int       `json:"version,omitempty"`
	// Other is the second memory of a link, or the one that superseded or contradicted ID.
	Other string `json:"other,omitempty"`
	// Signal is what a judgement said.
	Signal Signal `json:"signal,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// EventKind says what happened to a memory.
type EventKind string

// The kinds of events.
const (
	EventCreated    EventKind = "created"
	EventReinforced EventKind = "reinforced"
	EventUpdated    EventKind = "updated"
	// EventConsolidated: a concept was made; the memories that it stands for are archived in the same write.
	EventConsolidated EventKind = "consolidated"
	EventSuperseded   EventKind = "superseded"
	EventArchived     EventKind = "archived"
	EventRestored     EventKind = "restored"
	EventErased       EventKind = "erased"
	EventLinked       EventKind = "linked"
	EventUnlinked     EventKind = "unlinked"
	// EventJudged: somebody said by Feedback what the memory was worth.
	EventJudged EventKind = "judged"
)
