//go:build faults

package inject

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Step is a step in the source.
type Step struct {
	Name string // as Spring is given it
	What string // for people
	Can  []string
}

// anyway is how a file operation can fail.
var anyway = []string{Panic, Goexit, Error, Late}

// Indirect lists the file operations that came by and are none of files: a writer of the standard library does them.
func Indirect(seen map[string]int, files []Step) (more []Step) {
	for name := range seen {
		if !strings.Contains(name, ".go:") || slices.ContainsFunc(files, func(s Step) bool { return s.Name == name }) {
			continue
		}
		more = append(more, Step{Name: name, What: "through a writer", Can: anyway})
	}
	slices.SortFunc(more, func(a, b Step) int { return strings.Compare(a.Name, b.Name) })
	return more
}

var changing = []string{
	"Create", "Rename", "Remove", "MkdirAll", "SyncDir", "WriteAt", "Preallocate", "Truncate", "Sync", "SyncData",
}

// Steps lists the steps in the source of folders: points by their names, file operations by their places. It fails the
// test if two points have one name, or one is not named after its folder.
func Steps(t *testing.T, folders ...string) (points, files []Step) {
	t.Helper()
	names := map[string]string{}
	for _, folder := range folders {
		each(t, folder, func(set *token.FileSet, room, function string, call *ast.CallExpr) {
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				name, ok := call.Fun.(*ast.Ident)
				if ok && room == "isolate" && name.Name == "Point" && len(call.Args) == 1 {
					points = append(points, point(t, names, room, set, call, "Point"))
				}
				return
			}
			on, _ := selector.X.(*ast.Ident)
			where := set.Position(call.Pos())
			switch method := selector.Sel.Name; {
			case on != nil && on.Name == "isolate" && (method == "Point" || method == "Fault"):
				points = append(points, point(t, names, room, set, call, method))
			case slices.Contains(changing, method) && !strings.HasSuffix(source(selector.X), "links"):
				files = append(files, Step{
					Name: fmt.Sprintf("%s/%s:%d", room, filepath.Base(where.Filename),
						set.Position(selector.Sel.Pos()).Line),
					What: room + "." + function + " " + method, Can: anyway,
				})
			}
		})
	}
	return points, files
}

func point(
	t *testing.T, names map[string]string, room string, set *token.FileSet, call *ast.CallExpr, method string,
) Step {
	t.Helper()
	where := set.Position(call.Pos()).String()
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		t.Fatalf("%s: a point's name is not written out", where)
	}
	name := strings.Trim(literal.Value, `"`)
	if first, twice := names[name]; twice {
		t.Errorf("%s: the point %s is at %s too", where, name, first)
	}
	if !strings.HasPrefix(name, room+"/") {
		t.Errorf("%s: the point %s is named after another room", where, name)
	}
	names[name] = where
	s := Step{Name: name, What: name, Can: []string{Panic, Goexit}}
	if method == "Fault" {
		s.Can = append(s.Can, Error)
	}
	return s
}

// each calls fn with every call in the source of a folder.
func each(t *testing.T, folder string, fn func(set *token.FileSet, room, function string, call *ast.CallExpr)) {
	t.Helper()
	full, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(full, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("folder %s: %v, %v", folder, paths, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		room := file.Name.Name
		for _, decl := range file.Decls {
			declared, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(declared, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					fn(set, room, declared.Name.Name, call)
				}
				return true
			})
		}
	}
}

// source is a selector written out: a.b.c.
func source(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return source(e.X) + "." + e.Sel.Name
	}
	return ""
}
