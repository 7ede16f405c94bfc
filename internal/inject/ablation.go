//go:build faults

package inject

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Mechanism is one that can be switched off, with the tests of the calling binary that fail then.
type Mechanism struct {
	Name  string // as isolate.Off is asked for it
	What  string
	Tests string   // a regular expression of test names
	Env   []string // what else these tests are told
	Hangs bool     // without the mechanism something waits for ever, which the child's time limit ends
}

// limit is how long a child may run; for one that hangs it is how long that takes to be seen.
const limit, hangLimit = "-test.timeout=120s", "-test.timeout=15s"

// Matter runs, for each mechanism, the tests that it is for in a process of their own: they pass as everything is, and
// fail with the mechanism switched off. What nothing misses protects nothing.
func Matter(t *testing.T, mechanisms ...Mechanism) {
	t.Helper()
	if os.Getenv(isolate.EnvOff) != "" {
		t.Skip("a mechanism is switched off: this is a run that must fail")
	}
	var mu sync.Mutex
	controls := map[string]func() string{} // what the tests say as everything is; "" if they pass
	control := func(m Mechanism) string {
		mu.Lock()
		key := m.Tests + " " + strings.Join(m.Env, " ")
		if controls[key] == nil {
			controls[key] = sync.OnceValue(func() string {
				out, err := child(m, limit)
				if err == nil && !strings.Contains(out, "no tests to run") {
					return ""
				}
				return out
			})
		}
		run := controls[key]
		mu.Unlock()
		return run()
	}
	for _, m := range mechanisms {
		t.Run(strings.ReplaceAll(m.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			if out := control(m); out != "" {
				t.Fatalf("%s does not pass as everything is:\n%s", m.Tests, out)
			}
			most := limit
			if m.Hangs {
				most = hangLimit
			}
			out, err := child(m, most, isolate.EnvOff+"="+m.Name)
			switch {
			case err == nil:
				t.Errorf("without %s %s passes all the same:\n%s", m.What, m.Tests, out)
			case !m.Hangs && strings.Contains(out, "test timed out"):
				t.Errorf("without %s %s hangs rather than fails:\n%s", m.What, m.Tests, out)
			}
		})
	}
}

func child(m Mechanism, most string, env ...string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^("+m.Tests+")$", most)
	cmd.Env = append(append(os.Environ(), m.Env...), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
