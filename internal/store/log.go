package store

import (
	"iter"

	"github.com/orchard9/engram-go/internal/wal"
)

// Log is what a space needs of its log: frames are appended in the order of their positions, made durable, read from a
// position on, and trimmed when segments hold what they say. [wal.Log] is one in files, which says what each method
// promises; [Options.OpenLog] puts another in its place, such as a replicated stream. Its frames carry decisions
// already taken, so that every log that gives them back in order gives the same space.
type Log interface {
	// Append gives a frame the next position, without gaps; Commit returns when it and all before it are durable.
	Append(frame []byte) (wal.LSN, error)
	Commit(position wal.LSN) error
	// Announce and Retract bracket an append that is about to come and may share a sync.
	Announce()
	Retract()
	// Read yields the durable frames from a position on.
	Read(from wal.LSN) iter.Seq2[wal.Record, error]
	// Trim lets frames before a position go; Drop lets all of them go, up to what Rotate separated; busy asks to try
	// later.
	Trim(before wal.LSN) error
	Drop(before wal.LSN) (busy bool, err error)
	Rotate() (last wal.LSN, err error)
	// Err is why nothing more can be appended for good, Full why nothing can be now; nil if it can.
	Err() error
	Full() error
	Stats() wal.Stats
	Close() error
}

var _ Log = (*wal.Log)(nil)

// LogOpener opens the log of a space and gives apply every frame behind a position, in order, before it returns.
type LogOpener func(after wal.LSN, apply func(position wal.LSN, frame []byte) error) (Log, wal.Recovery, error)

// openFiles is the LogOpener of a space that keeps its log in files of its directory.
func (s *Space) openFiles(after wal.LSN, apply func(wal.LSN, []byte) error) (Log, wal.Recovery, error) {
	if err := s.requireLog(); err != nil {
		return nil, wal.Recovery{}, err
	}
	log, recovery, err := wal.Open(s.logOptions(), after, apply)
	if err != nil {
		return nil, recovery, asLogDamage(err)
	}
	return log, recovery, nil
}
