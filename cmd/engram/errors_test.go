package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server"
	"github.com/orchard9/engram-go/server/problem"
)

// full is a standard output without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestFullOutputIsToldOnce: a command whose answer cannot be written fails, and says why in one line, once.
func TestFullOutputIsToldOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", strings.Repeat("foxes and hens ", 4000))
		c.ok("remember", "--id", "b", strings.Repeat("hens and foxes ", 4000))
		for _, args := range [][]string{
			{"export"},
			{"recall", "foxes"},
			{"recall", "--json"},
			{"backup", "-"},
			{"stats"},
			{"verify"},
			{"reembed", "--missing"},
		} {
			var errs bytes.Buffer
			code := run(t.Context(), args, c.process(strings.NewReader(""), full{}, &errs))
			told := errs.String()
			if code != 1 || strings.Count(told, "no space left") != 1 || strings.Count(told, "\n") > 2 ||
				strings.Contains(told, "memory \"") {
				t.Errorf("%q into a full disk: exit code %d, %q", args, code, told)
			}
		}
	})
}

func TestUsageErrors(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	for _, args := range [][]string{
		{"recal", "x"},
		{"--unknown"},
		{"remember", "--unknown", "x"},
		{"export", "surplus"},
		{"stats", "surplus"},
		{"get"},
		{"link", "a"},
		{"unarchive", "a", "b"},
		{"import"},
		{"help", "nothing"},
		{"remember", "--occurred-at", "yesterday", "x"},
		{"remember", "--occurred-at", "0001-01-01T00:00:00Z", "x"},
		{"remember", "--confidence", "much", "x"},
		{"remember", "--embedding", "[1,", "x"},
		{"remember", "--embedding", "@" + filepath.Join(c.dir, "nowhere"), "x"},
		{"remember", "--meta", "novalue", "x"},
		{"remember", "--meta", "k=1", "--meta", "k=2", "x"},
		{"remember", "--link", "a,weight=heavy", "x"},
		{"recall", "--limit", "many"},
		{"recall", "--limit", "0", "x"},
		{"recall", "--speaker", "", "x"},
		{"recall", "--tag", "", "x"},
		{"recall", "--from", "", "x"},
		{"recall", "--max-time", "0", "x"},
		{"recall", ""},
		{"remember", "--data", "", "x"},
		{"remember", "--space", "", "x"},
		{"remember", "--id", "", "x"},
		{"remember", "--kind", "", "x"},
		{"remember", "--idempotency-key", "", "x"},
		{"remember", "--embedding", "", "x"},
		{"remember", "--embedding", "[1,null,1,1,1,1,1,1]", "x"},
		{"remember", "--wait", "-1s", "x"},
		{"remember", "--pin=perhaps", "x"},
		{"update", "a", "--reason", "", "x"},
		{"update", "a", "--if-version", "0", "x"},
		{"forget", "a", "--mode", ""},
		{"export", "--wait", "soon"},
		{"serve", "--addr", "nonsense"},
	} {
		if text := c.fails(problem.ExitInvalid, args...); !strings.HasPrefix(text, "engram: ") && args[0] != "serve" {
			t.Errorf("engram %q said %q", args, text)
		}
	}
	wantIn(t, "limit", c.fails(problem.ExitInvalid, "recall", "--limit", "many", "x"),
		`--limit is "many": want a whole number`)
	wantIn(t, "wait", c.fails(problem.ExitInvalid, "stats", "--wait", "soon"), `--wait is "soon": want a duration`)
	wantIn(t, "suggestion", c.fails(problem.ExitInvalid, "recal"), "recall")
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) && len(spacesOf(t, c.dir)) > 0 {
		t.Errorf("a refused command line left spaces behind: %v", err)
	}
}

// spacesOf lists the spaces of a directory that hold something.
func spacesOf(t *testing.T, dir string) []string {
	t.Helper()
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for m, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

func TestExitCodeInternal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cli{t: t, dir: filepath.Join(file, "below")}
	c.fails(problem.ExitInternal, "remember", "x")
}

func TestExitCodeNotFound(t *testing.T) {
	missing := &cli{t: t, dir: filepath.Join(t.TempDir(), "nowhere")}
	for _, args := range [][]string{{"recall", "x"}, {"get", "x"}, {"export"}, {"stats"}, {"verify"}, {"forget", "x"}} {
		wantIn(t, "stderr", missing.fails(problem.ExitNotFound, args...), missing.dir, "--data")
	}
	if _, err := os.Stat(missing.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a reading command made the directory: %v", err)
	}
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "x")
		for _, args := range [][]string{{"get", "no"}, {"update", "no", "x"}, {"unarchive", "no"}, {"forget", "no"}} {
			wantIn(t, "stderr", c.fails(problem.ExitNotFound, args...), "no")
		}
	})
}

func TestExitCodeConflict(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "first")
		wantIn(t, "stderr", c.fails(problem.ExitConflict, "remember", "--id", "a", "second"), "update")
	})
}

func TestExitCodeTooLarge(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		if r := c.run(strings.Repeat("x", 100_000), "remember", "-"); r.code != problem.ExitInvalid {
			t.Errorf("remember of 100,000 bytes = %+v, want exit %d", r, problem.ExitInvalid)
		}
	})
}

