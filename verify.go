package engram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// VerifyOptions say how to verify.
type VerifyOptions struct {
	// BytesPerSecond bounds how much is read, so that others have the disk too; 0 is no bound. It is kept from one
	// piece of 256 KiB to the next.
	BytesPerSecond int64
	// Progress, if not nil, is called now and then with the report so far. It runs on the calling goroutine.
	Progress func(VerifyReport)
}

// VerifyPaced is Verify at a bounded pace, and with news of its progress.
func (s *Space) VerifyPaced(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	out := VerifyReport{Problems: []Problem{}}
	if o.BytesPerSecond < 0 {
		return out, &InvalidError{
			Field: "bytes_per_second", Value: fmt.Sprint(o.BytesPerSecond), Allowed: "use 1 or more, or 0 for no bound",
		}
	}
	read := int64(0)
	step := func(r *store.Report) error {
		if o.Progress != nil {
			o.Progress(verifyReport(r))
		}
		pause := time.Duration(0)
		if o.BytesPerSecond > 0 {
			pause = time.Duration(float64(r.Bytes-read) / float64(o.BytesPerSecond) * float64(time.Second))
		}
		read = r.Bytes
		return sleep(ctx, pause)
	}
	err := s.with(ctx, "verify", s.name == DefaultSpace, func(sp *store.Space) error {
		r, err := sp.VerifyStepwise(ctx, step)
		out = verifyReport(r)
		if err != nil {
			return err
		}
		return s.db.verifyModel(s.name, sp, &out)
	})
	return out, err
}

func verifyReport(r *store.Report) VerifyReport {
	out := VerifyReport{Files: r.Files, Records: r.Records, Bytes: r.Bytes, Problems: []Problem{}}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, Problem{File: p.File, Offset: p.Offset, What: p.What})
	}
	return out
}

// sleep waits, or ends with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ScrubReport is what the scrubber has done since the directory was opened; see Options.ScrubBytesPerSecond.
type ScrubReport struct {
	// Rounds counts how often every space was gone through.
	Rounds int `json:"rounds"`
	// Bytes were read and checked.
	Bytes int64 `json:"bytes"`
	// At is when the last round ended, Space what is being read now; zero and "" if there is none.
	At    time.Time `json:"at,omitzero"`
	Space string    `json:"space,omitempty"`
	// Problems are those of the last round and of the one under way, each with its space.
	Problems []ScrubProblem `json:"problems"`
}

// ScrubProblem is one thing that the scrubber found wrong.
type ScrubProblem struct {
	Space string `json:"space"`
	Problem
}

// scrubber goes through all spaces again and again, so that damage in what nobody reads is found while a backup still
// has it whole.
type scrubber struct {
	db   *DB
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	report   ScrubReport
	previous []ScrubProblem
	current  []ScrubProblem
	anew     []string // files of the space being read that were written anew meanwhile
}

// ScrubReport tells what the scrubber found; zero if it is off.
func (db *DB) ScrubReport() ScrubReport {
	if db.scrubber == nil {
		return ScrubReport{Problems: []ScrubProblem{}}
	}
	return db.scrubber.told()
}

func (c *scrubber) told() ScrubReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.report
	out.Problems = append(append([]ScrubProblem{}, c.previous...), c.current...)
	return out
}

// startScrubber begins, if Options ask for it.
func (db *DB) startScrubber() {
	if db.o.ScrubBytesPerSecond <= 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &scrubber{db: db, stop: stop}
	db.scrubber = c
	c.done.Go(func() {
		for ctx.Err() == nil {
			// A panic ends this round, told like damage, and the next one begins after the pause.
			if err := isolate.Go("scrub", "", func() error { return c.round(ctx) }); err != nil && ctx.Err() == nil {
				c.found("", Problem{What: err.Error()})
			}
			_ = sleep(ctx, scrubPause) // ended by Close
		}
	})
}

// scrubPause is the time between two rounds. Chosen: disks go bad slowly, and every round opens every space.
const scrubPause = 24 * time.Hour

// round goes through every space once.
func (c *scrubber) round(ctx context.Context) error {
	names, err := c.db.Spaces(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.space(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Rounds++
	c.report.At, c.report.Space = c.db.o.Clock(), ""
	c.previous, c.current = c.current, nil
	return nil
}

func (c *scrubber) space(ctx context.Context, name string) error {
	space, err := c.db.Space(name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.report.Space, c.anew = name, nil
	c.mu.Unlock()
	report, err := space.VerifyPaced(ctx, VerifyOptions{BytesPerSecond: c.db.o.ScrubBytesPerSecond})
	c.mu.Lock()
	c.report.Bytes += report.Bytes
	c.mu.Unlock()
	for _, p := range report.Problems {
		c.found(name, p)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
		c.found(name, Problem{What: err.Error()}) // a space that cannot be opened; the others are gone through
		return nil
	}
	return err
}

func (c *scrubber) found(space string, p Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.current) < maxLost && !isolate.Off("scrubber") && (p.File == "" || !slices.Contains(c.anew, p.File)) {
		c.current = append(c.current, ScrubProblem{Space: space, Problem: p})
	}
}

// forget forgets problems of files of a space that were written anew.
func (c *scrubber) forget(space string, files []string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report.Space == space {
		c.anew = append(c.anew, files...)
	}
	anew := func(p ScrubProblem) bool { return p.Space == space && slices.Contains(files, p.File) }
	c.previous, c.current = slices.DeleteFunc(c.previous, anew), slices.DeleteFunc(c.current, anew)
}

func (c *scrubber) close() {
	if c != nil {
		c.stop()
		c.done.Wait()
	}
}
