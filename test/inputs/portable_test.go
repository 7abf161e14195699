package inputs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestTeamsOfInvitationRewritten: a team that goes leaves the list of every pending invitation that names it, wherever it
// stands and however it is written; no other team does.
func TestTeamsOfInvitationRewritten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := authdbtest.New(t)
	c := newCast(t, s)
	names := []string{"gone", "gon", "gonee", "a", "", " ", "gone ", "  gone", ".*", "g,one"}
	lists := []string{"gone", " gone ", "gone,gone", "gone,,gone", "a,gone", "gone , a", ",gone", "gone,", "a,gone,gone,b", "gonegone,gone"}
	for range 300 {
		var list []string
		for range 1 + rand.IntN(5) {
			list = append(list, names[rand.IntN(len(names))])
		}
		lists = append(lists, strings.Join(list, ","))
	}
	kit.Exec(t, s, `INSERT INTO team (id, name, organization_id, created_at) VALUES ('gone', '', '`+c.org.ID+`', now())`)
	for i, list := range lists {
		kit.Must[pgconn.CommandTag](t)(s.Pool().Exec(ctx, `INSERT INTO invitation (id, organization_id, email, status, team_id, expires_at, created_at, inviter_id)
			VALUES ($1, $2, $1, 'pending', $3, now() + interval '1 day', now(), $4)`, fmt.Sprint("list", i), c.org.ID, list, c.owner.ID))
	}
	if err := s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: c.org.ID, TeamID: "gone"}); err != nil {
		t.Fatal(err)
	}
	rewritten := 0
	for i, list := range lists {
		var stay []string
		named := false
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.Trim(name, " "); name == "gone" {
				named = true
			} else {
				stay = append(stay, name)
			}
		}
		want := list
		if named {
			rewritten++
			want = strings.Trim(strings.Join(stay, ","), ",")
		}
		var got *string
		if err := s.Pool().QueryRow(ctx, `SELECT team_id FROM invitation WHERE id = $1`, fmt.Sprint("list", i)).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got == nil && want != "" || got != nil && (*got != want || want == "" && named) {
			t.Errorf("%q became %v, want %q", list, got, want)
		}
	}
	if rewritten < 100 {
		t.Errorf("only %d lists had it", rewritten)
	}
}

// TestSingleStatementsAreRepeated: a method that is one statement is run again, too, where the server ended it for
// another's sake.
func TestSingleStatementsAreRepeated(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := authdbtest.New(t)
	c := newCast(t, s)
	kit.Exec(t, s, `INSERT INTO invitation (id, organization_id, email, status, expires_at, created_at, inviter_id)
		SELECT 'late' || n, '`+c.org.ID+`', n, 'pending', '2020-01-01', '2020-01-01', '`+c.owner.ID+`' FROM generate_series(1, 9) n;
		CREATE FUNCTION victim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('victims') <= 3 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
			RETURN NEW; END $$;
		CREATE SEQUENCE victims;
		CREATE TRIGGER victim BEFORE UPDATE ON invitation FOR EACH STATEMENT EXECUTE FUNCTION victim()`)
	if n, err := s.Invitations.CancelExpired(ctx, c.org.ID); err != nil || n != 9 {
		t.Errorf("CancelExpired: %d, %v", n, err)
	}
	kit.Exec(t, s, `ALTER SEQUENCE victims RESTART`)
	if _, err := s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: c.invitation.ID, UserID: c.guest.ID}); err != nil {
		t.Errorf("Reject: %v", err)
	}
	var tries int
	if err := s.Pool().QueryRow(ctx, `SELECT last_value FROM victims`).Scan(&tries); err != nil || tries < 4 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
