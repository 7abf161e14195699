package rules_test

import (
	"context"
	"fmt"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doAddMembers(members ...string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		var ps []authdb.CreateMemberParams
		for _, m := range members {
			var p authdb.CreateMemberParams
			_, _ = fmt.Sscan(m, &p.OrganizationID, &p.UserID, &p.MaxMembers)
			ps = append(ps, p)
		}
		return kit.Some(s.Members.CreateMany(ctx, ps))
	}
}

func doAddMember(organization, user string, limit int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return kit.ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{
			OrganizationID: organization, UserID: user, MaxMembers: limit,
		}))
	}
}

func doSetRole(organization, member, role string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Members.Update(ctx, organization, member, authdb.UpdateMemberParams{Role: authdb.Set(role)})
		return returned(row.ID+row.Role, member+role, err)
	}
}

func doRemoveMember(organization, member string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: organization, MemberID: member})
	}
}

func doLeave(organization, user string) operation {
	return func(ctx context.Context, s *authdb.Store) error { return s.Members.Leave(ctx, organization, user) }
}

func memberScenarios() []scenario {
	return []scenario{
		{
			name:  "where nobody is an owner, a role is changed",
			given: "UPDATE member SET role = 'admin' WHERE role = 'owner'",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.ErrOf(s.Members.Update(ctx, "acme", "acme-bob", authdb.UpdateMemberParams{Role: authdb.Set("admin")}))
			},
			changes: `~ member acme-bob role=admin`,
		},
		{
			name: "a member is added, and does not come back by what is pending",
			given: `INSERT INTO invitation SELECT 'to-cyd-3', organization_id, email, role, team_id, 'rejected', expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free: []string{"organization acme", "user cyd"},
			do:   doAddMember("acme", "cyd", 0),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd status=canceled`,
		},
		{
			name: "members are added, and do not come back by what is pending",
			given: `INSERT INTO invitation SELECT 'to-cyd-3', organization_id, email, role, team_id, 'rejected', expires_at,
				created_at, inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free: []string{"organization acme", "user cyd", "user dan"},
			do:   doAddMembers("acme cyd", "acme dan"),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=acme role=member user_id=dan
				~ invitation to-cyd,to-dan status=canceled`,
		},
		{name: "members are added all or none", do: doAddMembers("acme cyd", "acme bob"), fails: authdb.ErrAlreadyMember},
		{name: "members are added up to the limit", do: doAddMembers("acme cyd 5", "acme dan 9", "globex dan 3"), changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=acme role=member user_id=dan
				+ member new3 organization_id=globex role=member user_id=dan
				~ invitation to-cyd,to-dan status=canceled`},
		{name: "no members are added beyond the least limit", do: doAddMembers("acme cyd 4", "globex dan", "acme dan 9"), fails: authdb.ErrLimitReached},
		{
			name:  "adding members waits for another that counts them",
			rival: "SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE",
			do:    doAddMembers("acme cyd", "globex dan"),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=globex role=member user_id=dan
				~ invitation to-cyd status=canceled`,
		},
		{
			name: "adding members locks organizations in order",
			run: inOrder(`SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`, doAddMembers("globex dan", "acme cyd")),
		},
		{name: "a user is a member once", do: doAddMember("acme", "bob", 0), fails: authdb.ErrAlreadyMember},
		{name: "a member is added up to the limit", do: doAddMember("acme", "cyd", 4), changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd status=canceled`},
		{name: "no member is added beyond the limit", do: doAddMember("acme", "cyd", 3), fails: authdb.ErrLimitReached},
		{
			name: "adding a member waits for another",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO member VALUES ('acme-dan',
				'acme', 'dan', 'member', '2026-06-01')`,
			do:      doAddMember("acme", "cyd", 4),
			fails:   authdb.ErrLimitReached,
			changes: `+ member acme-dan organization_id=acme role=member user_id=dan`,
		},
		{name: "a role is changed", do: doSetRole("acme", "acme-bob", "admin"), changes: `~ member acme-bob role=admin`},
		{name: "the last owner stays one", do: doSetRole("acme", "acme-olga", "member"), fails: authdb.ErrLastOwner},
		{
			name:    "one of two owners becomes a member",
			given:   "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			changes: `~ member acme-olga role=member`,
		},
		{name: "the last owner gets more roles", do: doSetRole("acme", "acme-olga", "admin,owner"), changes: `~ member acme-olga role=admin,owner`},
		{name: "nobody changes a role in another organization", do: doSetRole("globex", "acme-bob", "admin"), fails: authdb.ErrNotFound},
		{
			name:    "demoting waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "demoting waits for another operation",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doSetRole("acme", "acme-olga", "member"),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name:    "a member is removed, with teams and what is active",
			free:    []string{"member acme-bob", "organization acme"},
			do:      doRemoveMember("acme", "acme-bob"),
			changes: bobRemoved,
		},
		{
			name: "who is removed does not come back by what is pending",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, organization_id, 'bob@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
				('to-bob', 'acme', 'pending'), ('to-bob-2', 'globex', 'pending'), ('to-bob-3', 'acme', 'rejected')) i (id, organization_id, status)`,
			do: doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ invitation to-bob status=canceled
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red member_count=1 updated`,
		},
		{name: "a member leaves", free: []string{"member acme-bob", "organization acme"}, do: doLeave("acme", "bob"), changes: bobRemoved},
		{name: "the last owner is not removed", do: doRemoveMember("acme", "acme-olga"), fails: authdb.ErrLastOwner},
		{
			name:  "one of two owners is removed",
			given: "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:    doRemoveMember("acme", "acme-olga"),
			changes: `
				- member acme-olga
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name:  "nobody removes a member of another organization",
			free:  []string{"member none"},
			do:    doRemoveMember("acme", "globex-bob"),
			fails: authdb.ErrNotFound,
		},
		{name: "nobody leaves who is no member", do: doLeave("acme", "dan"), fails: authdb.ErrNotFound},
		{
			name:  "a removed member takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team red updated`,
		},
		{
			name:    "removing waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doRemoveMember("acme", "acme-olga"),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "removing waits for another operation",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; ",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doRemoveMember("acme", "acme-olga"),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name: "removing waits for a team that the member is given",
			rival: `SELECT FROM member WHERE id = 'acme-bob' FOR KEY SHARE; INSERT INTO team_member (id, team_id,
				user_id) VALUES ('blue-bob', 'blue', 'bob')`,
			do: doRemoveMember("acme", "acme-bob"),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
	}
}
