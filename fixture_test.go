package authdb_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

// plugged is the schema with Better Auth's plugins.
var plugged = authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables)

// fixture is a store whose clock stands still until a test moves it, and whose ids and tokens count up.
type fixture struct {
	*authdb.Store
	now         time.Time // what the clock says, but for a fraction of a millisecond and a zone
	ids, tokens int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := &fixture{now: time.Date(2026, 3, 29, 1, 30, 0, 123_000_000, time.UTC)}
	s.Store = authdbtest.New(t, s.options()...)
	return s
}

func (s *fixture) options() []authdb.Option {
	return []authdb.Option{
		authdb.WithClock(func() time.Time { return s.now.Add(999_999).In(time.FixedZone("odd", -5*3600)) }),
		authdb.WithIDs(func() string { s.ids++; return s.id(0) }),
		authdb.WithTokens(func() string { s.tokens++; return s.token(0) }),
	}
}

// id is the last id given out, or for n > 0 the n-th to come.
func (s *fixture) id(n int) string    { return fmt.Sprintf("id%06d", s.ids+n) }
func (s *fixture) token(n int) string { return fmt.Sprintf("token%06d", s.tokens+n) }

func (s *fixture) holds(t *testing.T, want tables) {
	t.Helper()
	if diff := cmp.Diff(want, readTables(t, s.Store)); diff != "" {
		t.Errorf("database (-want +got):\n%s", diff)
	}
}

// set changes columns of a row that is expected.
func (want tables) set(table, id string, columns map[string]any) {
	for name, value := range columns {
		want[table][id][name] = value
	}
}

// seats expects n more members of a team, counted now.
func (s *fixture) seats(want tables, teamID string, n int) {
	row := want["team"][teamID]
	row["member_count"], row["updated_at"] = row["member_count"].(float64)+float64(n), jsonTime(s.now)
}

// clears expects columns of a session to be NULL from now on.
func (s *fixture) clears(want tables, sessionID string, columns ...string) {
	for _, column := range columns {
		want["session"][sessionID][column] = nil
	}
	want["session"][sessionID]["updated_at"] = jsonTime(s.now)
}

const activeOrganization, activeTeam = "active_organization_id", "active_team_id"

// sorted brings rows that come in no order into that of their ids.
func sorted[T any](rows []T, err error) ([]T, error) {
	slices.SortFunc(rows, func(a, b T) int { return strings.Compare(rowID(a), rowID(b)) })
	return rows, err
}

type subTest struct {
	name string
	run  func(t *testing.T, s *fixture)
}

func runTests(t *testing.T, tests []subTest) {
	t.Helper()
	s := newFixture(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// returns checks what a call returns: returns(t, want)(call()).
func returns[T any](t *testing.T, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("returned (-want +got):\n%s", diff)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func fails(t *testing.T, err, kind error, op, field string) {
	t.Helper()
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok || !slices.Equal(e.Unwrap(), []error{kind}) || e.Op != op || e.Field != field {
		t.Errorf("got %v, want %v of %s, field %q", err, kind, op, field)
	}
}

func notFound(t *testing.T, errs map[string]error) {
	t.Helper()
	for op, err := range errs {
		fails(t, err, authdb.ErrNotFound, op, "")
	}
}

// deletes checks that remove leaves want, and finds nothing a second time.
func (s *fixture) deletes(t *testing.T, want tables, op string, remove func() error) {
	t.Helper()
	if err := remove(); err != nil {
		t.Error(err)
	}
	s.holds(t, want)
	fails(t, remove(), authdb.ErrNotFound, op, "")
}

type step[P, T any] struct {
	name   string
	params P
	change func(row *T)
}

// checkUpdates changes a row step by step, each a minute after the other, and compares it and the whole database.
func checkUpdates[P, T any](t *testing.T, s *fixture, table string, row T, update func(P) (T, error), steps []step[P, T]) {
	t.Helper()
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			want := readTables(t, s.Store)
			s.now = s.now.Add(time.Minute)
			setTime(&row, "UpdatedAt", s.now)
			step.change(&row)
			returns(t, row)(update(step.params))
			want[table][rowID(row)] = asRow(row)
			s.holds(t, want)
		})
	}
}

// setTime sets a field of a row, if it has it.
func setTime(row any, field string, at time.Time) {
	switch f := reflect.ValueOf(row).Elem().FieldByName(field); f.Kind() {
	case reflect.Struct:
		f.Set(reflect.ValueOf(at))
	case reflect.Pointer:
		f.Set(reflect.ValueOf(&at))
	}
}

// seatsOf are the params by which users join a team.
func seatsOf(organizationID, teamID string, limit int, userIDs ...string) []authdb.CreateTeamMemberParams {
	ps := make([]authdb.CreateTeamMemberParams, len(userIDs))
	for i, userID := range userIDs {
		ps[i] = authdb.CreateTeamMemberParams{
			OrganizationID: organizationID, TeamID: teamID, UserID: userID, MaxMembers: limit,
		}
	}
	return ps
}
