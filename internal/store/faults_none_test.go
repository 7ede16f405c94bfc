//go:build !faults

package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var pointName = regexp.MustCompile(`isolate\.(?:Point|Fault)\("([^"]+)"\)`)

// TestNothingIsLeftOfPoints looks for the names of all fault points of the rooms that this test's binary is made of in
// that binary: a build without the tag faults holds none, so no call is left that would be given one.
func TestNothingIsLeftOfPoints(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Skipf("the running binary is not known: %v", err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the running binary cannot be read: %v", err)
	}
	names := 0
	for _, room := range []string{"store", "wal", "segment", "lexical", "graph", "isolate"} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("room %s: %v, %v", room, files, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range pointName.FindAllSubmatch(source, -1) {
				names++
				if holds(binary, found[1]) {
					t.Errorf("the binary holds %s, of %s", found[1], file)
				}
			}
		}
	}
	if names < 40 {
		t.Errorf("only %d points were found: does the pattern still fit?", names)
	}
}

// holds reports whether binary holds name other than in the path of a source file.
func holds(binary, name []byte) bool {
	for {
		i := bytes.Index(binary, name)
		if i < 0 {
			return false
		}
		if !bytes.HasSuffix(binary[:i], []byte("internal/")) {
			return true
		}
		binary = binary[i+len(name):]
	}
}
