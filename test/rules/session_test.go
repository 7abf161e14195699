package rules_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doLogin(user string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: user})
		return returned(row.UserID, user, err)
	}
}

// doAuthenticate asks for the session by itself and in a list, which must agree.
func doAuthenticate(session string, want ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		token, other := authdb.Secret("token-"+session), authdb.Secret("token-ann1")
		if token == other {
			other = "token-bob3"
		}
		opens := func(a authdb.Authentication) error {
			is := []string{a.Session.ID, a.User.ID, "", ""}
			if a.Member != nil {
				is[2] = a.Member.ID
			}
			if a.Team != nil {
				is[3] = a.Team.ID
			}
			return returned(strings.Join(is, " "), strings.Join(want, " "), nil)
		}
		a, err := s.Sessions.Authenticate(ctx, token)
		if err == nil {
			err = opens(a)
		}
		all, allErr := s.Sessions.AuthenticateMany(ctx, []authdb.Secret{"none", token, other})
		switch found := errors.Is(err, authdb.ErrNotFound); {
		case allErr != nil:
			return allErr
		case len(all) == 0 || all[len(all)-1].Session.Token != other || found == (len(all) == 2):
			return fmt.Errorf("alone %t, in a list %d rows", err == nil, len(all))
		case found:
			return err
		}
		return cmp.Or(err, opens(all[0]))
	}
}

func doRefresh(session string, due bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret("token-" + session)})
		return returned(fmt.Sprint(row.ID, row.Refreshed), fmt.Sprint(session, due), err)
	}
}

func doProlong(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.UpdateSessionParams{ExpiresAt: authdb.Set(noon.Add(time.Hour))}
		row, err := s.Sessions.UpdateByToken(ctx, authdb.Secret("token-"+session), p)
		return returned(row.ID, session, err)
	}
}

func doActivate(user, session, organization string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: user, Token: authdb.Secret("token-" + session), OrganizationID: organization,
		})
		return returned(row.ID, session, err)
	}
}

func doActivateTeam(user, session, team string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{
			UserID: user, Token: authdb.Secret("token-" + session), TeamID: team,
		})
		return returned(row.ID, session, err)
	}
}

func doRevoke(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Sessions.DeleteByToken(ctx, authdb.Secret("token-"+session))
	}
}

func doRevokeByID(user, session string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Sessions.Delete(ctx, user, session) }
}

func doRevokeTokens(sessions ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		tokens := make([]authdb.Secret, len(sessions))
		for i, session := range sessions {
			tokens[i] = authdb.Secret("token-" + session)
		}
		n, err := s.Sessions.DeleteByTokens(ctx, tokens)
		return returned(int(n), len(sessions), err)
	}
}

func doRevokeAll(user, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.Sessions.DeleteByUser(ctx, user)
		return returned(idsOf(rows, sessionID), want, err)
	}
}

func doRevokeOthers(user, session, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.Sessions.DeleteOthers(ctx, user, session)
		return returned(idsOf(rows, sessionID), want, err)
	}
}

func doPurge(limit, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Sessions.DeleteExpired(ctx, limit)
		return returned(int(n), want, err)
	}
}

var errNotDue = errors.New("not due")

// doRefreshed is doRefresh for one of many, of which one finds the session due.
func doRefreshed(session string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret("token-" + session)})
		if err == nil && !row.Refreshed {
			return errNotDue
		}
		return err
	}
}

