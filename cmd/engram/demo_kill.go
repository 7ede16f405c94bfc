package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const (
	// demoLog is the space that the killed process writes into.
	demoLog = "night-log"
	// demoKillAfter is how many acknowledged writes the parent waits for, at least, before it kills: chosen, enough to
	// be in the middle of things and quick.
	demoKillAfter = 200
	// demoKillSpread is added at random, so that the kill does not always meet the same write.
	demoKillSpread = 100
	// demoWriterLimit ends a writer that nobody kills.
	demoWriterLimit = 1_000_000
)

// demoWriterCommand is the process that the demo kills. It writes until it dies and prints every acknowledged id.
func (a *app) demoWriterCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "demo-writer",
		Short:  "The process that the demo kills",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			dir, err := a.resolveDataDir()
			if err != nil {
				return err
			}
			db, err := engram.Open(dir)
			if err != nil {
				return err
			}
			return errors.Join(a.writeReadings(ctx, db), db.Close())
		}),
	}
}

// writeReadings remembers one reading after the other and prints each id after the write was acknowledged.
func (a *app) writeReadings(ctx context.Context, db *engram.DB) error {
	space, err := db.Space(demoLog)
	if err != nil {
		return err
	}
	for i := range demoWriterLimit {
		outcome, err := space.Remember(ctx, demoReading(i))
		if err != nil {
			return err
		}
		a.printf("%s\n", outcome.ID)
		if err := a.flush(); err != nil {
			return err
		}
	}
	return nil
}

// demoReading is the i-th line of the night log.
func demoReading(i int) engram.Draft {
	start := time.Date(2025, 10, 4, 21, 0, 0, 0, time.UTC)
	return engram.Draft{
		ID: fmt.Sprintf("reading-%06d", i),
		Content: fmt.Sprintf("Reading %d: the drive lags %d milliseconds, dome at %d degrees.",
			i, i*37%911, i*7%360),
		Kind:       "event",
		Session:    "night-log",
		OccurredAt: start.Add(time.Duration(i) * time.Second),
	}
}

// actKill lets another process write into the directory, kills it in the middle, and asks everything again.
func (d *demo) actKill() error {
	d.title("Kill a writing process, reopen")
	before, err := d.answers()
	if err != nil {
		return err
	}
	if err := d.db.Close(); err != nil {
		return err
	}
	d.db = nil
	acknowledged, err := d.killWriter()
	if err != nil {
		return err
	}
	if err := d.reopen(); err != nil {
		return err
	}
	if err := d.checkReadings(acknowledged); err != nil {
		return err
	}
	after, err := d.answers()
	if err != nil {
		return err
	}
	same := 0
	for i := range before {
		if sameAnswer(before[i], after[i]) {
			same++
		}
	}
	d.claim(same == len(before), "the %d questions from above, asked again: %d identical answers, scores included",
		len(before), same)
	report, err := d.space.Verify(d.ctx)
	d.claim(err == nil && len(report.Problems) == 0, "every record on disk verified: %s, %s",
		counted(report.Records, "record", "records"), counted(len(report.Problems), "problem", "problems"))
	return err
}

// answers asks every question of the demo once more.
func (d *demo) answers() ([]engram.Answer, error) {
	answers := make([]engram.Answer, len(d.asked))
	for i, cue := range d.asked {
		var err error
		if answers[i], err = d.space.Recall(d.ctx, cue); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// killWriter starts this binary as a writer, kills it in the middle of its writing, and returns the ids that were
// acknowledged before it died.
func (d *demo) killWriter() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	cmd := exec.CommandContext(d.ctx, self, "demo-writer", "--data", d.dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the writer: %w", err)
	}
	killAt := demoKillAfter + rand.IntN(demoKillSpread)
	acknowledged, killErr := readUntilKilled(bufio.NewReader(pipe), killAt, cmd.Process)
	waitErr := cmd.Wait()
	if killErr != nil {
		return nil, fmt.Errorf("kill the writer: %w: %s", killErr, complaint.String())
	}
	d.claim(waitErr != nil, "process %d was killed (%v) after it had acknowledged %d writes",
		cmd.Process.Pid, waitErr, len(acknowledged))
	return acknowledged, nil
}

// readUntilKilled reads ids, kills the process once there are killAt of them, and reads on to the end of the pipe:
// what was printed before the death was acknowledged. Half a line at the end was not.
func readUntilKilled(lines *bufio.Reader, killAt int, p *os.Process) ([]string, error) {
	var ids []string
	killed := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil && !killed {
			return ids, fmt.Errorf("the writer ended by itself after %d writes", len(ids))
		}
		if err != nil {
			return ids, nil
		}
		ids = append(ids, strings.TrimSuffix(line, "\n"))
		if len(ids) >= killAt && !killed {
			killed = true
			if err := p.Kill(); err != nil { // SIGKILL, or TerminateProcess on Windows: no chance to tidy up.
				return ids, err
			}
		}
	}
}

// checkReadings compares what survived with what was acknowledged, and with a directory that never crashed.
func (d *demo) checkReadings(acknowledged []string) error {
	log, err := d.db.Space(demoLog)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	damaged := 0
	for m, err := range log.All(d.ctx) {
		if err != nil {
			return err
		}
		var i int
		if _, err := fmt.Sscanf(m.ID, "reading-%d", &i); err != nil || m.Content != demoReading(i).Content {
			damaged++
		}
		found[m.ID] = true
	}
	lost := 0
	for _, id := range acknowledged {
		if !found[id] {
			lost++
		}
	}
	d.claim(lost == 0 && damaged == 0, "reopened: %d of %d acknowledged writes are there, each as it was written",
		len(acknowledged)-lost, len(acknowledged))
	d.printf("       (%d more had been written but not yet acknowledged: whole, or absent)\n",
		len(found)-(len(acknowledged)-lost))
	return d.compareWithUncrashed(log, len(found))
}

// compareWithUncrashed remembers the same readings in a fresh directory and asks both the same question.
func (d *demo) compareWithUncrashed(log *engram.Space, count int) (err error) {
	db, err := d.options().Open(filepath.Join(d.dir, "never-crashed"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	twin, err := db.Space(demoLog)
	if err != nil {
		return err
	}
	drafts := make([]engram.Draft, count)
	for i := range drafts {
		drafts[i] = demoReading(i)
	}
	for batch := range slices.Chunk(drafts, demoKillAfter) {
		if _, err := twin.RememberBatch(d.ctx, batch); err != nil {
			return err
		}
	}
	cue := engram.Cue{Text: "drive lags 37 milliseconds", Limit: 20}
	x, err := log.Recall(d.ctx, cue)
	if err != nil {
		return err
	}
	y, err := twin.Recall(d.ctx, cue)
	d.claim(len(x.Hits) > 0 && sameAnswer(x, y), "recall answers as in a directory that never crashed, to the last bit")
	return err
}
