package kit

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/db/plugins"
)

// Plugged is the schema with Better Auth's plugins.
var Plugged = authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables)

// Fixture is a store whose clock stands still until a test moves it, and whose ids and tokens count up.
type Fixture struct {
	*authdb.Store
	Now         time.Time // what the clock says, but for a fraction of a millisecond and a zone
	IDs, tokens int
}

func NewFixture(t *testing.T) *Fixture {
	t.Helper()
	s := &Fixture{Now: time.Date(2026, 3, 29, 1, 30, 0, 123_000_000, time.UTC)}
	s.Store = authdbtest.New(t, s.Options()...)
	return s
}

func (s *Fixture) Options() []authdb.Option {
	return []authdb.Option{
		authdb.WithClock(func() time.Time { return s.Now.Add(999_999).In(time.FixedZone("odd", -5*3600)) }),
		authdb.WithIDs(func() string { s.IDs++; return s.Id(0) }),
		authdb.WithTokens(func() string { s.tokens++; return s.Token(0) }),
	}
}

// Id is the last id given out, or for n > 0 the n-th to come.
func (s *Fixture) Id(n int) string    { return fmt.Sprintf("id%06d", s.IDs+n) }
func (s *Fixture) Token(n int) string { return fmt.Sprintf("token%06d", s.tokens+n) }

func (s *Fixture) Holds(t *testing.T, want Tables) {
	t.Helper()
	if diff := cmp.Diff(want, ReadTables(t, s.Store)); diff != "" {
		t.Errorf("database (-want +got):\n%s", diff)
	}
}

// Seats expects n more members of a team, counted now.
func (s *Fixture) Seats(want Tables, teamID string, n int) {
	row := want["team"][teamID]
	row["member_count"], row["updated_at"] = row["member_count"].(float64)+float64(n), JSONTime(s.Now)
}

// Clears expects columns of a session to be NULL from now on.
func (s *Fixture) Clears(want Tables, sessionID string, columns ...string) {
	for _, column := range columns {
		want["session"][sessionID][column] = nil
	}
	want["session"][sessionID]["updated_at"] = JSONTime(s.Now)
}

const ActiveOrganization, ActiveTeam = "active_organization_id", "active_team_id"

// Sorted brings rows that come in no order into that of their ids.
func Sorted[T any](rows []T, err error) ([]T, error) {
	slices.SortFunc(rows, func(a, b T) int { return strings.Compare(RowID(a), RowID(b)) })
	return rows, err
}

// SubTests of one fixture, in order.
type SubTests = []struct {
	Name string
	Run  func(t *testing.T, s *Fixture)
}

func RunTests(t *testing.T, tests SubTests) {
	t.Helper()
	s := NewFixture(t)
	for _, test := range tests {
		t.Run(test.Name, func(t *testing.T) { test.Run(t, s) })
	}
}

// Deletes checks that remove leaves want, and finds nothing a second time.
func (s *Fixture) Deletes(t *testing.T, want Tables, op string, remove func() error) {
	t.Helper()
	if err := remove(); err != nil {
		t.Error(err)
	}
	s.Holds(t, want)
	Fails(t, remove(), authdb.ErrNotFound, op, "")
}

// Steps are updates, and what each makes of the row.
type Steps[P, T any] = []struct {
	Name   string
	Params P
	Change func(row *T)
}

// CheckUpdates changes a row step by step, each a minute after the other, and compares it and the whole database.
func CheckUpdates[P, T any](t *testing.T, s *Fixture, table string, row T, update func(P) (T, error), steps Steps[P, T]) {
	t.Helper()
	for _, step := range steps {
		t.Run(step.Name, func(t *testing.T) {
			want := ReadTables(t, s.Store)
			s.Now = s.Now.Add(time.Minute)
			SetTime(&row, "UpdatedAt", s.Now)
			step.Change(&row)
			Returns(t, row)(update(step.Params))
			want[table][RowID(row)] = AsRow(row)
			s.Holds(t, want)
		})
	}
}

// SetTime sets a field of a row, if it has it.
func SetTime(row any, field string, at time.Time) {
	switch f := reflect.ValueOf(row).Elem().FieldByName(field); f.Kind() {
	case reflect.Struct:
		f.Set(reflect.ValueOf(at))
	case reflect.Pointer:
		f.Set(reflect.ValueOf(&at))
	}
}

// SeatsOf are the params by which users join a team.
func SeatsOf(organizationID, teamID string, limit int, userIDs ...string) []authdb.CreateTeamMemberParams {
	ps := make([]authdb.CreateTeamMemberParams, len(userIDs))
	for i, userID := range userIDs {
		ps[i] = authdb.CreateTeamMemberParams{
			OrganizationID: organizationID, TeamID: teamID, UserID: userID, MaxMembers: limit,
		}
	}
	return ps
}

// ExpectSeat expects the user in one team more. The id of that row is made in SQL.
func (s *Fixture) ExpectSeat(t *testing.T, want Tables, teamID, userID string) {
	t.Helper()
	found := ""
	for id, row := range ReadTables(t, s.Store)["team_member"] {
		if row["team_id"] == teamID && row["user_id"] == userID {
			found = id
		}
	}
	if !regexp.MustCompile(`^[0-9a-zA-Z]{32}$`).MatchString(found) {
		t.Errorf("a seat with the id %q", found)
	}
	want["team_member"][found] = AsRow(authdb.TeamMember{
		ID: found, TeamID: teamID, UserID: userID, CreatedAt: &s.Now, MembershipKey: MembershipKey(teamID, userID),
	})
	s.Seats(want, teamID, 1)
}
