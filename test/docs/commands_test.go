package docs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/migrate"
)

// apart are the targets of make that .ci/run does not run, and why.
var apart = map[string]string{
	"bench":           "25 minutes",
	"bench/quick":     "two minutes, and figures are no verdict",
	"bench/crowd":     "a minute, and figures are no verdict",
	"demo/stop":       "ends what a person left up",
	"generate":        "changes files; make verify does it elsewhere",
	"docs":            "changes files; make test compares them",
	"test/adoption":   "20 minutes with every version",
	"test/bench":      "builds seven other libraries",
	"test/hard":       "ten minutes",
	"test/plans":      "8 GB of disk",
	"test/partitions": "some minutes; make test has the layout's own tests",
	"test/standby":    "make test runs the same",
	"test/race":       "needs a C compiler",
	"test/cover":      "figures are no verdict",
	"migrate/up":      "changes a database of the reader's",
	"migrate/down":    "changes a database of the reader's",
	"help":            "prints the list",
}

var makeTarget = regexp.MustCompile(`^make ([a-z/]+)`)

// TestTargets: each target of make that a document names is there, and .ci/run runs it, or says why not.
func TestTargets(t *testing.T) {
	t.Parallel()
	makefile, ci := file(t, "Makefile"), file(t, ".ci/run")
	named := 0
	for _, d := range documents(t) {
		lines := d.spans()
		for _, b := range d.blocks {
			if b.language == "sh" {
				lines = append(lines, strings.Split(b.text, "\n")...)
			}
		}
		for _, line := range lines {
			m := makeTarget.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			named++
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: no target %s", d.name, m[1])
			}
			inCI := regexp.MustCompile(`(?m)^\s*make ` + m[1] + `( |$)`).MatchString(ci)
			if _, ok := apart[m[1]]; ok == inCI {
				t.Errorf("%s: %s in .ci/run: %v, said to be apart: %v", d.name, m[1], inCI, ok)
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d targets", named)
	}
}

// TestVerbs: each call of the migrator that a document names has a verb and flags that its help has.
func TestVerbs(t *testing.T) {
	t.Parallel()
	usage := file(t, "cmd/migrate/usage.txt")
	named := 0
	for _, d := range documents(t) {
		for _, span := range d.spans() {
			words := strings.Fields(strings.TrimPrefix(span, "go tool "))
			if len(words) < 2 || words[0] != "migrate" {
				continue
			}
			named++
			if !strings.HasPrefix(words[1], "-") && !regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(words[1])+` `).MatchString(usage) {
				t.Errorf("%s: %s: no such verb", d.name, span)
			}
		}
		for _, flag := range regexp.MustCompile("`(?:migrate [^`]*)?(--[a-z-]+)").FindAllStringSubmatch(d.prose, -1) {
			if !strings.Contains(usage, "  "+flag[1]+" ") && !strings.Contains(usage, ", "+flag[1]+" ") {
				t.Errorf("%s: no flag %s", d.name, flag[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d calls", named)
	}
}

// before is what the database of a document has when its commands begin; it is empty otherwise.
var before = map[string]func(t *testing.T, dsn string){
	"docs/adoption.md": func(t *testing.T, dsn string) { // as Drizzle makes it
		m, err := migrate.Open(t.Context(), dsn, migrate.Options{InsecureTLS: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.UpTo(t.Context(), 1), m.Close()); err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, conn, "DROP SCHEMA authdb CASCADE")
		_ = conn.Close(t.Context())
	},
}

// TestCommands runs the commands of each document, in their order, as a stranger would: in a module that does not know
// authdb yet, and on a database of the document's own, which stands for what a postgres URL with dots names.
func TestCommands(t *testing.T) {
	t.Parallel()
	n := 0
	for _, d := range documents(t) {
		var script strings.Builder
		for _, b := range d.blocks {
			for line := range strings.Lines(b.text) {
				if b.language == "sh" && !makeTarget.MatchString(line) {
					script.WriteString(line)
					n++
				}
			}
		}
		if script.Len() == 0 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			dsn := emptyDatabase(t)
			dir := newModule(t)
			if prepare, ok := before[d.name]; ok {
				prepare(t, dsn)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-eux", "-c",
				strings.ReplaceAll(script.String(), "postgres://…", "'"+dsn+"'"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "DATABASE_URL="+dsn)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if n < 10 {
		t.Errorf("only %d commands", n)
	}
}

// TestWorkflows: what a workflow for CI runs, some document's commands run, and so TestCommands.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	commands := []string{"go test ./..."} // TestProgram
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language == "sh" {
				commands = append(commands, strings.Split(b.text, "\n")...)
			}
		}
	}
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "yaml" {
				continue
			}
			for _, m := range regexp.MustCompile(`(?m)^ +- run: (.*)$`).FindAllStringSubmatch(b.text, -1) {
				n++
				if !slices.Contains(commands, m[1]) {
					t.Errorf("%s:%d: no test runs %s", d.name, b.line, m[1])
				}
			}
		}
	}
	if n == 0 {
		t.Error("no workflow")
	}
}

// emptyDatabase is a database without a table, on the server of the tests.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	dsn := authdbtest.DSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA authdb CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNames: what documents call by a name of Go's, `Users.Get`, `authdb.Once`, `betterauth.Hasher`, is exported; what
// they call a test is one; and an environment variable that updates files is read by some test.
func TestNames(t *testing.T) {
	t.Parallel()
	api := map[string]string{}
	for _, name := range []string{"authdb", "admin", "authdbtest", "betterauth", "migrate", "permission"} {
		path := "./" + name
		if name == "authdb" {
			path = "."
		}
		cmd := exec.CommandContext(t.Context(), "go", "doc", "-all", path)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		api[name] = string(out)
	}
	var tests strings.Builder
	for _, text := range sources(t, "_test.go", ".", "test", "migrate", "cmd", "betterauth", "internal", "examples", "authdbtest", "admin", "apikey", "permission", "signin") {
		tests.WriteString(text)
	}
	singular := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +(\w+)Repository$`).FindAllStringSubmatch(api["authdb"], -1) {
		singular[m[1]] = m[2]
	}
	if len(singular) < 9 {
		t.Fatalf("repositories: %v", singular)
	}
	n := 0
	for _, d := range documents(t) {
		if d.name == "CHANGELOG.md" { // which speaks of what was
			continue
		}
		for _, span := range d.spans() {
			for _, m := range regexp.MustCompile(`\b(\w+)\.([A-Z]\w+)`).FindAllStringSubmatch(span, -1) {
				text, isPackage := api[m[1]]
				pattern := `(?m)^(?:func |type |\t|const |var )` + m[2] + `\b`
				if entity, ok := singular[m[1]]; ok {
					isPackage, text, pattern = true, api["authdb"], `(?m)^func \(\w+ `+entity+`Repository\) `+m[2]+`\(`
				} else if m[1] == "Store" || m[1] == "Error" {
					isPackage, text, pattern = true, api["authdb"], `(?m)^(?:func \(\w+ \*?`+m[1]+`\) |\t)`+m[2]+`\b`
				}
				if !isPackage {
					continue
				}
				n++
				if !regexp.MustCompile(pattern).MatchString(text) {
					t.Errorf("%s: no %s.%s", d.name, m[1], m[2])
				}
			}
			if m := regexp.MustCompile(`^(Test\w+)`).FindStringSubmatch(span); m != nil && !strings.Contains(tests.String(), "func "+m[1]+"(") {
				t.Errorf("%s: no %s", d.name, m[1])
			}
			if m := regexp.MustCompile(`^(UPDATE_\w+)=1`).FindStringSubmatch(span); m != nil && !strings.Contains(tests.String(), `"`+m[1]+`"`) {
				t.Errorf("%s: no test reads %s", d.name, m[1])
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d names", n)
	}
}
