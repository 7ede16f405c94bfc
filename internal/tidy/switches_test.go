package tidy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	switchAsked = regexp.MustCompile(`\bOff\("([^"]+)"\)`)
	switchTried = regexp.MustCompile(`(?:inject\.Mechanism\{\s*Name: |matrix\()"([^"]+)"`)
)

// TestEverySwitchIsTried: every mechanism that the source can switch off is switched off by a test of its room,
// TestEveryMechanismMatters, and none that is not there.
func TestEverySwitchIsTried(t *testing.T) {
	root := filepath.Join("..", "..")
	asked, tried := map[string]string{}, map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list, names := switchAsked, asked
		if strings.HasSuffix(path, "_test.go") {
			list, names = switchTried, tried
		}
		for _, m := range list.FindAllSubmatch(b, -1) {
			names[string(m[1])] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) < 20 {
		t.Errorf("only %d switches were found", len(asked))
	}
	for name, path := range asked {
		if tried[name] == "" {
			t.Errorf("%s: no test switches %q off: list it in the room's TestEveryMechanismMatters", path, name)
		}
	}
	for name, path := range tried {
		if asked[name] == "" {
			t.Errorf("%s: there is no mechanism %q to switch off", path, name)
		}
	}
}
