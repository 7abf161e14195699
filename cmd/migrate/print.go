package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/zerostarter/authdb/db/migrations"
	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/migrate"
	"github.com/zerostarter/authdb/migrate/catalog"
)

// screen writes text that cannot act on a terminal, whatever names the catalog and the rows have, and that fits one.
type screen struct {
	to   *os.File
	wrap bool // lines that are too long, if to is a terminal
}

// Write writes the text of b, whole lines.
func (s screen) Write(b []byte) (int, error) {
	return len(b), s.strong("", string(b))
}

// strong writes the text, whose beginning is bold on a terminal.
func (s screen) strong(beginning, rest string) error {
	text := visible(beginning + rest)
	if s.wrap && term.Is(s.to) {
		text = term.Wrap(text)
	}
	n := 0
	if strings.HasPrefix(text, beginning) {
		n = len(beginning)
	}
	_, err := io.WriteString(s.to, term.Bold(s.to, text[:n])+text[n:])
	return err
}

// visible is text of which only the ends of lines act on a terminal: what else is not printable is written as JSON would,
// in JSON too.
func visible(text string) string {
	var out []byte
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return string(out)
}

// line writes a line, whose parts may be names, ids or texts of others: none ends it.
func line(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, catalog.Line(fmt.Sprintf(format, args...)))
}

// printer writes results, as text or as one JSON object each.
type printer struct {
	out     screen
	json    bool
	printed bool
}

// failure is the object of a command that has no result to print.
func (p *printer) failure(err error) error {
	if err == nil || !p.json || p.printed {
		return nil
	}
	return p.print(struct {
		Error string `json:"error"`
	}{err.Error()}, nil)
}

func (p *printer) print(object any, text func(w io.Writer)) error {
	p.printed = true
	if p.json {
		p.out.wrap = false // it is for programs
		e := json.NewEncoder(p.out)
		e.SetIndent("", "  ")
		return e.Encode(object)
	}
	var b strings.Builder
	text(&b)
	heading := ""
	if first, rest, _ := strings.Cut(b.String(), "\n"); rest != "" && first == strings.ToUpper(first) {
		heading = first
	}
	return p.out.strong(heading, strings.TrimPrefix(b.String(), heading))
}

// program says which program this is.
func (p *printer) program() error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	list, err := migrations.Read(migrations.FS)
	if err != nil {
		return err
	}
	return p.print(struct {
		Version    string `json:"version"`
		Migrations int    `json:"migrations"`
		Go         string `json:"go"`
	}{version, len(list), runtime.Version()}, func(w io.Writer) {
		fmt.Fprintf(w, "migrate of authdb %s, %d migrations, %s\n", version, len(list), runtime.Version())
	})
}

func (p *printer) version(version int, dirty bool) error {
	return p.print(struct {
		Version int  `json:"version"`
		Dirty   bool `json:"dirty"`
	}{version, dirty}, func(w io.Writer) {
		fmt.Fprint(w, version)
		if dirty {
			fmt.Fprint(w, " dirty")
		}
		fmt.Fprintln(w)
	})
}

func (p *printer) plan(plan []migrate.PlannedMigration) error {
	p.out.wrap = false // it is to be copied
	return p.print(struct {
		Plan []migrate.PlannedMigration `json:"plan"`
	}{plan}, func(w io.Writer) {
		for _, m := range plan {
			fmt.Fprintf(w, "-- %s\n%s\n", m.Name, strings.TrimSpace(m.SQL))
		}
	})
}

func (p *printer) status(s migrate.Status) error {
	return p.print(s, func(w io.Writer) {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "MIGRATION\tSTATE\tAPPLIED AT (UTC)\tSHA256")
		for _, m := range s.Migrations {
			at := "-"
			if m.AppliedAt != nil {
				at = m.AppliedAt.Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", catalog.Line(m.Name), m.State, at, catalog.Line(fmt.Sprintf("%.8s", m.SHA256)))
		}
		_ = table.Flush()
		fmt.Fprintf(w, "version %d of %d\n", s.Version, s.Latest)
	})
}

