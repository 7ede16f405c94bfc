// Package tidy holds the rules of the house as tests: who may import whom, and what must be documented.
package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const module = "github.com/orchard9/engram-go"

// allowed lists, for each package, the packages of this module that its non-test files may import; a line without a
// name goes on with the list before. Arrows point down only; a new edge is a decision, written here.
const allowed = `
internal/isolate:
internal/codec:      internal/isolate
internal/leak:
internal/inject:     internal/isolate internal/vfs
internal/strictjson:
internal/vfs:        internal/isolate
internal/vec:
internal/wal:        internal/codec internal/vfs internal/isolate
internal/segment:    internal/codec internal/vfs internal/isolate internal/vec
internal/backup:     internal/codec
internal/lexical:    internal/isolate
internal/graph:      internal/isolate
internal/ann:        internal/isolate internal/vec internal/vfs internal/segment
internal/dynamics:
internal/recall:     internal/isolate internal/vec internal/lexical internal/graph internal/ann internal/dynamics
internal/dynamics/complete:    internal/vec
internal/dynamics/consolidate: internal/vec
internal/dynamics/fit:         internal/dynamics
internal/lab/actr:
internal/lab/sac:
internal/store:      internal/isolate internal/codec internal/vfs internal/vec internal/wal internal/segment
                     internal/backup internal/lexical internal/graph internal/ann internal/dynamics internal/recall
.:                   internal/isolate internal/codec internal/vfs internal/vec internal/segment internal/backup
                     internal/lexical internal/ann internal/recall internal/dynamics internal/dynamics/complete
                     internal/dynamics/consolidate internal/dynamics/fit internal/store internal/strictjson
internal/eval:       .
internal/lab:        . internal/dynamics internal/dynamics/complete internal/lab/sac internal/recall
query:               .
embed:
server/problem:      .
server/wire:         . internal/strictjson query server/problem
server/httpapi:      . query internal/isolate server/problem server/wire
server/mcpapi:       . internal/isolate server/problem server/wire
server:              . server/httpapi server/mcpapi server/problem server/wire
cmd/engram:          . embed internal/eval internal/lab internal/vfs query server server/httpapi server/mcpapi
                     server/problem server/wire
`

// restricted lists the libraries that only these packages may import.
var restricted = map[string][]string{
	"github.com/modelcontextprotocol/go-sdk": {"server/mcpapi"},
	"github.com/spf13/cobra":                 {"cmd/engram"},
	"net/http": {
		"server", "server/httpapi", "server/mcpapi", "server/problem", "cmd/engram", "embed",
	},
	"unsafe":                        {"internal/vec", "internal/vfs"},
	"github.com/klauspost/compress": {"internal/segment"},
}

func parseAllowed(t *testing.T) map[string][]string {
	t.Helper()
	edges, room := map[string][]string{}, ""
	for line := range strings.Lines(strings.TrimSpace(allowed)) {
		from, to, ok := strings.Cut(line, ":")
		switch {
		case ok:
			room = from
		case strings.HasPrefix(line, " "):
			to = line
		default:
			t.Fatalf("line %q has no colon", line)
		}
		edges[room] = append(edges[room], strings.Fields(to)...)
	}
	return edges
}

