package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/leak"
)

// envTestMain makes this test binary run as the engram binary, for tests that need a process of its own.
const envTestMain = "ENGRAM_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(envTestMain) != "" {
		os.Exit(mainExit())
	}
	if how := os.Getenv(envTestDie); how != "" {
		dieOf(how, os.Getenv(envDataDir))
		os.Exit(0)
	}
	os.Exit(leak.Main(m))
}

// cli runs command lines in this process against one data directory.
type cli struct {
	t       *testing.T
	dir     string
	served  bool              // a server holds the directory
	env     map[string]string // beside the data directory
	watched bool              // standard error is a terminal
	said    *lockedBuffer     // the standard error of the server that was started last
}

// result is what a command line gave.
type result struct {
	code     int
	out, err string
}

// run runs a command line with stdin.
func (c *cli) run(stdin string, args ...string) result {
	c.t.Helper()
	return c.runContext(c.t.Context(), stdin, args...)
}

func (c *cli) runContext(ctx context.Context, stdin string, args ...string) result {
	c.t.Helper()
	var out, errs bytes.Buffer
	code := run(ctx, args, c.process(strings.NewReader(stdin), &out, &errs))
	return result{code: code, out: out.String(), err: errs.String()}
}

func (c *cli) process(stdin io.Reader, stdout, stderr io.Writer) process {
	return process{
		stdin: stdin, stdout: stdout, stderr: stderr, zone: time.UTC, program: "engram",
		getenv: func(name string) string {
			if name == envDataDir {
				return c.dir
			}
			return c.env[name]
		},
		terminal: func(stream any) bool { return c.watched && stream == any(stderr) },
	}
}

// ok runs a command line that must succeed and returns its standard output.
func (c *cli) ok(args ...string) string {
	c.t.Helper()
	return c.okIn("", args...)
}

// okIn is ok with standard input.
func (c *cli) okIn(stdin string, args ...string) string {
	c.t.Helper()
	r := c.run(stdin, args...)
	if r.code != 0 {
		c.t.Fatalf("engram %q = exit %d, want 0; stderr:\n%s", args, r.code, r.err)
	}
	return r.out
}

// fails runs a command line that must end with code and returns its standard error.
func (c *cli) fails(code int, args ...string) string {
	c.t.Helper()
	r := c.run("", args...)
	if r.code != code {
		c.t.Fatalf("engram %q = exit %d, want %d; stdout:\n%s\nstderr:\n%s", args, r.code, code, r.out, r.err)
	}
	return r.err
}

// decoded runs a command line with --json that must succeed and decodes its answer.
func decoded[T any](c *cli, args ...string) T {
	c.t.Helper()
	return decode[T](c.t, c.ok(append(args, "--json")...))
}

// decode decodes one JSON document.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("Unmarshal(%q) = %v", text, err)
	}
	return v
}

// eachMode runs the test directly on a directory, and through a server that holds one.
func eachMode(t *testing.T, test func(t *testing.T, c *cli)) {
	t.Run("directly", func(t *testing.T) {
		test(t, &cli{t: t, dir: filepath.Join(t.TempDir(), "data")})
	})
	t.Run("through a server", func(t *testing.T) {
		c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
		startServer(c)
		test(t, c)
	})
}

// startServer serves the directory on a free port until the test ends, and returns the server's address.
func startServer(c *cli, args ...string) string {
	c.t.Helper()
	address, stop := serveUntil(c, args...)
	c.t.Cleanup(stop)
	return address
}

// serveUntil is startServer until stop is called.
func serveUntil(c *cli, args ...string) (address string, stop func()) {
	c.t.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(c.t.Context()))
	stdout, told := io.Pipe()
	stderr := new(lockedBuffer)
	c.said = stderr
	var group sync.WaitGroup
	code := -1
	group.Go(func() {
		line := append([]string{"serve", "--addr", "127.0.0.1:0", "--json"}, args...)
		code = run(ctx, line, c.process(strings.NewReader(""), told, stderr))
		told.Close()
	})
	stop = func() {
		end()
		group.Wait()
		if code != 0 {
			c.t.Errorf("engram serve = exit %d, want 0; stderr:\n%s", code, stderr.String())
		}
	}
	var at serving
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		stop()
		c.t.Fatalf("engram serve said nothing: %v; stderr:\n%s", err, stderr.String())
	}
	return at.Address, stop
}

// lockedBuffer is a buffer that several goroutines may use.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// wantIn reports a text that lacks one of the parts.
func wantIn(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}
