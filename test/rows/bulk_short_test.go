package rows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// manyMakers make what three rows of a table belong to, and return the one call that makes those; the id of the second
// is "odd".
var manyMakers = map[string]func(t *testing.T, s *authdb.Store) func(context.Context, *authdb.Store) (int, error){
	"user": func(*testing.T, *authdb.Store) func(context.Context, *authdb.Store) (int, error) {
		return func(ctx context.Context, s *authdb.Store) (int, error) {
			rows, err := s.Users.CreateMany(ctx, []authdb.CreateUserParams{
				{Email: "a@many.example"}, {ID: "odd", Email: "b@many.example"}, {Email: "c@many.example"},
			})
			return len(rows), err
		}
	},
	"session": func(t *testing.T, s *authdb.Store) func(context.Context, *authdb.Store) (int, error) {
		id := authdbtest.User(t, s).ID
		return func(ctx context.Context, s *authdb.Store) (int, error) {
			rows, err := s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: id}, {ID: "odd", UserID: id}, {UserID: id}})
			return len(rows), err
		}
	},
	"member": func(t *testing.T, s *authdb.Store) func(context.Context, *authdb.Store) (int, error) {
		org, ps := authdbtest.Organization(t, s).ID, []authdb.CreateMemberParams{}
		for _, id := range []string{"", "odd", ""} {
			ps = append(ps, authdb.CreateMemberParams{ID: id, OrganizationID: org, UserID: authdbtest.User(t, s).ID})
		}
		return func(ctx context.Context, s *authdb.Store) (int, error) {
			rows, err := s.Members.CreateMany(ctx, ps)
			return len(rows), err
		}
	},
	"team_member": func(t *testing.T, s *authdb.Store) func(context.Context, *authdb.Store) (int, error) {
		team, ps := authdbtest.Team(t, s), []authdb.CreateTeamMemberParams{}
		for _, id := range []string{"", "odd", ""} {
			member := authdbtest.Member(t, s, func(p *authdb.CreateMemberParams) { p.OrganizationID = team.OrganizationID })
			ps = append(ps, authdb.CreateTeamMemberParams{
				ID: id, OrganizationID: team.OrganizationID, TeamID: team.ID, UserID: member.UserID,
			})
		}
		return func(ctx context.Context, s *authdb.Store) (int, error) {
			rows, err := s.TeamMembers.CreateMany(ctx, ps)
			return len(rows), err
		}
	},
}

// TestCreateManyIsCounted: where the server makes fewer rows than were asked for, none is there afterwards, and the error
// says so; where row-level security lets them all through, they are, also if the role may not see them.
func TestCreateManyIsCounted(t *testing.T) {
	t.Parallel()
	const policy = `ALTER TABLE %[2]q ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON %[2]q %[1]s`
	const trigger = `CREATE FUNCTION leaves_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.id ~ '%s' THEN RETURN NULL; END IF; RETURN NEW; END $$;
		CREATE TRIGGER leaves_out BEFORE INSERT ON %q FOR EACH ROW EXECUTE FUNCTION leaves_out()`
	cases := map[string]struct {
		prepare, with string
		made          int
		says          string
	}{
		"all allowed":       {policy, "USING (true)", 3, ""},
		"a check":           {policy, "USING (true) WITH CHECK (id <> 'odd')", 0, "42501"},
		"no check":          {policy, "USING (id <> 'odd')", 0, "42501"},
		"an unseen row":     {policy, "FOR INSERT WITH CHECK (true)", 3, ""},
		"no right to write": {policy, "FOR SELECT USING (true)", 0, "42501"},
		"a trigger":         {trigger, "odd", 0, "only 2 would have been made"},
		"a trigger for all": {trigger, ".", 0, "only 0 would have been made"},
	}
	for table, prepared := range manyMakers {
		for name, c := range cases {
			if table == "team_member" && name == "an unseen row" {
				continue // who is in the team is looked for
			}
			t.Run(table+"/"+name, func(t *testing.T) {
				t.Parallel()
				ctx, admin := t.Context(), authdbtest.New(t)
				role := "role_" + strings.ToLower(kit.NewID())
				kit.Exec(t, admin, `CREATE ROLE `+role+`; GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role)
				t.Cleanup(func() {
					if _, err := admin.Pool().Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role); err != nil {
						t.Error(err)
					}
				})
				s := kit.Must[*authdb.Store](t)(authdb.Open(ctx, admin.Pool().Config().ConnString(), authdb.WithPoolConfig(
					func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["role"] = role })))
				defer s.Close()
				create := prepared(t, admin)
				kit.Exec(t, admin, fmt.Sprintf(c.prepare, c.with, table))
				before := len(kit.ReadTables(t, admin)[table])
				rows, err := create(ctx, s)
				e, _ := errors.AsType[*authdb.Error](err)
				if rows != c.made || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%d rows, %v", rows, err)
				}
				if e != nil && (e.Outcome != authdb.OutcomeNotApplied || e.Retry != authdb.RetryNever) {
					t.Errorf("%v, retry %v", e.Outcome, e.Retry)
				}
				if made := len(kit.ReadTables(t, admin)[table]) - before; made != c.made {
					t.Errorf("%d rows are there", made)
				}
			})
		}
	}
}
