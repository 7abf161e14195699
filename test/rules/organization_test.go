package rules_test

import (
	"context"

	"github.com/zerostarter/authdb"
)

func doCreateOrganization(owner, slug string, team bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Name: "New", Slug: slug, OwnerID: owner, DefaultTeam: team,
		})
		return returned(row.Slug, slug, err)
	}
}

func doDeleteOrganization(organization, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		gone, err := s.Organizations.Delete(ctx, organization)
		return returned(idsOf(gone.Sessions, sessionID), want, err)
	}
}

func organizationScenarios() []scenario {
	return []scenario{
		{name: "deleting an organization that is not there", do: doDeleteOrganization("nowhere", ""), fails: authdb.ErrNotFound},
		{
			name: "a user is deleted with an organization of the same transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					if err := doCreateOrganization("cyd", "new", true)(ctx, s); err != nil {
						return err
					}
					return doDeleteUser("cyd", authdb.DeleteUserParams{DeleteOrganizations: true}, "", "new1")(ctx, s)
				})
			},
			changes: `- user cyd`,
		},
		{
			name: "a user is deleted with an organization and an invitation of the same transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					for _, do := range []operation{
						doCreateOrganization("cyd", "new", false),
						doAddMember("new1", "bob", 0),
						doInvite("new1", "bob", "hal", "new6"),
						doSetEmail("cyd", "hal", true),
					} {
						if err := do(ctx, s); err != nil {
							return err
						}
					}
					return doDeleteUser("cyd", authdb.DeleteUserParams{DeleteOrganizations: true}, "", "new1")(ctx, s)
				})
			},
			changes: `
				- user cyd
				~ invitation to-cyd,to-cyd-2 status=canceled`,
		},
		{name: "an organization is made with its owner", do: doCreateOrganization("cyd", "new", false), changes: `
				+ member new2 organization_id=new1 role=owner user_id=cyd
				+ organization new1 name=New slug=new`},
		{name: "an organization is made with its first team", do: doCreateOrganization("cyd", "new", true), changes: `
				+ member new2 organization_id=new1 role=owner user_id=cyd
				+ organization new1 name=New slug=new
				+ team new3 member_count=1 name=New organization_id=new1
				+ team_member new4 team_id=new3 user_id=cyd`},
		{
			name: "an update changes one organization",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Organizations.Update(ctx, "acme", authdb.UpdateOrganizationParams{Name: authdb.Set("ACME")})
				return returned(row.ID, "acme", err)
			},
			changes: `~ organization acme name=ACME`,
		},
		{
			name:    "an organization is deleted, and is active no longer",
			free:    []string{"organization acme"},
			do:      doDeleteOrganization("acme", "ann1 ann2 bob-old bob1 olga1"),
			changes: acmeDeleted,
		},
		{
			name: "deleting an organization waits for a session that makes it active",
			rival: `SELECT FROM member m JOIN organization o ON o.id = m.organization_id WHERE m.id = 'globex-bob' FOR
				KEY SHARE; UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do: doDeleteOrganization("globex", "bob1 bob2 bob3 otto1"),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- team gold
				- team_member gold-bob,gold-otto
				~ session bob1,bob2,bob3,otto1 active_organization_id=NULL active_team_id=NULL updated`,
		},
	}
}
