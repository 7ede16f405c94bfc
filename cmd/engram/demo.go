package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

// demoStory holds the demonstration's memories, one draft a line as 'engram import' takes them.
//
//go:embed demo/memories.jsonl
var demoStory []byte

// demoWidth is how much of a content the demonstration shows, in characters: chosen to keep a hit on one line.
const demoWidth = 84

func (a *app) demoCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play a short, real story in a temporary directory and check every claim",
		Long: "Remember a hundred and ten memories of the restoration of an observatory, recall them by words, time\n" +
			"and association, explain, correct and forget, kill a writing process, reopen and ask again. Everything\n" +
			"is computed on the spot; a claim that does not hold ends the demo with exit code 1.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the temporary directory and say where it is")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		return a.playDemo(ctx, keep)
	})
	return cmd
}

// demo is one performance.
type demo struct {
	*app
	ctx    context.Context
	dir    string
	drafts []engram.Draft
	now    time.Time // the day after the story's last memory; the clock of the engine stands there
	db     *engram.DB
	space  *engram.Space
	asked  []engram.Cue // questions whose answers must survive the kill
	failed int          // claims that did not hold
}

// playDemo makes the directory, plays all acts and cleans up.
func (a *app) playDemo(ctx context.Context, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "engram-demo-")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	d := &demo{app: a, ctx: ctx, dir: dir}
	defer func() {
		if d.db != nil {
			err = errors.Join(err, d.db.Close())
		}
		if !keep {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if d.drafts, err = parseStory(demoStory); err != nil {
		return err
	}
	d.now = d.drafts[len(d.drafts)-1].OccurredAt.AddDate(0, 0, 1)
	if err := d.reopen(); err != nil {
		return err
	}
	for _, act := range []func() error{
		d.actRemember, d.actWords, d.actTime, d.actAssociation, d.actCorrect, d.actForget, d.actKill,
	} {
		if err := errors.Join(act(), a.flush()); err != nil {
			return err
		}
	}
	if d.failed > 0 {
		return fmt.Errorf("%s of the demo did not hold", counted(d.failed, "claim", "claims"))
	}
	a.printf("\nEvery claim above was checked. Your turn:\n")
	if keep {
		a.printf("  %s --data %s recall who drew Saturn\n", a.program, shellQuote(dir))
	}
	a.printf("  %[1]s remember --tag first 'The door of the observatory sticks in wet weather'\n"+
		"  %[1]s recall door\n  %[1]s serve\n", a.program)
	return nil
}

// parseStory reads one draft a line and refuses what it does not know.
func parseStory(lines []byte) ([]engram.Draft, error) {
	var drafts []engram.Draft
	scan := bufio.NewScanner(bytes.NewReader(lines))
	for scan.Scan() {
		var draft engram.Draft
		dec := json.NewDecoder(bytes.NewReader(scan.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&draft); err != nil {
			return nil, fmt.Errorf("read the story's line %d: %w", len(drafts)+1, err)
		}
		drafts = append(drafts, draft)
	}
	return drafts, scan.Err()
}

// options stop the engine's clock at the story's end, so that every performance gives the same answers.
func (d *demo) options() engram.Options {
	return engram.Options{Clock: func() time.Time { return d.now }}
}

// reopen closes the directory, if it is open, and opens it again.
func (d *demo) reopen() error {
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			return err
		}
		d.db = nil
	}
	db, err := d.options().Open(d.dir)
	if err != nil {
		return err
	}
	d.db = db
	d.space, err = db.Space(engram.DefaultSpace)
	return err
}

// title prints the heading of an act.
func (d *demo) title(format string, args ...any) {
	d.printf("\n== "+format+"\n", args...)
}

// claim prints whether something that the demo says is so.
func (d *demo) claim(holds bool, format string, args ...any) {
	mark := "ok"
	if !holds {
		mark = "NOT SO"
		d.failed++
	}
	d.printf("  [%s] "+format+"\n", append([]any{mark}, args...)...)
}

// ask recalls, prints the question and the first hits, and keeps the question for asking again.
func (d *demo) ask(note string, cue engram.Cue, show int) (engram.Answer, error) {
	answer, err := d.space.Recall(d.ctx, cue)
	if err != nil {
		return answer, err
	}
	d.asked = append(d.asked, cue)
	d.printf("? %s\n", note)
	for _, hit := range answer.Hits[:min(show, len(answer.Hits))] {
		d.printf("  %.3f  %s  %s: %s\n",
			hit.Score, hit.OccurredAt.Format("2 Jan 15:04"), hit.Speaker, clip(hit.Content))
	}
	return answer, nil
}

