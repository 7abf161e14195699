package migrate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	unique := map[string]string{}
	for i, s := range steps {
		if s.Version != i+1 {
			t.Errorf("step %d has version %d", i, s.Version)
		}
		if s.Index != nil && s.Index.Unique {
			unique[fmt.Sprint(s.Version, " ", s.Index.Name)] = s.Index.Table + " " + s.Index.Columns
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
	want := map[string]string{
		`5 "team_member_membership_key_unique"`: `"team_member" "membership_key"`,
		`7 "member_organizationId_userId_uidx"`: `"member" "organization_id", "user_id"`,
		`8 "teamMember_teamId_userId_uidx"`:     `"team_member" "team_id", "user_id"`,
		`9 "account_providerId_accountId_uidx"`: `"account" "provider_id", "account_id"`,
	}
	if diff := cmp.Diff(want, unique); diff != "" {
		t.Errorf("unique indexes (-want +got):\n%s", diff)
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