func sessionScenarios(t *testing.T) []scenario {
	return []scenario{
		{
			name:    "a sign-in adds a session",
			do:      doLogin("dan"),
			changes: `+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=dan`,
		},
		{
			name: "sessions are added",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.Some(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: "dan"}, {UserID: "bob", ActiveTeamID: new("red")}}))
			},
			changes: `
				+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=dan
				+ session new3 active_team_id=red expires_at=06-08T12:00:00 ip_address= token=token4 user_agent= user_id=bob`,
		},
		{
			name: "sessions are activated, each by its token",
			run:  inTurn(doActivate("bob", "bob1", "acme"), doActivate("bob", "bob2", "globex"), doActivate("bob", "bob3", "globex")),
		},
		{name: "a session opens its organization and team", do: doAuthenticate("ann1", "ann1", "ann", "acme-ann", "red")},
		{
			name:  "a session opens no organization unless one is active",
			given: "UPDATE session SET active_organization_id = NULL WHERE id = 'bob1'",
			do:    doAuthenticate("bob1", "bob1", "bob", "", ""),
		},
		{
			name:  "a session opens no team unless one is active",
			given: "UPDATE session SET active_team_id = NULL WHERE id = 'bob1'",
			do:    doAuthenticate("bob1", "bob1", "bob", "acme-bob", ""),
		},
		{
			name:  "a session opens no organization that its user has left",
			given: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doAuthenticate("bob1", "bob1", "bob", "", ""),
		},
		{
			name:  "a session opens no team that its user has left",
			given: "DELETE FROM team_member WHERE id = 'red-bob'",
			do:    doAuthenticate("bob1", "bob1", "bob", "acme-bob", ""),
		},
		{name: "a session opens no team of another organization", do: doAuthenticate("bob3", "bob3", "bob", "globex-bob", "")},
		{name: "an expired session opens nothing", do: doAuthenticate("bob-old"), fails: authdb.ErrNotFound},
		{name: "a refresh prolongs a session that is due", do: doRefresh("ann1", true), changes: `~ session ann1 expires_at=06-08T12:00:00 updated`},
		{name: "a refresh leaves a session that is not due", do: doRefresh("bob2", false)},
		{
			name:  "a refresh leaves a session that was made for a day",
			given: "UPDATE session SET created_at = expires_at - interval '1 day' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:  "a refresh leaves a session that was made for an hour, whenever it was changed",
			given: "UPDATE session SET created_at = '2026-06-01 11:30', expires_at = '2026-06-01 12:30', updated_at = '2026-06-01 11:59' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:  "a refresh leaves a session that is a second short of the lifetime",
			given: "UPDATE session SET created_at = expires_at - interval '7 days -1 second' WHERE id = 'ann1'",
			do:    doRefresh("ann1", false),
		},
		{
			name:    "a refresh prolongs a session that was written a moment after its end was reckoned",
			given:   "UPDATE session SET created_at = expires_at - interval '7 days -0.999 seconds' WHERE id = 'ann1'",
			do:      doRefresh("ann1", true),
			changes: `~ session ann1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name: "a refresh leaves a session that impersonates, however long it was made for",
			given: `ALTER TABLE session ADD COLUMN IF NOT EXISTS impersonated_by text;
				UPDATE session SET impersonated_by = 'olga' WHERE id = 'ann1'`,
			do: doRefresh("ann1", false),
		},
		{name: "a refresh brings back no expired session", do: doRefresh("bob-old", false), fails: authdb.ErrNotFound},
		{name: "a refresh brings back no revoked session", do: doRefresh("gone", false), fails: authdb.ErrNotFound},
		{
			name:    "a team is not made active in an organization that is active no longer",
			rival:   "UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'",
			do:      doActivateTeam("bob", "bob1", "red"),
			fails:   authdb.ErrNotMember,
			changes: `~ session bob1 active_organization_id=globex`,
		},
		{
			name:    "a refresh waits for a revocation and fails",
			rival:   "DELETE FROM session WHERE id = 'bob1'",
			do:      doRefresh("bob1", true),
			fails:   authdb.ErrNotFound,
			changes: `- session bob1`,
		},
		{
			name: "a refresh waits for another and leaves it",
			rival: `UPDATE session SET expires_at = '2026-06-08 12:00', updated_at = '2026-06-01 12:00' WHERE id =
				'bob1'`,
			do:      doRefresh("bob1", false),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{name: "an update changes one session", do: doProlong("ann1"), changes: `~ session ann1 expires_at=06-01T13:00:00 updated`},
		{
			name:    "a member's session changes its organization, and loses a team of another",
			free:    []string{"organization globex", "member globex-bob"},
			do:      doActivate("bob", "bob1", "globex"),
			changes: `~ session bob1 active_organization_id=globex active_team_id=NULL updated`,
		},
		{
			name:    "a session keeps a team of the organization that it enters",
			do:      doActivate("bob", "bob3", "acme"),
			changes: `~ session bob3 active_organization_id=acme updated`,
		},
		{
			name:    "a session keeps no team that its user is not in",
			given:   "UPDATE session SET active_team_id = 'blue' WHERE id = 'bob1'",
			do:      doActivate("bob", "bob1", "acme"),
			changes: `~ session bob1 active_team_id=NULL updated`,
		},
		{
			name:    "a session leaves its organization",
			do:      doActivate("bob", "bob1", ""),
			changes: `~ session bob1 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{name: "nobody makes an organization active in another's session", do: doActivate("ann", "bob1", "acme"), fails: authdb.ErrNotFound},
		{name: "nobody makes an organization active in an expired session", do: doActivate("bob", "bob-old", "globex"), fails: authdb.ErrNotFound},
		{name: "nobody makes an organization active without a membership", do: doActivate("dan", "dan1", "acme"), fails: authdb.ErrNotMember},
		{name: "a member of another organization makes none active", do: doActivate("otto", "otto1", "acme"), fails: authdb.ErrNotMember},
		{
			name:    "making an organization active waits for the member's removal",
			rival:   "DELETE FROM member WHERE id = 'globex-bob'",
			do:      doActivate("bob", "bob1", "globex"),
			fails:   authdb.ErrNotMember,
			changes: `- member globex-bob`,
		},
		{
			name:  "making an organization active waits for its deletion",
			rival: "SELECT FROM organization WHERE id = 'globex' FOR UPDATE",
			then:  "DELETE FROM organization WHERE id = 'globex'",
			do:    doActivate("bob", "bob1", "globex"),
			fails: authdb.ErrNotMember,
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- team gold
				- team_member gold-bob,gold-otto`,
		},
		{
			name:    "a team member's session changes its team",
			free:    []string{"team blue", "team_member blue-ann"},
			do:      doActivateTeam("ann", "ann1", "blue"),
			changes: `~ session ann1 active_team_id=blue updated`,
		},
		{
			name:    "a session enters a team",
			given:   "UPDATE session SET active_team_id = NULL WHERE id = 'bob1'",
			free:    []string{"organization acme", "member acme-bob", "team red", "team_member red-bob"},
			do:      doActivateTeam("bob", "bob1", "red"),
			changes: `~ session bob1 active_team_id=red updated`,
		},
		{name: "a session leaves its team", do: doActivateTeam("bob", "bob1", ""), changes: `~ session bob1 active_team_id=NULL updated`},
		{name: "a session enters no team that its user is not in", do: doActivateTeam("bob", "bob1", "blue"), fails: authdb.ErrNotMember},
		{name: "a session enters no team of another organization", do: doActivateTeam("bob", "bob1", "gold"), fails: authdb.ErrNotMember},
		{name: "a session enters no team of an organization that is not active", do: doActivateTeam("bob", "bob2", "red"), fails: authdb.ErrNotMember},
		{
			name:  "a session enters no team of an organization that its user has left",
			given: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doActivateTeam("bob", "bob1", "red"),
			fails: authdb.ErrNotMember,
		},
		{name: "nobody makes a team active in another's session", do: doActivateTeam("ann", "bob1", "red"), fails: authdb.ErrNotFound},
		{name: "nobody makes a team active in an expired session", do: doActivateTeam("bob", "bob-old", "red"), fails: authdb.ErrNotFound},
		{
			name:    "making a team active waits for the team member's removal",
			rival:   "DELETE FROM team_member WHERE id = 'red-bob'",
			do:      doActivateTeam("bob", "bob1", "red"),
			fails:   authdb.ErrNotMember,
			changes: `- team_member red-bob`,
		},
		{
			name:  "making a team active waits for its deletion",
			rival: "SELECT FROM team WHERE id = 'red' FOR UPDATE",
			then:  "DELETE FROM team WHERE id = 'red'",
			do:    doActivateTeam("bob", "bob1", "red"),
			fails: authdb.ErrNotMember,
			changes: `
				- team red
				- team_member red-ann,red-bob`,
		},
		{name: "a revocation by token ends one session", do: doRevoke("bob1"), changes: `- session bob1`},
		{name: "a revocation by tokens ends those sessions", do: doRevokeTokens("bob1", "ann1"), changes: `- session ann1,bob1`},
		{name: "a revocation by id ends one session", do: doRevokeByID("bob", "bob1"), changes: `- session bob1`},
		{name: "nobody revokes another's session", do: doRevokeByID("ann", "bob1"), fails: authdb.ErrNotFound},
		{name: "revoking all ends all of a user's sessions", free: []string{"user bob"}, do: doRevokeAll("bob", "bob-old bob1 bob2 bob3"), changes: `- session bob-old,bob1,bob2,bob3`},
		{
			name: "revoking all waits for a sign-in and ends it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do:      doRevokeAll("ann", "ann1 ann2 ann3"),
			changes: `- session ann1,ann2`,
		},
		{name: "revoking the others keeps one", free: []string{"user bob"}, do: doRevokeOthers("bob", "bob2", "bob-old bob1 bob3"), changes: `- session bob-old,bob1,bob3`},
		{
			name: "revoking the others waits for a sign-in and ends it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do:      doRevokeOthers("ann", "ann1", "ann2 ann3"),
			changes: `- session ann2`,
		},
		{name: "a purge takes the expired sessions only", do: doPurge(100, 2), changes: `- session bob-old,dan-old`},
		{name: "a purge takes the oldest first", do: doPurge(1, 1), changes: `- session dan-old`},
		{
			name:  "a purge passes over a session that is being refreshed",
			rival: "UPDATE session SET expires_at = '2026-06-08 12:00' WHERE id = 'bob-old'",
			skips: true,
			do:    doPurge(100, 1),
			changes: `
				- session dan-old
				~ session bob-old expires_at=06-08T12:00:00`,
		},
		{name: "of many refreshes one writes", run: storm(kit.Hard(t, 20, 200), func(int) operation { return doRefreshed("bob1") }, errNotDue)},
	}
}
