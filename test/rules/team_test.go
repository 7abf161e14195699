package rules_test

import (
	"context"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doCreateTeam(organization string, limit int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return kit.ErrOf(s.Teams.Create(ctx, authdb.CreateTeamParams{
			OrganizationID: organization, Name: "New", MaxTeams: limit,
		}))
	}
}

func doDeleteTeam(organization, team string, last bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: organization, TeamID: team, AllowLast: last})
	}
}

func doRenameTeam(organization, team string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Teams.Update(ctx, organization, team, authdb.UpdateTeamParams{Name: authdb.Set("New")})
		return returned(row.ID, team, err)
	}
}

func doRecount(organization string, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Teams.RecountMembers(ctx, organization)
		return returned(int(n), want, err)
	}
}

func teamScenarios() []scenario {
	return []scenario{
		{
			name:    "a team is added",
			free:    []string{"organization acme"},
			do:      doCreateTeam("acme", 0),
			changes: `+ team new1 member_count=0 name=New organization_id=acme`,
		},
		{name: "a team is added up to the limit", do: doCreateTeam("acme", 3), changes: `+ team new1 member_count=0 name=New organization_id=acme`},
		{name: "no team is added beyond the limit", do: doCreateTeam("acme", 2), fails: authdb.ErrLimitReached},
		{
			name: "adding a team waits for another",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team VALUES ('green',
				'Green', 'acme', '2026-06-01')`,
			do:      doCreateTeam("acme", 3),
			fails:   authdb.ErrLimitReached,
			changes: `+ team green member_count=0 name=Green organization_id=acme`,
		},
		{name: "an update changes one team", do: doRenameTeam("acme", "red"), changes: `~ team red name=New updated`},
		{name: "nobody updates a team of another organization", do: doRenameTeam("globex", "red"), fails: authdb.ErrNotFound},
		{
			name:    "counts are put right",
			given:   "UPDATE team SET member_count = 9 WHERE id IN ('red', 'gold')",
			do:      doRecount("acme", 1),
			changes: `~ team red member_count=2 updated`,
		},
		{
			name: "a recount waits for a seat that is being taken",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('red-olga', 'red', 'olga'); UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doRecount("acme", 0),
			changes: `
				+ team_member red-olga team_id=red user_id=olga
				~ team red member_count=3`,
		},
		{
			name: "a team is deleted, and is active no longer",
			given: `INSERT INTO invitation SELECT 'odd', 'globex', 'hal@x.io', role, 'red', status, expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			do:      doDeleteTeam("acme", "red", false),
			changes: redDeleted,
		},
		{
			name:    "invitations that are over keep a deleted team",
			given:   "UPDATE invitation SET team_id = 'red , gone' WHERE id = 'to-eve'",
			do:      doDeleteTeam("acme", "blue", false),
			changes: blueDeleted,
		},
		{name: "the last team stays", given: "DELETE FROM team WHERE id = 'blue'", do: doDeleteTeam("acme", "red", false), fails: authdb.ErrLastTeam},
		{name: "the last team goes where that is allowed", given: "DELETE FROM team WHERE id = 'blue'", do: doDeleteTeam("acme", "red", true), changes: redDeleted},
		{
			name:  "nobody deletes a team of another organization",
			free:  []string{"team none"},
			do:    doDeleteTeam("globex", "red", true),
			fails: authdb.ErrNotFound,
		},
		{name: "no team is deleted that is not there", do: doDeleteTeam("acme", "none", false), fails: authdb.ErrNotFound},
		{name: "deleting a team leaves all others alone", free: []string{"team red"}, do: doDeleteTeam("acme", "red", true), changes: redDeleted},
		{
			name:  "deleting a team waits for a server that deletes the other",
			rival: "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", false),
			fails: authdb.ErrLastTeam,
			changes: `
				- team blue
				- team_member blue-ann`,
		},
		{
			name:  "deleting a team waits for another operation",
			rival: "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:  "DELETE FROM team WHERE id = 'blue'",
			do:    doDeleteTeam("acme", "red", false),
			fails: authdb.ErrLastTeam,
			changes: `
				- team blue
				- team_member blue-ann`,
		},
		{
			name: "deleting a team waits for a session that makes it active",
			rival: `SELECT FROM team_member tm JOIN team t ON t.id = tm.team_id WHERE tm.id = 'red-bob' FOR KEY SHARE;
				UPDATE session SET active_organization_id = 'acme', active_team_id = 'red' WHERE id = 'bob2'`,
			do: doDeleteTeam("acme", "red", false),
			changes: `
				- team red
				- team_member red-ann,red-bob
				~ invitation to-cyd team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1,bob1,bob3 active_team_id=NULL updated
				~ session bob2 active_organization_id=acme active_team_id=NULL updated`,
		},
	}
}
