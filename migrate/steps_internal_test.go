package migrate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/db/migrations"
)

// TestEveryIndexIsUnderstood: one that is not would be neither checked for duplicates nor cleaned up.
func TestEveryIndexIsUnderstood(t *testing.T) {
	t.Parallel()
	steps, err := migrations.Read(migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	unique := 0
	for i, s := range steps {
		if s.Version != i+1 {
			t.Errorf("step %d has version %d", i, s.Version)
		}
		if s.Index != nil {
			create := "CREATE INDEX"
			if s.Index.Unique {
				create, unique = "CREATE UNIQUE INDEX", unique+1
			}
			create += fmt.Sprintf(" CONCURRENTLY %s ON %s USING btree (%s);", s.Index.Name, s.Index.Table, s.Index.Columns)
			if !strings.Contains(s.Up, create) {
				t.Errorf("%s: not %s", s.Name, create)
			}
		}
		for _, sql := range []string{s.Up, s.Down} {
			concurrent := strings.Contains(sql, "INDEX CONCURRENTLY")
			if concurrent != (s.Index != nil) && s.Version != 1 {
				t.Errorf("%s: CONCURRENTLY is %v, the index %v", s.Name, concurrent, s.Index)
			}
			if concurrent && !strings.Contains(sql, s.Index.Name) {
				t.Errorf("%s: index %s is not in it", s.Name, s.Index.Name)
			}
		}
	}
	if unique < 4 {
		t.Errorf("only %d are unique", unique)
	}
}

// TestEveryWriteIsUnderstood: before another one nobody would look, under the lock of its table, at what hangs on that.
func TestEveryWriteIsUnderstood(t *testing.T) {
	t.Parallel()
	steps, err := migrations.Read(migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`\b(INSERT|UPDATE|DELETE FROM|MERGE|COPY|TRUNCATE)\b`)
	for _, s := range steps {
		words, tables := word.FindAllString(s.Up+s.Down, -1), writtenTables.FindAllString(s.Up+s.Down, -1)
		if len(words) != len(tables) || (len(tables) > 0) != (s.Version == 4) {
			t.Errorf("%s: %q, and of that are understood: %q", s.Name, words, tables)
		}
	}
}

// TestRefusalOf: what may have been completed is left to a person.
func TestRefusalOf(t *testing.T) {
	t.Parallel()
	refusal := &pgconn.PgError{
		Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "23505", Message: "could not create",
		Detail: "Key (email)=(ada@example.com) is duplicated.",
	}
	lost := &pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "terminating connection"}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"refused", refusal, true},
		{"refused, and the rollback failed", errors.Join(refusal, errors.New("rollback")), true},
		{"interrupted", lost, false},
		{"a connection that broke", errors.New("unexpected EOF"), false},
		{"none", nil, false},
	} {
		got := refusalOf(tt.err)
		if (got != nil) != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
		if got != nil && (got.Code != "23505" || strings.Contains(fmt.Sprintf("%+v", *got), "ada")) {
			t.Errorf("%s: got %+v", tt.name, *got)
		}
	}
}