// sources calls fn with every non-test Go file of the module, its folder relative to the root.
func sources(t *testing.T, fn func(dir, path string, file *ast.File, files *token.FileSet)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
				return fs.SkipDir // another module: bench, tools
			}
			if name := d.Name(); name == ".git" || name == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		fn(filepath.ToSlash(dir), path, file, files)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArrowsPointDown(t *testing.T) {
	edges := parseAllowed(t)
	seen := map[string]bool{}
	sources(t, func(dir, path string, file *ast.File, _ *token.FileSet) {
		to, known := edges[dir]
		if !known && dir != "internal/tidy" {
			t.Errorf("%s: package %s is not in the list of rooms: decide what it may import", path, dir)
		}
		seen[dir] = true
		for _, spec := range file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			for prefix, only := range restricted {
				if (name == prefix || strings.HasPrefix(name, prefix+"/")) && !slices.Contains(only, dir) {
					t.Errorf("%s imports %s, which only %s may", path, name, strings.Join(only, ", "))
				}
			}
			rest, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			target := strings.TrimPrefix(rest, "/")
			if target == "" {
				target = "."
			}
			if !slices.Contains(to, target) {
				t.Errorf("%s: %s must not import %s", path, dir, target)
			}
		}
	})
	for dir := range edges {
		if !seen[dir] {
			t.Errorf("%s is in the list of rooms and does not exist", dir)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	sources(t, func(dir, _ string, file *ast.File, _ *token.FileSet) {
		documented[dir] = documented[dir] || len(file.Doc.Text()) > 60
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	sources(t, func(_, _ string, file *ast.File, files *token.FileSet) {
		for _, decl := range file.Decls {
			for _, missing := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment", files.Position(missing.Pos()), missing.Name)
			}
		}
	})
}

// undocumented lists the exported names of a declaration that no comment explains.
func undocumented(decl ast.Decl) []*ast.Ident {
	var out []*ast.Ident
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
			out = append(out, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					out = append(out, s.Names[0])
				}
			}
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	name, ok := t.(*ast.Ident)
	return !ok || name.IsExported()
}

// The most columns of a line, a tab being four of them, and the most lines of a file.
const (
	maxColumns = 120
	maxLines   = 500
)

// unreadable lists the lines of a file that are too wide, and the file if it is too long.
func unreadable(path string, source []byte) (found []string) {
	number := 0
	for line := range strings.Lines(string(source)) {
		number++
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")
		if n := utf8.RuneCountInString(line); n > maxColumns {
			found = append(found, fmt.Sprintf("%s:%d is %d columns wide, at most %d are", path, number, n, maxColumns))
		}
	}
	if n := number; n > maxLines {
		found = append(found, fmt.Sprintf("%s has %d lines, at most %d: is it still one subject?", path, n, maxLines))
	}
	return found
}

// TestFilesAndLinesStayReadable holds all Go files, tests and those of other modules included, to a width and a length.
func TestFilesAndLinesStayReadable(t *testing.T) {
	read := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		read++

		source, err := os.ReadFile(path)
		for _, what := range unreadable(path, source) {
			t.Error(what)
		}
		return err
	})
	if err != nil || read < 300 {
		t.Errorf("%d files were read, %v", read, err)
	}
	edge := []byte("\t" + strings.Repeat("é", maxColumns-4) + strings.Repeat("\n", maxLines))
	if found := unreadable("edge.go", edge); len(found) > 0 {
		t.Errorf("a file as wide and as long as it may be: %q", found)
	}
	beyond := []byte("\t" + strings.Repeat("é", maxColumns-3) + strings.Repeat("\n", maxLines+1))
	if found := unreadable("beyond.go", beyond); len(found) != 2 {
		t.Errorf("a file too wide and too long: %q", found)
	}
}

// fileKind is a constant that says what a file is: two letters of a header, or the format of a JSON document.
var fileKind = regexp.MustCompile(`(?m)^\s*\w*(?:[kK]ind|Format)\s+= "([A-Z]{2}|engram-[a-z]+)"`)

// TestFormatsAreDocumented holds every kind of file that the source names, and the parts of files, to a page.
func TestFormatsAreDocumented(t *testing.T) {
	pages := map[string]string{
		"WL": "log.md", "SG": "segment.md", "MF": "manifest.md", "ST": "state.md", "ND": "needed.md", "EN": "end.md",
		"KA":     "before-upgrade.md",
		"record": "record.md", "frame": "frame.md", "BK": "backup.md", "engram-model": "model.md",
		"engram-backups": "backups.md", "LOCK": "lock.md",
	}
	found := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range fileKind.FindAllSubmatch(source, -1) {
			found++
			if pages[string(m[1])] == "" {
				t.Errorf("%s writes files of kind %s, which has no page in docs/format", path, m[1])
			}
		}
		return err
	})
	if err != nil || found != 10 {
		t.Errorf("%d kinds of files in the source, want 10: %v", found, err)
	}
	for kind, page := range pages {
		path := filepath.Join("..", "..", "docs", "format", page)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("file kind %s: %v", kind, err)
			continue
		}
		if !strings.Contains(string(b), kind) {
			t.Errorf("%s does not name %s", path, kind)
		}
	}
}

// TestFailureModelNamesTests holds docs/failure-model.md to the tests there are.
func TestFailureModelNamesTests(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "failure-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		all.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for i, part := range strings.Split(string(page), "`") {
		if i%2 == 0 || !strings.HasPrefix(part, "Test") && !strings.HasPrefix(part, "Fuzz") {
			continue
		}
		named++
		if !strings.Contains(all.String(), "\nfunc "+part+"(") {
			t.Errorf("docs/failure-model.md names %s, which is no test", part)
		}
	}
	if named < 40 {
		t.Errorf("docs/failure-model.md names only %d tests", named)
	}
}

// TestEveryTestBinaryLooksForLeaks holds all folders with tests, those of other modules included, to a TestMain that
// fails when goroutines are left behind.
func TestEveryTestBinaryLooksForLeaks(t *testing.T) {
	root := filepath.Join("..", "..")
	looks := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		dir := filepath.Dir(path)
		looks[dir] = looks[dir] || strings.Contains(string(source), "os.Exit(leak.Main(m))")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(looks, filepath.Join(root, "internal", "leak")) // which it would have to trust
	for dir, ok := range looks {
		if !ok {
			t.Errorf("%s has tests and no TestMain with leak.Main", dir)
		}
	}
	if len(looks) < 20 {
		t.Errorf("only %d folders with tests were found", len(looks))
	}
}
