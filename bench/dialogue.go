package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/orchard9/engram-go"
)

const (
	conversations = 10
	sessionTurns  = 20
	answerLimit   = 10
)

// turn is one thing said; conversation says in which of the conversations.
type turn struct {
	conversation int
	draft        engram.Draft
}

// question asks for a turn by some of its words.
type question struct {
	conversation int
	text         string
	gold         string // the turn's id
}

// dialogues generates turns, grouped by conversation and session, and questions about them.
func dialogues(seed uint64, turns, questions int) ([]turn, []question) {
	words, random := newCorpus(seed), rand.New(rand.NewPCG(seed, 3))
	start := time.Date(2023, 1, 9, 13, 30, 0, 0, time.UTC)
	all := make([]turn, turns)
	about := make([][]string, turns)
	perConversation := (turns + conversations - 1) / conversations
	for i := range all {
		c, place := i/perConversation, i%perConversation
		day := place / sessionTurns
		speaker := []string{"Ada", "Bruno"}[i%2]
		var text string
		text, about[i] = words.turn(random)
		all[i] = turn{c, engram.Draft{
			ID: fmt.Sprintf("c%02d:d%03d:%02d", c, day, place%sessionTurns), Content: text, Kind: "turn",
			Speaker: speaker, Session: fmt.Sprintf("c%02d:d%03d", c, day),
			OccurredAt: start.AddDate(0, 0, 7*day+c).Add(time.Duration(place%sessionTurns) * time.Minute),
		}}
	}
	asked := make([]question, questions)
	for i := range asked {
		t := random.IntN(turns)
		text := "What did " + all[t].draft.Speaker + " say about"
		for range 2 + random.IntN(3) {
			text += " " + about[t][random.IntN(len(about[t]))]
		}
		asked[i] = question{all[t].conversation, text + "?", all[t].draft.ID}
	}
	return all, asked
}

// turn is a text of 8 to 35 words, and those of its words that say what it is about.
func (c *corpus) turn(random *rand.Rand) (text string, about []string) {
	n, at := 8+random.IntN(28), random.IntN(len(c.ranks)-64)
	var said []string
	for i := 0; i < n || len(about) == 0; i++ {
		rank := c.ranks[(at+i)%len(c.ranks)]
		said = append(said, c.words[rank])
		if rank >= c.function {
			about = append(about, c.words[rank])
		}
	}
	return strings.Join(said, " ") + ".", about
}

// rememberer is one way to hold dialogues and to answer questions about them.
type rememberer interface {
	remember(ctx context.Context, t turn) error
	// ask gives the ids of at most answerLimit turns.
	ask(ctx context.Context, q question) ([]string, error)
	close() error
}

type dialogueContender struct {
	name string
	how  string
	open func(dir string) (rememberer, error)
}

func dialogueContenders() []dialogueContender {
	return []dialogueContender{
		{
			"Engram, one space", "all conversations in one space, default options, default links between neighbours; " +
				"a Remember each, Recall with Limit 10",
			func(dir string) (rememberer, error) { return openTalk(dir, false) },
		},
		{
			"Engram, a space each", "the same with a space for each conversation",
			func(dir string) (rememberer, error) { return openTalk(dir, true) },
		},
		{
			"SQLite FTS5",
			"one table of all conversations, porter unicode61, a transaction each with WAL and FULL; the " +
				"question's words but for function words, joined by OR, ORDER BY bm25, LIMIT 10",
			openFTS,
		},
	}
}

func dialogue(s *session) error {
	turns, questions := dialogues(s.seed, s.size(6000, 400), s.size(2000, 100))
	contenders := dialogueContenders()
	rounds := s.turns(3)
	settings(s,
		fmt.Sprintf("%s turns of 8 to 35 words in %d conversations with two speakers and dated sessions of %d turns, "+
			"%s", thousands(float64(len(turns))), conversations, sessionTurns, corpusText),
		fmt.Sprintf("%s questions: \"What did X say about\" and two to four content words of one turn",
			thousands(float64(len(questions)))),
		"one caller; every turn acknowledged durable before the next; every question answered with contents",
		"hit@10: the turn that the question was made from is among the ten answers. Generated questions are easy: "+
			"this shows that the latency is that of right answers, not how good recall is",
		fmt.Sprintf("%d rounds into new stores; medians", rounds))
	for _, c := range contenders {
		settings(s, c.name+": "+c.how)
	}
	results := make([][]talked, len(contenders))
	err := rotate(s, rounds, len(contenders), func(round, i int) error {
		dir, err := s.folder(fmt.Sprintf("%d-%d", round, i))
		if err != nil {
			return err
		}
		r, err := talk(s.ctx, contenders[i], dir, turns, questions)
		if err != nil {
			return fmt.Errorf("%s: %w", contenders[i].name, err)
		}
		results[i] = append(results[i], r)
		return nil
	})
	if err != nil {
		return err
	}
	printDialogue(s, contenders, results)
	return nil
}