func (p *printer) partitioned(did migrate.Partitioning) error {
	return p.print(did, func(w io.Writer) {
		line(w, "session has %d partitions; %d rows were copied, and %d that others changed meanwhile once more",
			did.Partitions, did.Copied, did.Changed)
	})
}

func (p *printer) verification(v migrate.Verification) error {
	return p.print(v, func(w io.Writer) {
		fmt.Fprint(w, v.Diff)
		for _, note := range v.Notes {
			line(w, "note: %s", note)
		}
		if v.Diff.Empty() {
			fmt.Fprintf(w, "version %d: no drift; constraints are named as by %s\n", v.Version, v.Family)
		}
	})
}

func (p *printer) adoption(a migrate.Adoption, done bool, c config) error {
	return p.print(a, func(w io.Writer) {
		fmt.Fprint(w, a.Diff)
		completes := "adopt --complete would run:"
		if done && c.complete && !c.dryRun {
			completes = "completed by:"
		}
		list(w, completes, a.Complete)
		list(w, "by hand:", a.Remedies)
		list(w, "the Drizzle schema needs, once up has run:", a.Drizzle)
		for _, note := range a.Notes {
			line(w, "note: %s", note)
		}
		for _, d := range a.Duplicates {
			fmt.Fprintf(w, "%s (%s): duplicated values: %d, surplus rows: %d; their ids, oldest first:\n  %s\n",
				d.Table, strings.Join(d.Columns, ", "), d.Keys, d.Surplus, d.Query())
		}
		if a.Misplaced > 0 {
			fmt.Fprintf(w, "account: credential accounts whose account_id is not the user's id: %d\n", a.Misplaced)
		}
		if a.Capitals > 0 {
			fmt.Fprintf(w, "user: addresses with capitals, which Better Auth does not find: %d; this changes those that no other user has:\n  %s\n",
				a.Capitals, migrate.LowerEmails)
		}
		for _, f := range a.Fixed {
			line(w, "%s %s: %s", f.Table, f.ID, f.Action)
		}
		for _, name := range a.Journal {
			line(w, "drizzle-kit's %s: noted as applied", name)
		}
		if !done {
			return
		}
		if len(a.Duplicates)+a.Misplaced > 0 && !c.fix {
			fmt.Fprintln(w, "up needs adopt --fix, or your own way to resolve these rows, first")
		}
		verb := "adopted"
		if c.dryRun {
			verb = "would be adopted"
		}
		fmt.Fprintf(w, "%s at version %d\n", verb, a.Version)
	})
}

// list prints a heading and what is below it, if anything.
func list(w io.Writer, heading string, items []string) {
	if len(items) > 0 {
		fmt.Fprintln(w, heading)
	}
	for _, item := range items {
		for part := range strings.SplitSeq(item, "\n") {
			line(w, "  %s", part)
		}
	}
}

func (p *printer) repaired(r migrate.Repaired) error {
	return p.print(r, func(w io.Writer) {
		if !r.Dirty {
			fmt.Fprintf(w, "version %d is not dirty: nothing to repair\n", r.Version)
		}
		for _, done := range r.Done {
			line(w, "%s", done)
		}
	})
}

func (p *printer) created(files []string) error {
	return p.print(struct {
		Files []string `json:"files"`
	}{files}, func(w io.Writer) {
		for _, file := range files {
			line(w, "%s", file)
		}
	})
}

func (p *printer) checked(n int, faults []migrations.Fault) error {
	return p.print(struct {
		Migrations int                `json:"migrations"`
		Faults     []migrations.Fault `json:"faults"`
	}{n, faults}, func(w io.Writer) {
		for _, f := range faults {
			line(w, "%s: %s", f.File, f.Reason)
		}
		fmt.Fprintf(w, "%d migrations, %d faults\n", n, len(faults))
	})
}

func (p *printer) schema(sql string) error {
	p.out.wrap = false // it is to be copied
	return p.print(struct {
		SQL string `json:"sql"`
	}{sql}, func(w io.Writer) { fmt.Fprint(w, sql) })
}