// clip shortens a content to one line.
func clip(content string) string {
	runes := []rune(printable(content))
	if len(runes) <= demoWidth {
		return string(runes)
	}
	return strings.TrimRight(string(runes[:demoWidth-1]), " ") + "…"
}

// actRemember stores the story, a session at a time.
func (d *demo) actRemember() error {
	start := time.Now()
	created, sessions, people := 0, 0, map[string]bool{}
	for rest := d.drafts; len(rest) > 0; sessions++ {
		n := slices.IndexFunc(rest, func(x engram.Draft) bool { return x.Session != rest[0].Session })
		if n < 0 {
			n = len(rest)
		}
		outcomes, err := d.space.RememberBatch(d.ctx, rest[:n])
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if o.Result == engram.Created {
				created++
			}
			people[rest[i].Speaker] = true
		}
		rest = rest[n:]
	}
	took := time.Since(start)
	first, last := d.drafts[0].OccurredAt, d.drafts[len(d.drafts)-1].OccurredAt
	d.printf("The restoration of Kestrel Hill Observatory, %s to %s, as %d people told it.\n",
		first.Format("2 January 2006"), last.Format("2 January 2006"), len(people))
	d.title("Remember")
	d.printf("  %d memories in %d sessions, each session synced to disk in one step, in %s, under\n  %s\n",
		created, sessions, took.Round(time.Millisecond), d.dir)
	stats, err := d.space.Stats(d.ctx)
	d.claim(created == len(d.drafts) && stats.Memories == created, "all %d lines of the story are stored",
		len(d.drafts))
	return err
}

// actWords recalls by words, and asks something that nobody knows.
func (d *demo) actWords() error {
	d.title("Recall by words")
	for _, question := range []string{
		"Who may clean the mirror?", "How many people can stand on the observing floor?",
	} {
		answer, err := d.ask(question, engram.Cue{Text: question, Limit: 5}, 2)
		if err != nil {
			return err
		}
		d.claim(len(answer.Hits) > 0 && termOf(answer.Hits[0], "words") > 0,
			"%s, the best by their words, of %d searched", counted(len(answer.Hits), "hit", "hits"), answer.Searched)
	}
	nobody := "zeppelin xylophone"
	answer, err := d.ask(nobody, engram.Cue{Text: nobody}, 1)
	if err != nil {
		return err
	}
	d.claim(len(answer.Hits) == 0, "nothing relevant is known about that, and recall says so")
	return nil
}

// actTime recalls by a time range and by the words of a date.
func (d *demo) actTime() error {
	d.title("Recall by time")
	from, to := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2025, 8, 1, 0, 0, 0, 0, time.UTC)
	cue := engram.Cue{Kinds: []string{"decision"}, From: from, To: to}
	answer, err := d.ask("decisions of July, newest first", cue, 3)
	if err != nil {
		return err
	}
	expected := 0
	for _, x := range d.drafts {
		if x.Kind == "decision" && !x.OccurredAt.Before(from) && x.OccurredAt.Before(to) {
			expected++
		}
	}
	newest := func(x, y engram.Hit) int { return y.OccurredAt.Compare(x.OccurredAt) }
	newestFirst := slices.IsSortedFunc(answer.Hits, newest)
	d.claim(len(answer.Hits) == expected && newestFirst, "exactly the %d decisions of that month, in order", expected)
	question := "What happened on 14 June?"
	answer, err = d.ask(question, engram.Cue{Text: question, Limit: 5}, 2)
	if err != nil {
		return err
	}
	named := slices.ContainsFunc(answer.Hits, func(h engram.Hit) bool { return strings.Contains(h.Content, "14 June") })
	d.claim(len(answer.Hits) > 0 && answer.Hits[0].OccurredAt.Format("2 January") == "14 June" && !named,
		"a date in the question finds what happened then; no content found names that day")
	return nil
}