func printDialogue(s *session, contenders []dialogueContender, results [][]talked) {
	t := newTable("held by", "turns a second", "questions a second", "p50", "p99", "longest", "hit@10")
	for i, c := range contenders {
		show := func(figure func(talked) float64) string { return short(time.Duration(pick(results[i], figure))) }
		t.row(c.name, thousands(pick(results[i], func(r talked) float64 { return r.ingest })),
			thousands(pick(results[i], func(r talked) float64 { return r.asked })),
			show(func(r talked) float64 { return r.p50 }), show(func(r talked) float64 { return r.p99 }),
			show(func(r talked) float64 { return r.longest }),
			fmt.Sprintf("%.3f", pick(results[i], func(r talked) float64 { return r.hit })))
	}
	t.print(s.out)
}

// talked is what one round gave: calls a second, nanoseconds, share of questions.
type talked struct{ ingest, asked, p50, p99, longest, hit float64 }

// talk tells everything and then asks everything.
func talk(
	ctx context.Context, c dialogueContender, dir string, turns []turn, questions []question,
) (r talked, err error) {
	store, err := c.open(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	start := time.Now()
	for _, t := range turns {
		if err := store.remember(ctx, t); err != nil {
			return r, fmt.Errorf("remember %s: %w", t.draft.ID, err)
		}
	}
	r.ingest = float64(len(turns)) / time.Since(start).Seconds()
	settle()
	waits := make([]time.Duration, 0, len(questions))
	start = time.Now()
	for _, q := range questions {
		before := time.Now()
		ids, err := store.ask(ctx, q)
		if err != nil {
			return r, fmt.Errorf("ask %q: %w", q.text, err)
		}
		waits = append(waits, time.Since(before))
		for _, id := range ids {
			if id == q.gold {
				r.hit += 1 / float64(len(questions))
				break
			}
		}
	}
	r.asked = float64(len(questions)) / time.Since(start).Seconds()
	r.p50, r.p99, r.longest = float64(quantile(waits, .5)), float64(quantile(waits, .99)), float64(quantile(waits, 1))
	return r, nil
}

// engramTalk holds dialogues in one space, or in one for each conversation.
type engramTalk struct {
	db     *engram.DB
	spaces []*engram.Space // by conversation
}

func openTalk(dir string, spaceEach bool) (rememberer, error) {
	db, err := engram.Open(dir)
	if err != nil {
		return nil, err
	}
	t := &engramTalk{db: db}
	for c := range conversations {
		name := engram.DefaultSpace
		if spaceEach {
			name = fmt.Sprintf("conversation-%02d", c)
		}
		space, err := db.Space(name)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		t.spaces = append(t.spaces, space)
	}
	return t, nil
}

func (e *engramTalk) remember(ctx context.Context, t turn) error {
	outcome, err := e.spaces[t.conversation].Remember(ctx, t.draft)
	if err == nil && outcome.Result != engram.Created {
		return fmt.Errorf("turn was %s, not created", outcome.Result)
	}
	return err
}

func (e *engramTalk) ask(ctx context.Context, q question) ([]string, error) {
	answer, err := e.spaces[q.conversation].Recall(ctx, engram.Cue{Text: q.text, Limit: answerLimit})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, answerLimit)
	for i := range answer.Hits {
		ids = append(ids, answer.Hits[i].ID)
	}
	return ids, nil
}

func (e *engramTalk) close() error { return e.db.Close() }

// ftsTalk holds dialogues in SQLite's full-text index.
type ftsTalk struct {
	db     *sql.DB
	insert *sql.Stmt
	match  *sql.Stmt
	stop   map[string]bool // words that questions go without: it has no stop list of its own
}

func openFTS(dir string) (rememberer, error) {
	db, err := openSQL(filepath.Join(dir, "dialogue.db"))
	if err != nil {
		return nil, err
	}
	f := &ftsTalk{db: db, stop: map[string]bool{}}
	for _, w := range strings.Fields(functionWords) {
		f.stop[w] = true
	}
	_, err = db.Exec("CREATE VIRTUAL TABLE turns " +
		"USING fts5(id UNINDEXED, speaker, content, tokenize='porter unicode61')")
	if err == nil {
		f.insert, err = db.Prepare("INSERT INTO turns (id, speaker, content) VALUES (?, ?, ?)")
	}
	if err == nil {
		f.match, err = db.Prepare("SELECT id, content FROM turns WHERE turns MATCH ? ORDER BY bm25(turns) LIMIT ?")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

func (f *ftsTalk) remember(ctx context.Context, t turn) error {
	_, err := f.insert.ExecContext(ctx, t.draft.ID, t.draft.Speaker, t.draft.Content)
	return err
}

func (f *ftsTalk) ask(ctx context.Context, q question) (ids []string, err error) {
	var words []string
	for _, w := range strings.Fields(strings.TrimSuffix(q.text, "?")) {
		if !f.stop[strings.ToLower(w)] {
			words = append(words, `"`+w+`"`)
		}
	}
	rows, err := f.match.QueryContext(ctx, strings.Join(words, " OR "), answerLimit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id, content string
		if err := rows.Scan(&id, &content); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (f *ftsTalk) close() error { return errors.Join(f.insert.Close(), f.match.Close(), f.db.Close()) }
