package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/authdbtest"
)

// TestSamples: every sample in Go is a part of a file of this repository, and of a function that a test or an example
// runs, or of a type. A whole file is run by TestProgram.
func TestSamples(t *testing.T) {
	t.Parallel()
	files := sources(t, ".go", "test/docs", "test/betterauth", "examples", "admin", "signin", ".")
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" || strings.HasPrefix(b.text, "package ") {
				continue
			}
			n++
			if why := unrun(t, files, b.text); why != "" {
				t.Errorf("%s:%d: %s", d.name, b.line, why)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d samples", n)
	}
}

// TestUnrun is the negative control of TestSamples.
func TestUnrun(t *testing.T) {
	t.Parallel()
	files := map[string]string{"p/a_test.go": `package p

func used() {
	if true {
		one()
	}
}

func unused() { two() }

func TestUsed(t *testing.T) { used() }

func ExampleSilent() { three() }
`}
	for sample, want := range map[string]string{
		"if true {\n\tone()\n}\n":            "",
		"one()\n":                            "",
		"one() \n":                           "no file has it",
		"if true {\none()\n}\n":              "no file has it",
		"func unused() { two() }\n":          "p/a_test.go: no test runs unused",
		"func ExampleSilent() { three() }\n": "p/a_test.go: no test runs ExampleSilent",
	} {
		if got := unrun(t, files, sample); got != want {
			t.Errorf("%q: %q, want %q", sample, got, want)
		}
	}
}

// sources are the files with that ending, in the directories and, but for the root, below them.
func sources(t *testing.T, ending string, directories ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, directory := range directories {
		at := filepath.Join(root, directory)
		err := filepath.WalkDir(at, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && path != at && (directory == "." || entry.Name() == "node_modules") {
				return filepath.SkipDir
			}
			if strings.HasSuffix(path, ending) {
				text, err := os.ReadFile(path)
				files[path] = string(text)
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// unrun says why a sample is no code that is run; it is empty for one that is.
func unrun(t *testing.T, files map[string]string, sample string) string {
	t.Helper()
	why := "no file has it"
	for path, text := range files {
		first, last, ok := find(text, sample)
		if !ok {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		why = ""
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || set.Position(f.End()).Line < first || set.Position(f.Pos()).Line > last {
				continue
			}
			if !isRun(t, files, filepath.Dir(path), f.Name.Name, nil) {
				why = path + ": no test runs " + f.Name.Name
			}
		}
		if why == "" {
			return ""
		}
	}
	return why
}

// find returns the lines of the text, from 1 on, that are the sample's but for the indentation, which is the same for all.
func find(text, sample string) (first, last int, ok bool) {
	want := strings.Split(strings.TrimRight(sample, "\n"), "\n")
	lines := strings.Split(text, "\n")
	for i := range len(lines) - len(want) + 1 {
		indent, found := strings.CutSuffix(lines[i], want[0])
		if !found || strings.TrimSpace(indent) != "" {
			continue
		}
		same := true
		for j, line := range want {
			if line != "" {
				line = indent + line
			}
			same = same && lines[i+j] == line
		}
		if same {
			return i + 1, i + len(want), true
		}
	}
	return 0, 0, false
}

// isRun reports whether a function is a test, an example with an output, or called, by its name, from one that is run
// in the same directory or by a test of its package.
func isRun(t *testing.T, files map[string]string, directory, name string, seen []string) bool {
	t.Helper()
	if slices.Contains(seen, name) {
		return false
	}
	called := regexp.MustCompile(`\b` + name + `\b`)
	for path, text := range files {
		if filepath.Dir(path) != directory || !called.MatchString(text) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if f.Name.Name == name {
				if strings.HasPrefix(name, "Test") ||
					strings.HasPrefix(name, "Example") && strings.Contains(text[f.Pos()-1:f.End()-1], "// Output:") {
					return true
				}
				continue
			}
			if uses(f, name) && isRun(t, files, directory, f.Name.Name, append(seen, name)) {
				return true
			}
		}
	}
	return false
}

func uses(f *ast.FuncDecl, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == name
		return !found
	})
	return found
}

// TestProgram runs the samples that are whole files, README's function and the guide's test of it, in a module of their
// own.
func TestProgram(t *testing.T) {
	t.Parallel()
	dir := newModule(t)
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" || !strings.HasPrefix(b.text, "package ") {
				continue
			}
			name := map[string]string{"README.md": "service.go", "docs/testing.md": "service_test.go"}[d.name]
			if name == "" {
				t.Errorf("%s:%d: a file that nothing runs", d.name, b.line)
				continue
			}
			if lines := strings.Count(b.text, "\n"); lines > 25 {
				t.Errorf("%s:%d: %d lines", d.name, b.line, lines)
			}
			write(t, filepath.Join(dir, name), b.text)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "-vet=all", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "DATABASE_URL="+authdbtest.DSN(t))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestJoin") {
		t.Errorf("%v\n%s", err, out)
	}
}

// newModule is a directory with the go.mod of a service that uses this module as it stands.
func newModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	// The library's own requirements, so that nothing is looked up.
	goMod, err1 := os.ReadFile(filepath.Join(root, "go.mod"))
	goSum, err2 := os.ReadFile(filepath.Join(root, "go.sum"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	write(t, filepath.Join(dir, "go.mod"), strings.Replace(string(goMod), "module "+module, "module example.com/service", 1)+
		"\nrequire "+module+" v0.0.0\nreplace "+module+" => "+at+"\n")
	write(t, filepath.Join(dir, "go.sum"), string(goSum))
	return dir
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOtherSamples: SQL, YAML and TypeScript are parts of files that tests run, or are run here: SQL as it stands, in a
// transaction with the roles that documents speak of.
func TestOtherSamples(t *testing.T) {
	t.Parallel()
	holders := map[string]map[string]string{
		"sql":  sources(t, ".sql", "examples"),
		"yaml": sources(t, ".yaml", "examples"),
		"ts":   sources(t, ".mjs", "test/betterauth"),
	}
	conn := connection(t)
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			files, ok := holders[b.language]
			switch b.language {
			case "go", "sh", "text", "mermaid":
				continue
			case "yaml":
				if strings.Contains(b.text, "- run: ") {
					continue // TestWorkflows
				}
			}
			held := false
			for _, text := range files {
				_, _, found := find(text, b.text)
				held = held || found
			}
			if b.language == "sql" && !held {
				if d.name == "docs/roles.md" { // TestRoles runs it
					continue
				}
				execute(t, conn, "BEGIN; CREATE ROLE app_service; "+b.text+"; ROLLBACK")
				continue
			}
			if !ok || !held {
				t.Errorf("%s:%d: %s that nothing runs", d.name, b.line, b.language)
			}
		}
	}
}
