package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

const (
	envCrashRounds = "ENGRAM_CRASH_ROUNDS" // how many times to kill
	envCrashSeed   = "ENGRAM_CRASH_SEED"   // repeats the kill points and the writes of a run

	crashRounds   = 5                // by default, so that the suite stays quick
	crashClients  = 16               // writing at once
	crashFresh    = 20               // rounds after which a new directory begins, so that checking stays quick
	crashAcks     = 600              // the kill comes after up to so many acknowledged requests
	crashPatience = 20 * time.Second // after which a server that acknowledges too little is killed all the same
)

// TestKill9 writes through HTTP with 16 clients, kills the server with SIGKILL at a random point, reopens the
// directory and compares it with what was acknowledged: every acknowledged write is there as it was written,
// every unacknowledged one is there whole or not at all. scripts/crash.sh runs 200 rounds, scripts/long.sh 1,000.
func TestKill9(t *testing.T) {
	rounds := envNumber(t, envCrashRounds, crashRounds)
	seed := envNumber(t, envCrashSeed, rand.Uint64())
	t.Logf("%s=%d %s=%d", envCrashRounds, rounds, envCrashSeed, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var l *ledger
	total := tally{}
	for round := range rounds {
		if round%crashFresh == 0 {
			l = newLedger(t)
		}
		acks := l.writeAndKill(round, rng)
		counted := l.check(rng)
		total.add(counted)
		t.Logf("round %d: killed after %d acknowledged requests; %s", round, acks, counted)
		if t.Failed() {
			t.Fatalf("repeat with %s=%d %s=%d", envCrashSeed, seed, envCrashRounds, round+1)
		}
	}
	t.Logf("%d rounds, nothing acknowledged was lost: %s", rounds, total)
	if total.acknowledged == 0 || (rounds >= crashFresh && total.unanswered == 0) {
		t.Errorf("the test killed nobody in the middle of a write: %s", total)
	}
}

// envNumber reads a number from the environment.
func envNumber(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: want a number", name, text)
	}
	return n
}

// state is what a memory should be: absent, or a content at a version.
type state struct {
	content string
	version int // 0 is absent
}

// entry is what is known about one memory.
type entry struct {
	id    string
	acked state // by the last acknowledged write, or as found after the last reopening
	// next is what an unanswered write would have made of it; nil if there is none.
	next  *state
	batch string // of the unanswered batch that next belongs to; "" if to none
}

// tally counts what the checks compared.
type tally struct{ acknowledged, unanswered, survived, absent int }

func (c *tally) add(other tally) {
	c.acknowledged += other.acknowledged
	c.unanswered += other.unanswered
	c.survived += other.survived
	c.absent += other.absent
}

func (c tally) String() string {
	return fmt.Sprintf("%d states compared (%d of them absent); %d unanswered, %d of those survived",
		c.acknowledged, c.absent, c.unanswered, c.survived)
}

// ledger is the truth about one directory, kept outside it.
type ledger struct {
	t       *testing.T
	failf   func(format string, args ...any) // told of every difference
	dir     string
	cut     func()      // the power, before the server is killed; nil leaves it on
	off     atomic.Bool // the power is off: the server may answer that it cannot write
	mu      sync.Mutex  // guards entries; an entry belongs to its client until the round is over
	entries map[string]*entry
}

func newLedger(t *testing.T) *ledger {
	return &ledger{
		t: t, failf: t.Errorf, dir: filepath.Join(t.TempDir(), "data"), entries: map[string]*entry{},
	}
}

// writeAndKill starts a server, lets the clients write, kills it, and returns how many requests were acknowledged.
func (l *ledger) writeAndKill(round uint64, rng *rand.Rand) int64 {
	l.t.Helper()
	cmd, base := startProcess(l.t, l.dir)
	var acks atomic.Int64
	var group sync.WaitGroup
	reached := make(chan struct{}, 1)
	killAt := 1 + rng.Int64N(crashAcks)
	for i := range crashClients {
		c := &crashClient{
			ledger: l, base: base, name: fmt.Sprintf("r%d-c%d", round, i),
			rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(i))), http: &http.Client{Transport: &http.Transport{}},
		}
		group.Go(func() {
			defer c.http.CloseIdleConnections()
			for c.step() {
				if acks.Add(1) == killAt {
					reached <- struct{}{}
				}
			}
		})
	}
	select {
	case <-reached:
		time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Millisecond)))) // Not always at the end of a request.
	case <-time.After(crashPatience):
	}
	if l.cut != nil {
		l.off.Store(true)
		l.cut()
	}
	if err := cmd.Process.Kill(); err != nil {
		l.t.Fatalf("kill: %v", err)
	}
	_ = cmd.Wait() // It was killed: the error says so.
	group.Wait()
	l.off.Store(false)
	return acks.Load()
}

