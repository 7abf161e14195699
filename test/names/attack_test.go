package names_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// TestAttack: what a role with no right but CREATE on public plants there is not run as the store's role.
func TestAttack(t *testing.T) {
	ctx := t.Context()
	conn, dsn := connect(t)
	role := hostile(t, conn)
	store, err := authdb.Open(ctx, dsn, authdb.WithInsecureTLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	session := authdbtest.Session(t, store)
	org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = session.UserID })
	team := authdbtest.Team(t, store, func(p *authdb.CreateTeamParams) { p.OrganizationID = org.ID })
	code := authdbtest.Verification(t, store, func(p *authdb.CreateVerificationParams) { p.Value = "123456:0" })

	exec(t, conn, "SET ROLE "+role)
	exec(t, conn, `CREATE TABLE public.loot (token text);
		GRANT INSERT ON public.loot TO PUBLIC;
		CREATE FUNCTION public.cardinality(ids text[]) RETURNS integer LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO public.loot SELECT token FROM public.session; RETURN pg_catalog.cardinality(ids); END $$;
		CREATE FUNCTION public.joined(a text, b integer) RETURNS text LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO public.loot SELECT token FROM public.session; RETURN pg_catalog.concat(a, b); END $$;
		CREATE OPERATOR public.|| (FUNCTION = public.joined, LEFTARG = text, RIGHTARG = integer)`)
	exec(t, conn, "RESET ROLE")

	for name, call := range map[string]func() error{
		"a function": func() error {
			_, err := store.Invitations.Create(ctx, authdb.CreateInvitationParams{
				OrganizationID: org.ID, InviterID: session.UserID, Email: "new@example.com", TeamIDs: []string{team.ID},
			})
			return err
		},
		"an operator": func() error {
			err := store.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: code.Identifier, Code: "000000"})
			if errors.Is(err, authdb.ErrWrongCode) {
				return nil
			}
			return err
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var n int
		if err := conn.QueryRow(ctx, `WITH gone AS (DELETE FROM public.loot RETURNING 1) SELECT pg_catalog.count(*) FROM gone`).
			Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d session tokens were read, %v", name, n, err)
		}
	}
}

// TestTemporary: what a session has made in pg_temp stands in for no table and no type of the search path.
func TestTemporary(t *testing.T) {
	ctx := t.Context()
	store := authdbtest.New(t, authdb.WithPoolConfig(func(c *pgxpool.Config) { c.MaxConns = 1 }))
	exec(t, store.Pool(), `CREATE TEMPORARY TABLE "user" (LIKE public."user");
		CREATE TEMPORARY TABLE session (LIKE public.session);
		CREATE TEMPORARY TABLE text (no text)`)

	session := authdbtest.Session(t, store)
	if _, err := store.Sessions.Authenticate(ctx, session.Token); err != nil {
		t.Error(err)
	}
	if _, err := store.Users.List(ctx, authdb.ListUsersParams{}); err != nil {
		t.Error(err)
	}
	var lasting, temporary int
	if err := store.Pool().QueryRow(ctx, `SELECT (SELECT pg_catalog.count(*) FROM public."user") +
			(SELECT pg_catalog.count(*) FROM public.session), (SELECT pg_catalog.count(*) FROM pg_temp."user") +
			(SELECT pg_catalog.count(*) FROM pg_temp.session)`).Scan(&lasting, &temporary); err != nil || lasting != 2 || temporary != 0 {
		t.Errorf("%d lasting rows, %d temporary ones, %v", lasting, temporary, err)
	}
}
