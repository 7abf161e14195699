package migrate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb/migrate"
)

// states are those of a status, by version.
func states(s migrate.Status) map[int]string {
	m := map[int]string{}
	for _, one := range s.Migrations {
		m[one.Version] = one.State
	}
	return m
}

// all is the state of each of the versions, with changes.
func all(from, to int, state string, but map[int]string) map[int]string {
	m := map[int]string{}
	for v := from; v <= to; v++ {
		m[v] = state
	}
	for v, s := range but {
		m[v] = s
	}
	return m
}

func status(t *testing.T, m *migrate.Migrator) migrate.Status {
	t.Helper()
	s, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatus(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	before := everything(t, conn)
	s := status(t, m)
	if diff := cmp.Diff(all(1, newest, migrate.StatePending, nil), states(s)); diff != "" || s.Version != 0 || s.Latest != newest || !s.Pending() || s.Troubled() {
		t.Errorf("an empty database: %+v\n%s", s, diff)
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Errorf("status changed (-before +after):\n%s", diff)
	}

	mustGoto(t, m, 4)
	s = status(t, m)
	if diff := cmp.Diff(all(1, newest, migrate.StatePending, all(1, 4, migrate.StateApplied, nil)), states(s)); diff != "" || !s.Pending() || s.Troubled() {
		t.Errorf("version 4 (-want +got):\n%s", diff)
	}
	for _, one := range s.Migrations {
		if (one.AppliedAt != nil) != (one.Version <= 4) || len(one.SHA256) != 64 || one.Name == "" {
			t.Errorf("%+v", one)
		}
	}

	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	s = status(t, m)
	if states(s)[4] != migrate.StateDirty || !s.Dirty || states(s)[3] != migrate.StateApplied {
		t.Errorf("dirty: %+v", states(s))
	}
	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = false`)

	// The same database, to programs of other files.
	for _, tt := range []struct {
		name    string
		changes map[string]string
		want    map[int]string
	}{
		{"edited", map[string]string{"0002_invitation_inviter_index.up.sql": "SELECT 1"}, map[int]string{2: migrate.StateEdited}},
		{"missing", map[string]string{"0003_better_auth_1_7_columns.up.sql": ""}, map[int]string{3: migrate.StateMissing}},
	} {
		other := migrator(t, dsn, migrate.WithFiles(migrate.Options{}, files(t, tt.changes)))
		s := status(t, other)
		want := all(1, newest, migrate.StatePending, all(1, 4, migrate.StateApplied, tt.want))
		if diff := cmp.Diff(want, states(s)); diff != "" || !s.Troubled() {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestStatusOfALateFile: it is said, where golang-migrate would pass over it in silence.
func TestStatusOfALateFile(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 3)
	exec(t, conn, `DELETE FROM authdb.schema_history WHERE version = 2; DROP INDEX "invitation_inviterId_idx"`)
	want := all(1, newest, migrate.StatePending, map[int]string{1: migrate.StateApplied, 2: migrate.StateLate, 3: migrate.StateApplied})
	for range 2 { // Up does not make it look applied
		s := status(t, m)
		if diff := cmp.Diff(want, states(s)); diff != "" || !s.Troubled() {
			t.Errorf("(-want +got):\n%s", diff)
		}
		again := migrator(t, dsn, migrate.Options{})
		_ = m.Close()
		mustGoto(t, again, 4)
		want[4] = migrate.StateApplied
		m = again
	}
}

// TestStatusOfANewerDatabase: what this program knows nothing of is missing here, whoever applied it.
func TestStatusOfANewerDatabase(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	more := fmt.Sprintf("%04d_more", newest+1)
	newer := migrator(t, dsn, migrate.WithFiles(migrate.Options{}, files(t, map[string]string{
		more + ".up.sql": "CREATE TABLE more (id text)", more + ".down.sql": "DROP TABLE more",
	})))
	if err := newer.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := migrator(t, dsn, migrate.Options{})
	want := all(1, newest, migrate.StateApplied, map[int]string{newest + 1: migrate.StateMissing})
	s := status(t, m)
	if diff := cmp.Diff(want, states(s)); diff != "" || !s.Troubled() || s.Migrations[newest].Name != more || s.Migrations[newest].AppliedAt == nil {
		t.Errorf("%+v (-want +got):\n%s", s.Migrations[newest], diff)
	}
	exec(t, conn, fmt.Sprintf(`DELETE FROM authdb.schema_history WHERE version = %d`, newest+1))
	s = status(t, m)
	if diff := cmp.Diff(want, states(s)); diff != "" || s.Migrations[newest].AppliedAt != nil {
		t.Errorf("without a note (-want +got):\n%s", diff)
	}
	_ = newer.Close()
	for name, f := range map[string]func() error{
		"up":   func() error { return m.Up(t.Context()) },
		"down": func() error { return m.Down(t.Context(), 1) },
		"goto": func() error { return m.Goto(t.Context(), 99) },
		"plan": func() error { _, err := m.Plan(t.Context(), 3); return err },
	} {
		if err := f(); !errors.Is(err, migrate.ErrUnknownVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHistoryIsCaughtUp: golang-migrate alone takes no note, nor does a process that ends between a migration and its
// note. What it applied is applied, and the next migrator notes it.
func TestHistoryIsCaughtUp(t *testing.T) {
	t.Parallel()
	conn, dsn := migrated(t)
	for _, lost := range []string{`DROP TABLE authdb.schema_history`, `DELETE FROM authdb.schema_history WHERE version > 11`} {
		exec(t, conn, lost)
		m := migrator(t, dsn, migrate.Options{})
		s := status(t, m)
		if diff := cmp.Diff(all(1, newest, migrate.StateApplied, nil), states(s)); diff != "" || s.Migrations[newest-1].AppliedAt != nil {
			t.Errorf("%s (-want +got):\n%s", lost, diff)
		}
		if err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		s = status(t, m)
		for _, one := range s.Migrations {
			if one.State != migrate.StateApplied || one.AppliedAt == nil {
				t.Errorf("%s: %+v", lost, one)
			}
		}
		_ = m.Close()
	}
	// The way down forgets.
	m := migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 12)
	exec(t, conn, fmt.Sprintf(`INSERT INTO authdb.schema_history VALUES (%d, 'undone', '', now())`, newest))
	if got := states(status(t, m))[newest]; got != migrate.StatePending {
		t.Errorf("undone, but noted: %s", got)
	}
	_ = m.Close()
	m = migrator(t, dsn, migrate.Options{})
	mustGoto(t, m, 12)
	if diff := cmp.Diff([]string{"12"}, collect(t, conn, `SELECT max(version)::text FROM authdb.schema_history`)); diff != "" {
		t.Error(diff)
	}
}

// TestPlan says what Goto will run, and runs nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	conn, dsn := database(t)
	m := migrator(t, dsn, migrate.Options{})
	versions := func(to int) []int {
		t.Helper()
		plan, err := m.Plan(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		list := []int{}
		for _, p := range plan {
			if p.SQL == "" || p.Name == "" {
				t.Errorf("%+v", p)
			}
			list = append(list, p.Version)
		}
		return list
	}
	before := everything(t, conn)
	if diff := cmp.Diff([]int{1, 2, 3}, versions(3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Error(diff)
	}
	mustGoto(t, m, 2)
	// The columns of Better Auth 1.7 and their key are there: what is left is to fill them.
	byHand(t, conn, 3)
	exec(t, conn, `ALTER TABLE team_member ADD CONSTRAINT team_member_membership_key_key UNIQUE (membership_key)`)
	if diff := cmp.Diff([]int{4, 7}, versions(7)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 1}, versions(0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{}, versions(2)); diff != "" {
		t.Error(diff)
	}
	if _, err := m.Plan(t.Context(), 99); !errors.Is(err, migrate.ErrUnknownVersion) {
		t.Error(err)
	}
	exec(t, conn, `UPDATE authdb.schema_migrations SET dirty = true`)
	if _, err := m.Plan(t.Context(), 3); !errors.Is(err, migrate.ErrDirty) {
		t.Error(err)
	}
}