// startProcess serves dir in a process of its own and returns it with its address.
func startProcess(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "serve", "--addr", "127.0.0.1:0", "--json", "--data", dir)
	cmd.Env = append(os.Environ(), envTestMain+"=1")
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start server: %v", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("server said nothing: %v; stderr:\n%s", err, stderr.String())
	}
	return cmd, decode[serving](t, line).Address
}

// check reopens the directory in this process and compares it with the ledger, which afterwards holds what was found.
func (l *ledger) check(rng *rand.Rand) tally {
	l.t.Helper()
	db, err := engram.Open(l.dir)
	if err != nil {
		l.t.Fatalf("Open after kill = %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			l.t.Errorf("Close = %v", err)
		}
	}()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		l.t.Fatal(err)
	}
	found := l.readAll(space)
	var counted tally
	batches := map[string]map[bool]int{} // by batch: how many of it survived and did not
	for _, e := range l.entries {
		l.settle(e, found[e.id], &counted, batches)
		delete(found, e.id)
	}
	for batch, survived := range batches {
		if len(survived) > 1 {
			l.failf("batch %s survived in part: %d of %d", batch, survived[true], survived[true]+survived[false])
		}
	}
	for id := range found {
		l.failf("memory %q exists and was never written", id)
	}
	report, err := space.Verify(l.t.Context())
	if err != nil || len(report.Problems) > 0 {
		l.failf("Verify = %+v, %v", report, err)
	}
	l.sampleRecall(space, rng)
	return counted
}

// readAll lists the space, and reads each memory by its id too.
func (l *ledger) readAll(space *engram.Space) map[string]state {
	l.t.Helper()
	found := map[string]state{}
	for m, err := range space.All(l.t.Context()) {
		if err != nil {
			l.t.Fatalf("All = %v", err)
		}
		got, err := space.Get(l.t.Context(), m.ID)
		if err != nil || got.Content != m.Content || got.Version != m.Version {
			l.failf("Get(%q) = version %d, %v; All gave version %d", m.ID, got.Version, err, m.Version)
		}
		found[m.ID] = state{content: m.Content, version: m.Version}
	}
	return found
}

// settle compares one memory with what it may be.
func (l *ledger) settle(e *entry, got state, counted *tally, batches map[string]map[bool]int) {
	counted.acknowledged++
	if e.acked.version == 0 {
		counted.absent++
	}
	survived := e.next != nil && got == *e.next
	if !survived && got != e.acked {
		l.failf("memory %q is %.60q version %d; acknowledged was %.60q version %d, unanswered %+v",
			e.id, got.content, got.version, e.acked.content, e.acked.version, e.next)
	}
	if e.next != nil {
		counted.unanswered++
	}
	if survived {
		counted.survived++
	}
	if e.next != nil && e.batch != "" {
		if batches[e.batch] == nil {
			batches[e.batch] = map[bool]int{}
		}
		batches[e.batch][survived]++
	}
	e.acked, e.next, e.batch = got, nil, ""
}

// sampleRecall asks for some memories by the word that only they have: the index must have come back too.
func (l *ledger) sampleRecall(space *engram.Space, rng *rand.Rand) {
	asked := 0
	for id, e := range l.entries {
		if asked++; asked > 20 {
			return
		}
		answer, err := space.Recall(l.t.Context(), engram.Cue{Text: uniqueWord(id), Limit: 1 + rng.IntN(3)})
		if err != nil {
			l.t.Fatalf("Recall = %v", err)
		}
		top := topID(answer)
		if (e.acked.version > 0 && top != id) || (e.acked.version == 0 && top == id) {
			l.failf("Recall(%q) = %q first; memory is at version %d", uniqueWord(id), top, e.acked.version)
		}
	}
}

// crashClient writes, one request after the other, and keeps the ledger of its own memories.
type crashClient struct {
	*ledger
	base string
	name string
	rng  *rand.Rand
	http *http.Client
	live []*entry
	made int
}

// step sends one request and reports whether it was acknowledged.
func (c *crashClient) step() bool {
	switch dice := c.rng.IntN(100); {
	case dice < 15 && len(c.live) > 0:
		return c.update(c.live[c.rng.IntN(len(c.live))])
	case dice < 25 && len(c.live) > 0:
		return c.erase(c.rng.IntN(len(c.live)))
	case dice < 40:
		return c.create(2 + c.rng.IntN(7))
	}
	return c.create(1)
}