// actAssociation finds a hit by its neighbour, and adds its terms up.
func (d *demo) actAssociation() error {
	d.title("Recall by association, explained")
	question := "loud humming pier room"
	answer, err := d.ask(question, engram.Cue{Text: question, Limit: 5, Explain: true}, 0)
	if err != nil {
		return err
	}
	var first, neighbour *engram.Hit
	for i := range answer.Hits {
		hit := &answer.Hits[i]
		switch {
		case first == nil && termOf(*hit, "words") > 0:
			first = hit
		case neighbour == nil && first != nil && hit.Session == first.Session &&
			termOf(*hit, "words") == 0 && termOf(*hit, "association") > 0:
			neighbour = hit
		}
	}
	for _, hit := range []*engram.Hit{first, neighbour} {
		if hit == nil {
			continue
		}
		d.printf("  %.3f  %s: %s\n", hit.Score, hit.Speaker, clip(hit.Content))
		for _, term := range hit.Why {
			d.printf("           %-11s %.4f  from %s\n", term.Name, term.Value, partsLine(term.Detail))
		}
	}
	d.claim(neighbour != nil, "the answer shares no word with the question; its neighbour in the conversation does")
	d.claim(allTermsAddUp(answer), "the terms of every hit add up to its score, and their parts to the terms")
	return nil
}

// actCorrect replaces one fact by another, updates one in place, and reads both pasts.
func (d *demo) actCorrect() error {
	d.title("Correct")
	old, err := d.find("opening night will be")
	if err != nil {
		return err
	}
	change := time.Date(2025, 9, 7, 9, 0, 0, 0, old.OccurredAt.Location())
	outcome, err := d.space.Remember(d.ctx, engram.Draft{
		ID: "kh-new-date", Content: "The opening night will be Saturday, 4 October.", Kind: old.Kind, Tags: old.Tags,
		Speaker: old.Speaker, Session: "new-date", OccurredAt: change, Supersedes: []string{old.ID},
	})
	if err != nil {
		return err
	}
	question := "When is the opening night?"
	now, err := d.ask(question, engram.Cue{Text: question, Limit: 3}, 1)
	if err != nil {
		return err
	}
	before, err := d.ask(question+" (as it was true on 1 August)",
		engram.Cue{Text: question, Limit: 3, ValidAt: time.Date(2025, 8, 1, 0, 0, 0, 0, time.UTC)}, 1)
	if err != nil {
		return err
	}
	d.claim(outcome.Result == engram.Superseded && topID(now) == outcome.ID && topID(before) == old.ID,
		"the new date replaced the old one, which is still what was true in August")
	look, err := d.find("takes 55 seconds per person")
	if err != nil {
		return err
	}
	content := strings.Replace(look.Content, "55 seconds", "48 seconds", 1)
	_, err = d.space.Update(d.ctx, look.ID, engram.Change{Content: &content, Reason: "measured with guests"})
	if err != nil {
		return err
	}
	history, err := d.space.History(d.ctx, look.ID)
	for _, v := range history {
		d.printf("  version %d  %s\n", v.Version, clip(v.Content))
	}
	d.claim(len(history) == 2 && history[0].Content == look.Content && history[1].Content == content,
		"an update makes a new version and keeps the old one")
	return err
}

// actForget archives one memory.
func (d *demo) actForget() error {
	d.title("Forget")
	envelope, err := d.find("left an envelope with")
	if err != nil {
		return err
	}
	if _, err := d.space.Forget(d.ctx, engram.ForgetRequest{IDs: []string{envelope.ID}}); err != nil {
		return err
	}
	question := "envelope for the comet"
	answer, err := d.ask(question, engram.Cue{Text: question, Limit: 5}, 0)
	if err != nil {
		return err
	}
	recalled := slices.ContainsFunc(answer.Hits, func(h engram.Hit) bool { return h.ID == envelope.ID })
	kept, err := d.space.Get(d.ctx, envelope.ID)
	d.claim(!recalled && kept.Content == envelope.Content && !kept.ArchivedAt.IsZero(),
		"archived: no longer recalled, still readable, restorable")
	return err
}

// find returns the one memory of the story whose content has the words.
func (d *demo) find(words string) (engram.Memory, error) {
	i := slices.IndexFunc(d.drafts, func(x engram.Draft) bool { return strings.Contains(x.Content, words) })
	if i < 0 {
		return engram.Memory{}, fmt.Errorf("the story has no memory with %q", words)
	}
	return d.space.Get(d.ctx, d.drafts[i].ID)
}