func TestExitCodeLocked(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	db, err := engram.Open(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	text := c.fails(problem.ExitLocked, "remember", "--wait", "0s", "x")
	wantIn(t, "stderr", text, fmt.Sprintf("process %d", os.Getpid()), c.dir)

	// An address that a killed server left behind is not believed.
	stale := server.Address{Addr: "127.0.0.1:1", PID: os.Getpid() + 1, Started: time.Now()}
	if err := server.WriteAddress(c.dir, stale); err != nil {
		t.Fatal(err)
	}
	c.fails(problem.ExitLocked, "recall", "--wait", "0s", "x")

	// A command waits for one that is about to end.
	released := make(chan error, 1)
	time.AfterFunc(3*retryLock, func() { released <- db.Close() })
	c.ok("remember", "--wait", "1m", "x")
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	startServer(c)
	wantIn(t, "stderr", c.fails(problem.ExitLocked, "serve", "--addr", "127.0.0.1:0"), "served already", "http://")
}

func TestServeWithoutAPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	text := c.fails(problem.ExitInvalid, "serve", "--addr", taken.Addr().String())
	wantIn(t, "stderr", text, taken.Addr().String(), "--addr 127.0.0.1:0")
}

// TestExitCodesOfAServer provokes what a healthy directory does not: a server that says so.
func TestExitCodesOfAServer(t *testing.T) {
	for _, kind := range problem.Kinds() {
		t.Run(kind.Code, func(t *testing.T) {
			c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
			fakeServer(t, c.dir, func(w http.ResponseWriter, _ *http.Request) {
				problem.Write(w, problem.New(kind.Code, "because of the test"))
			})
			for _, args := range [][]string{{"remember", "x"}, {"recall", "x"}, {"export"}, {"import", "-"}} {
				wantIn(t, "stderr", c.fails(kind.Exit, args...), "because of the test")
			}
		})
	}
}

// fakeServer holds dir and answers every request but health with handle.
func fakeServer(t *testing.T, dir string, handle http.HandlerFunc) {
	t.Helper()
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", handle)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	address := server.Address{Addr: strings.TrimPrefix(s.URL, "http://"), PID: os.Getpid(), Started: time.Now()}
	if err := server.WriteAddress(dir, address); err != nil {
		t.Fatal(err)
	}
}

func TestRemoteRefusesWhatItCannotRead(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"not json":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"an odd status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"unknown fields": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"surprise":1}`) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"id":"a"}`+"\n"+`{"id":`)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
			fakeServer(t, c.dir, handle)
			c.fails(problem.ExitInternal, "stats")
			if name != "unknown fields" {
				c.fails(problem.ExitInternal, "export")
			}
		})
	}
}

func TestExitCodeCorrupt(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	for i := range 20 {
		c.ok("remember", "--id", fmt.Sprintf("m%d", i), "about foxes and hens, number", fmt.Sprint(i))
	}
	damage(t, c.dir, "number 7")
	r := c.run("", "verify")
	if r.code != problem.ExitCorrupt {
		t.Fatalf("verify of a damaged directory = %+v, want exit %d", r, problem.ExitCorrupt)
	}
	wantIn(t, "stderr", r.err, c.dir)
}

// damage flips a bit in every stored copy of text.
func damage(t *testing.T, dir, text string) {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if at := strings.Index(string(data), text); at >= 0 {
			found = true
			data[at] ^= 1
			return os.WriteFile(path, data, 0o600)
		}
		return nil
	})
	if err != nil || !found {
		t.Fatalf("damage(%q) = found %v, %v", text, found, err)
	}
}

func TestExitCodeUnavailable(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "x")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r := c.runContext(ctx, `{"content":"y"}`, "import", "-"); r.code != problem.ExitUnavailable {
			t.Errorf("import after an interrupt = %+v, want exit %d", r, problem.ExitUnavailable)
		}
	})
}

func TestHelpOnExitCodes(t *testing.T) {
	out := (&cli{t: t}).ok("help", "exit-codes")
	for _, kind := range problem.Kinds() {
		wantIn(t, "help exit-codes", out, kind.Title)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range problem.Kinds() {
		wantIn(t, "docs/cli.md", string(page), fmt.Sprintf("| %d | ", kind.Exit))
	}
	for _, command := range newApp(process{}).rootCommand().Commands() {
		if !command.Hidden && command.Runnable() {
			wantIn(t, "docs/cli.md", string(page), "engram "+command.Name())
		}
	}
}

func TestDefaultDataDir(t *testing.T) {
	for _, test := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"HOME": "/home/ann"}, "/home/ann/.local/share/engram"},
		{"linux", map[string]string{"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}, "/data/engram"},
		{"linux", map[string]string{"HOME": "/home/ann", "XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/engram"},
		{"darwin", map[string]string{"HOME": "/Users/ann"}, "/Users/ann/Library/Application Support/engram"},
		{"windows", map[string]string{"LocalAppData": "/c/ann"}, "/c/ann/engram"},
	} {
		got, err := defaultDataDir(test.goos, func(name string) string { return test.env[name] })
		if err != nil || filepath.ToSlash(got) != test.want {
			t.Errorf("defaultDataDir(%s, %v) = %q, %v, want %q", test.goos, test.env, got, err, test.want)
		}
	}
	if _, err := defaultDataDir("linux", func(string) string { return "" }); exitCode(err) != problem.ExitInvalid {
		t.Errorf("defaultDataDir without a home = %v", err)
	}
}

// TestUsageIsShown: a command line that was not understood is answered with how the command is used.
func TestUsageIsShown(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	wantIn(t, "link a", c.fails(2, "link", "a"), "Usage: engram link FROM TO [flags]")
	wantIn(t, "recall --limt", c.fails(2, "recall", "--limt", "3"), "unknown flag: --limt", "Usage: engram recall")
}