// create remembers one memory, or several in one atomic batch.
func (c *crashClient) create(count int) bool {
	drafts := make([]engram.Draft, count)
	made := make([]*entry, count)
	for i := range drafts {
		c.made++
		id := fmt.Sprintf("%s-%d", c.name, c.made)
		e := &entry{id: id, next: &state{content: c.content(id, 1), version: 1}}
		if count > 1 {
			e.batch = fmt.Sprintf("%s-batch-%d", c.name, c.made-i)
		}
		drafts[i] = engram.Draft{ID: id, Content: e.next.content, Session: c.name, Tags: []string{"crash"}}
		made[i] = e
	}
	c.mu.Lock()
	for _, e := range made {
		c.entries[e.id] = e
	}
	c.mu.Unlock()
	path, body := "/memories", any(drafts[0])
	if count > 1 {
		path, body = "/memories:batch", map[string]any{"memories": drafts}
	}
	if !c.send(http.MethodPost, path, body) {
		return false
	}
	for _, e := range made {
		c.acknowledge(e)
	}
	c.live = append(c.live, made...)
	return true
}

// update makes a new version.
func (c *crashClient) update(e *entry) bool {
	next := state{version: e.acked.version + 1}
	next.content = c.content(e.id, next.version)
	e.next = &next
	if !c.send(http.MethodPatch, "/memories/"+e.id, engram.Change{Content: &next.content}) {
		return false
	}
	c.acknowledge(e)
	return true
}

// erase removes a memory for good.
func (c *crashClient) erase(i int) bool {
	e := c.live[i]
	e.next = &state{}
	if !c.send(http.MethodDelete, "/memories/"+e.id+"?mode=erase", nil) {
		return false
	}
	c.acknowledge(e)
	c.live = append(c.live[:i], c.live[i+1:]...)
	return true
}

// acknowledge notes that the server answered.
func (c *crashClient) acknowledge(e *entry) {
	e.acked, e.next, e.batch = *e.next, nil, ""
}

// uniqueWord is a word that only the content of this id has.
func uniqueWord(id string) string { return "zq" + strings.ReplaceAll(id, "-", "x") + "qz" }

// content writes a text of random length, of one line to some kilobytes.
func (c *crashClient) content(id string, version int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s version%d", uniqueWord(id), version)
	for range c.rng.IntN(1 << c.rng.IntN(9)) {
		fmt.Fprintf(&text, " w%d", c.rng.IntN(5000))
	}
	return text.String()
}

// send sends a request; false means that no answer came, which must mean that the server is dead.
func (c *crashClient) send(method, path string, body any) bool {
	var payload string
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Errorf("Marshal = %v", err)
			return false
		}
		payload = string(data)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*crashPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/v1/spaces/default"+path, strings.NewReader(payload))
	if err != nil {
		c.t.Errorf("NewRequest = %v", err)
		return false
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaJSON)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false
	}
	var problem json.RawMessage
	err = json.NewDecoder(resp.Body).Decode(&problem)
	_ = resp.Body.Close() // The body has been read or the server is dead.
	if resp.StatusCode/100 != 2 && c.off.Load() {
		return false
	}
	if resp.StatusCode/100 != 2 {
		c.t.Errorf("%s %s = %s: %s", method, path, resp.Status, problem)
		return false
	}
	return err == nil
}

// TestLedgerNoticesDifferences checks the check: what a broken engine would leave must not pass.
func TestLedgerNoticesDifferences(t *testing.T) {
	one := func(content string) state { return state{content: uniqueWord("a") + content, version: 1} }
	for name, entries := range map[string][]*entry{
		"lost":              {{id: "a", acked: one("")}, {id: "b", acked: one("")}},
		"changed":           {{id: "a", acked: one(" other")}},
		"come back":         {{id: "a"}},
		"never written":     {},
		"half an update":    {{id: "a", acked: one(" old"), next: &state{content: "new", version: 2}}},
		"half a batch":      {{id: "a", next: new(one("")), batch: "x"}, {id: "b", next: new(one("")), batch: "x"}},
		"wrong version":     {{id: "a", acked: state{content: one("").content, version: 2}}},
		"nothing, as it is": {{id: "a", acked: one("")}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			differences := 0
			l.failf = func(string, ...any) { differences++ }
			for _, e := range entries {
				l.entries[e.id] = e
			}
			c := &cli{t: t, dir: l.dir}
			c.ok("remember", "--id", "a", one("").content)
			l.check(rand.New(rand.NewPCG(1, 1)))
			if (differences == 0) != (name == "nothing, as it is") {
				t.Errorf("check found %d differences", differences)
			}
		})
	}
}
