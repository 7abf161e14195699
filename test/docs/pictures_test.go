package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/authdbtest"
)

// same compares a file of docs with what it is to be. UPDATE_DOCS=1, which make docs sets, writes it.
func same(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join(root, "docs", name)
	got, err := os.ReadFile(path)
	if string(got) == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatalf("docs/%s is stale (%v): run make docs", name, err)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// box is a rectangle of a picture with lines of text, the first of which is its name.
type box struct {
	X, Y, W, H int
	Name       string
	Lines      []string
	Main       bool // in the colour of authdb, and small
}

// First is where the name stands, below the upper edge.
func (b box) First() int {
	if b.Main {
		return 20
	}
	return 26
}

// Gap is from there to the first of the lines.
func (b box) Gap() int {
	if b.Main {
		return 19
	}
	return 24
}

// arrow is a straight line with a head at its end.
type arrow struct {
	X1, Y1, X2, Y2 int
}

// note is a line of text around a point.
type note struct {
	X, Y int
	Text string
}

// TestOverview: docs/overview-light.svg and -dark.svg, the pictures of README.md, are what is drawn here.
func TestOverview(t *testing.T) {
	t.Parallel()
	boxes := []box{
		{X: 290, Y: 12, W: 180, H: 44, Name: "Browser"},
		{X: 30, Y: 112, W: 280, H: 90, Name: "Next.js", Lines: []string{"Better Auth: sign-in, e-mail, OAuth", "Drizzle"}},
		{X: 450, Y: 112, W: 280, H: 90, Name: "Your Go service"},
		{X: 464, Y: 145, W: 122, H: 50, Name: "authdb", Lines: []string{"rows and rules"}, Main: true},
		{X: 594, Y: 145, W: 122, H: 50, Name: "betterauth", Lines: []string{"cookies, hashes"}, Main: true},
		{X: 130, Y: 262, W: 500, H: 86, Name: "PostgreSQL", Lines: []string{
			"user · session · account · verification", "organization · member · team · team_member · invitation",
		}},
	}
	arrows := []arrow{{330, 56, 200, 108}, {430, 56, 560, 108}, {170, 202, 250, 258}, {590, 202, 510, 258}}
	notes := []note{{380, 92, "one session cookie"}, {380, 236, "the same rows"}}
	for _, palette := range []struct{ Name, Ink, Soft, Line, Box, Main, MainInk string }{
		{"light", "#1f2328", "#59636e", "#818b98", "#f6f8fa", "#ddf4ff", "#0550ae"},
		{"dark", "#f0f6fc", "#9198a1", "#656c76", "#151b23", "#0c2d6b", "#a5d6ff"},
	} {
		var b bytes.Buffer
		if err := picture.Execute(&b, map[string]any{"P": palette, "Boxes": boxes, "Arrows": arrows, "Notes": notes}); err != nil {
			t.Fatal(err)
		}
		same(t, "overview-"+palette.Name+".svg", b.String())
	}
}

var picture = template.Must(template.New("").Funcs(template.FuncMap{
	"add": func(a ...int) (sum int) {
		for _, n := range a {
			sum += n
		}
		return sum
	},
	"mul":  func(a, b int) int { return a * b },
	"half": func(a int) int { return a / 2 },
}).Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 360" font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
<title>A browser speaks to Next.js with Better Auth and to a Go service with authdb by one session cookie; both work on the same rows of PostgreSQL.</title>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{{.P.Line}}"/></marker></defs>
{{- range .Boxes}}
<rect x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="6" fill="{{if .Main}}{{$.P.Main}}{{else}}{{$.P.Box}}{{end}}" stroke="{{$.P.Line}}"/>
<text x="{{add .X (half .W)}}" y="{{add .Y .First}}" font-size="15" font-weight="600" text-anchor="middle" fill="{{if .Main}}{{$.P.MainInk}}{{else}}{{$.P.Ink}}{{end}}">{{.Name}}</text>
{{- $box := .}}{{range $i, $line := .Lines}}
<text x="{{add $box.X (half $box.W)}}" y="{{add $box.Y $box.First (mul $i 22) $box.Gap}}" font-size="13" text-anchor="middle" fill="{{$.P.Soft}}">{{$line}}</text>
{{- end}}{{end}}
{{- range .Arrows}}
<line x1="{{.X1}}" y1="{{.Y1}}" x2="{{.X2}}" y2="{{.Y2}}" stroke="{{$.P.Line}}" stroke-width="1.5" marker-end="url(#end)"/>
{{- end}}
{{- range .Notes}}
<text x="{{.X}}" y="{{.Y}}" font-size="13" text-anchor="middle" fill="{{$.P.Soft}}">{{.Text}}</text>
{{- end}}
</svg>
`))

// TestSchemaDiagram: docs/schema.md shows the tables that the migrations make, as the catalog has them.
func TestSchemaDiagram(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), authdbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()

	type column struct {
		Table, Column, Type, Keys string
		Null                      bool
	}
	rows, err := conn.Query(t.Context(), `
		SELECT t.relname AS "table", a.attname AS "column", replace(format_type(a.atttypid, NULL), ' without time zone', '') AS type,
			coalesce((SELECT string_agg(DISTINCT CASE c.contype WHEN 'p' THEN '1' WHEN 'f' THEN '2' ELSE '3' END, '')
				FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype IN ('p', 'f', 'u') AND c.conkey = ARRAY[a.attnum]), '') AS keys,
			NOT a.attnotnull AS "null"
		FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY t.oid, a.attnum`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByName[column])
	if err != nil {
		t.Fatal(err)
	}

	type key struct {
		From, Column, To string
		Null, Cascades   bool
	}
	rows, err = conn.Query(t.Context(), `
		SELECT t.relname AS "from", a.attname AS "column", r.relname AS "to", NOT a.attnotnull AS "null", c.confdeltype = 'c' AS cascades
		FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace ORDER BY r.oid, t.oid, a.attname`)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByName[key])
	if err != nil {
		t.Fatal(err)
	}

	var b strings.Builder
	b.WriteString("```mermaid\nerDiagram\n")
	for _, k := range keys {
		if k.Null || !k.Cascades {
			t.Errorf("%s.%s: the text below says that every key is NOT NULL and ON DELETE CASCADE", k.From, k.Column)
		}
		fmt.Fprintf(&b, "    %q ||--o{ %q : %s\n", k.To, k.From, k.Column)
	}
	for i, c := range columns {
		if i == 0 || columns[i-1].Table != c.Table {
			fmt.Fprintf(&b, "    %q {\n", c.Table)
		}
		fmt.Fprintf(&b, "        %s %s", c.Type, c.Column)
		if c.Keys != "" {
			b.WriteString(" " + strings.NewReplacer("1", "PK", "2", "FK", "3", "UK").Replace(strings.Join(strings.Split(c.Keys, ""), ", ")))
		}
		if c.Null {
			b.WriteString(` "may be NULL"`)
		}
		b.WriteString("\n")
		if i == len(columns)-1 || columns[i+1].Table != c.Table {
			b.WriteString("    }\n")
		}
	}
	b.WriteString("```\n")
	page := file(t, "docs/schema.md")
	head, rest, ok1 := strings.Cut(page, "```mermaid\n")
	_, tail, ok2 := strings.Cut(rest, "```\n")
	if !ok1 || !ok2 {
		t.Fatal("docs/schema.md has no diagram")
	}
	same(t, "schema.md", head+b.String()+tail)
}

// TestFigures: the figures that documents quote are those of the files that have them.
func TestFigures(t *testing.T) {
	t.Parallel()
	guards := len(regexp.MustCompile(`(?m)^[^#\n].*$`).FindAllString(file(t, "test/rules/testdata/guards.txt"), -1))
	statements, _, _ := strings.Cut(file(t, "docs/cost.md"), "\n## Plans\n")
	methods := len(regexp.MustCompile("(?m)^\\| `\\w+\\.\\w+` \\|").FindAllString(statements, -1))
	ratio := func(job, who, column string) string {
		t.Helper()
		_, section, _ := strings.Cut(file(t, "docs/benchmarks.md"), "\n## "+job+"\n")
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(who) + ` \| (.*)$`).FindStringSubmatch(section)
		at := slices.Index([]string{"socket", "TCP", "+1 ms", "trips"}, column)
		if row == nil || at < 0 {
			t.Fatalf("no %s of %s", job, who)
		}
		return strings.Fields(strings.Split(row[1], " | ")[at])[0]
	}

	readme := file(t, "README.md")
	readme = regexp.MustCompile(`\d+ conditions and locks`).ReplaceAllString(readme, fmt.Sprint(guards, " conditions and locks"))
	readme = regexp.MustCompile(`each of \d+ methods`).ReplaceAllString(readme, fmt.Sprintf("each of %d methods", methods))
	readme = regexp.MustCompile(`takes [\d.]+ times as long, with GORM [\d.]+ times`).ReplaceAllString(readme, fmt.Sprintf(
		"takes %s times as long, with GORM %s times", ratio("Accept invitation", "authdb", "socket"), ratio("Accept invitation", "GORM", "socket")))
	same(t, "../README.md", readme)
	if !strings.Contains(readme, fmt.Sprint(guards, " conditions")) || !strings.Contains(readme, fmt.Sprintf("of %d methods", methods)) {
		t.Error("README.md does not say how many conditions and methods there are")
	}

	comparison := file(t, "docs/comparison.md")
	for _, name := range []string{"authdb", "sqlc", "database/sql", "GORM", "ent", "bun", "Drizzle (TypeScript)"} {
		who, _, _ := strings.Cut(name, " (")
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(name) + ` \| [\d.]+ \|.*$`)
		if !row.MatchString(comparison) {
			t.Errorf("docs/comparison.md has no row of %s", name)
		}
		comparison = row.ReplaceAllString(comparison, fmt.Sprintf("| %s | %s | %s | %s | %s |", name,
			ratio("Authenticate", who, "socket"), ratio("Organization with 20 members", who, "socket"),
			ratio("Accept invitation", who, "socket"), ratio("Accept invitation", who, "trips")))
	}
	const millisecond = "accepting an invitation takes authdb %s, sqlc %s and GORM %s"
	comparison = regexp.MustCompile(fmt.Sprintf(millisecond, `[\d.]+`, `[\d.]+`, `\d+\.\d+`)).ReplaceAllString(comparison,
		fmt.Sprintf(millisecond, ratio("Accept invitation", "authdb", "+1 ms"), ratio("Accept invitation", "sqlc", "+1 ms"),
			ratio("Accept invitation", "GORM", "+1 ms")))
	same(t, "comparison.md", comparison)
}
