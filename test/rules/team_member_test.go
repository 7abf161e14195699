package rules_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doJoin(organization, team string, limit int, users ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		rows, err := s.TeamMembers.CreateMany(ctx, kit.SeatsOf(organization, team, limit, users...))
		if err != nil {
			return err
		}
		var is, want string
		for _, row := range rows {
			is += " " + row.TeamID + "-" + row.UserID
		}
		for _, user := range users {
			want += " " + team + "-" + user
		}
		return returned(is, want, nil)
	}
}

func doQuit(organization, team, user string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.TeamMembers.DeleteByUser(ctx, organization, team, user)
	}
}

func teamMemberScenarios() []scenario {
	return []scenario{
		{name: "a key of membership is there once", run: keyOnce},
		{name: "a member joins a team", free: []string{"organization acme", "member acme-bob"}, do: doJoin("acme", "blue", 0, "bob"), changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`},
		{name: "members join a team once, in the order given", do: doJoin("acme", "blue", 0, "olga", "bob", "ann"), changes: `
				+ team_member new1 team_id=blue user_id=olga
				+ team_member new2 team_id=blue user_id=bob
				~ team blue member_count=3 updated`},
		{
			name: "who is in the team joins nothing",
			free: []string{"organization acme", "member acme-bob", "team red", "team_member red-bob"},
			do:   doJoin("acme", "red", 0, "bob"),
		},
		{name: "who is in a full team needs no seat", do: doJoin("acme", "red", 1, "bob")},
		{name: "members join a team all or none", do: doJoin("acme", "blue", 0, "bob", "dan"), fails: authdb.ErrNotMember},
		{
			name: "nobody joins a team by a key that is another's",
			given: `UPDATE team_member SET membership_key = translate(rtrim(encode(sha256('["blue","bob"]'), 'base64'), '='),
				'+/', '-_') WHERE id = 'gold-bob'`,
			do:    doJoin("acme", "blue", 0, "olga", "bob"),
			fails: authdb.ErrConflict,
		},
		{name: "nobody joins a team without a membership", do: doJoin("acme", "red", 0, "dan"), fails: authdb.ErrNotMember},
		{name: "a member of another organization joins no team", do: doJoin("acme", "red", 0, "otto"), fails: authdb.ErrNotMember},
		{name: "a team of another organization is not there", free: []string{"team none"}, do: doJoin("globex", "red", 0, "otto"), fails: authdb.ErrNotFound},
		{name: "nobody joins a team that is not there", do: doJoin("acme", "none", 0, "bob"), fails: authdb.ErrNotFound},
		{name: "a member joins a team up to the limit", do: doJoin("acme", "blue", 2, "bob"), changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`},
		{name: "nobody joins a team beyond the limit", do: doJoin("acme", "red", 2, "olga"), fails: authdb.ErrLimitReached},
		{
			name:  "a seat that is counted is taken",
			given: "UPDATE team SET member_count = 4 WHERE id = 'red'",
			do:    doJoin("acme", "red", 4, "olga"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "a seat that is not counted is taken",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doJoin("acme", "red", 2, "olga"),
			fails: authdb.ErrLimitReached,
		},
		{
			name:    "joining waits for a server that removes the member",
			rival:   "DELETE FROM member WHERE id = 'acme-bob'",
			do:      doJoin("acme", "blue", 0, "bob"),
			fails:   authdb.ErrNotMember,
			changes: `- member acme-bob`,
		},
		{
			name:  "joining waits for a server that removes the member, and then the seats",
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			then:  "SELECT FROM team WHERE id = 'blue' FOR NO KEY UPDATE NOWAIT",
			do:    doJoin("acme", "blue", 0, "bob"),
			fails: authdb.ErrNotMember, changes: `- member acme-bob`,
		},
		{
			name: "joining holds a membership that came while it waited",
			run: func(ctx context.Context, s *stage) error {
				var others []*actor
				for i, begun := range []string{
					`UPDATE team SET member_count = member_count WHERE id = 'blue'`,
					`INSERT INTO team_member (id, team_id, user_id) VALUES ('blue-dan', 'blue', 'dan')`,
				} {
					other, err := s.actor(ctx, i+1)
					if err != nil {
						return err
					}
					if _, err := other.conn.Exec(ctx, "BEGIN;"+begun); err != nil {
						return err
					}
					defer func() { _, _ = other.conn.Exec(ctx, "ROLLBACK") }()
					others = append(others, other)
				}
				joins, err := s.actor(ctx, 0)
				if err != nil {
					return err
				}
				op := joins.start(ctx, doJoin("acme", "blue", 0, "dan"))
				for i, meanwhile := range []string{
					`INSERT INTO member (id, organization_id, user_id, created_at) VALUES ('acme-dan', 'acme', 'dan', '2026-06-01')`,
					`SELECT FROM member WHERE id = 'acme-dan' FOR UPDATE NOWAIT`,
				} {
					if waits, err := op.waits(ctx, others[i]); err != nil || !waits {
						return fmt.Errorf("waits for the other: %v (%w)", waits, errors.Join(err, op.ended()))
					}
					_, err := s.admin.Exec(ctx, meanwhile)
					if locked := strings.Contains(fmt.Sprint(err), "could not obtain lock"); locked != (i == 1) || err != nil && !locked {
						return fmt.Errorf("the membership is locked: %v (%w)", locked, err)
					}
					if _, err := others[i].conn.Exec(ctx, "ROLLBACK"); err != nil {
						return err
					}
				}
				return op.wait(ctx)
			},
		},
		{
			name:  "joining waits for another that takes the last seat",
			given: "INSERT INTO member VALUES ('acme-dan', 'acme', 'dan', 'member', '2026-01-01')",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('red-dan', 'red', 'dan')`,
			do:      doJoin("acme", "red", 3, "olga"),
			fails:   authdb.ErrLimitReached,
			changes: `+ team_member red-dan team_id=red user_id=dan`,
		},
		{
			name:    "joining waits for a server that reserves the last seat",
			rival:   "UPDATE team SET member_count = member_count + 1 WHERE id = 'red' AND member_count < 3",
			do:      doJoin("acme", "red", 3, "olga"),
			fails:   authdb.ErrLimitReached,
			changes: `~ team red member_count=3`,
		},
		{
			name:  "joining waits for a server that takes the seat away",
			rival: "DELETE FROM team_member WHERE id = 'red-bob'",
			do:    doJoin("acme", "red", 0, "bob"),
			changes: `
				+ team_member new1 team_id=red user_id=bob
				- team_member red-bob
				~ team red member_count=3 updated`,
		},
		{
			name:    "joining waits for a server that adds the same",
			rival:   "INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga')",
			do:      doJoin("acme", "red", 0, "olga"),
			changes: `+ team_member red-olga team_id=red user_id=olga`,
		},
		{
			name: "joining locks members in order",
			run: inOrder(`SELECT FROM member WHERE id = 'acme-olga' FOR UPDATE`,
				`SELECT FROM member WHERE id = 'acme-bob' FOR UPDATE`, doJoin("acme", "blue", 0, "olga", "bob")),
		},
		{
			name: "joining locks seats in order",
			run: inOrder(`SELECT FROM team_member WHERE id = 'red-bob' FOR UPDATE`,
				`SELECT FROM team_member WHERE id = 'red-ann' FOR UPDATE`, doJoin("acme", "red", 0, "bob", "ann")),
		},
		{name: "a team member quits", free: []string{"team_member red-bob"}, do: doQuit("acme", "red", "bob"), changes: `
				- team_member red-bob
				~ session bob1,bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`},
		{
			name: "a team member is removed",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.TeamMembers.Delete(ctx, "acme", "red-bob")
			},
			changes: `
				- team_member red-bob
				~ session bob1,bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{
			name:  "nobody removes a team member of another organization",
			free:  []string{"team_member none"},
			do:    doQuit("acme", "gold", "bob"),
			fails: authdb.ErrNotFound,
		},
		{
			name:  "a team member who quits takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doQuit("acme", "red", "bob"),
			changes: `
				- team_member red-bob
				~ session bob1,bob3 active_team_id=NULL updated
				~ team red updated`,
		},
		{
			name: "quitting waits for a session that makes the team active",
			rival: `SELECT FROM team_member tm JOIN team t ON t.id = tm.team_id WHERE tm.id = 'red-bob' FOR KEY SHARE;
				UPDATE session SET active_organization_id = 'acme', active_team_id = 'red' WHERE id = 'bob2'`,
			do: doQuit("acme", "red", "bob"),
			changes: `
				- team_member red-bob
				~ session bob1,bob3 active_team_id=NULL updated
				~ session bob2 active_organization_id=acme active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
	}
}
