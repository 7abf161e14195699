package rules_test

import (
	"context"
	"strings"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// squatter is what somebody made with an address that is not theirs.
const squatter = `INSERT INTO account (id, user_id, provider_id, account_id, password, created_at, updated_at) VALUES
		('eve-password', 'eve', 'credential', 'eve', 'hash', '2026-01-01', '2026-01-01'),
		('eve-github', 'eve', 'github', '104', NULL, '2026-01-01', '2026-01-01');
	INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at) VALUES
		('eve1', 'token-eve1', 'eve', '2026-06-08', '2026-05-30', '2026-05-30'),
		('eve2', 'token-eve2', 'eve', '2026-05-01', '2026-05-30', '2026-05-30')`

func doVerify(user, email string, keep bool, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		got, err := s.Users.VerifyEmail(ctx, user, authdb.VerifyEmailParams{Email: email + "@x.io", KeepAccess: keep})
		return returned(got.User.ID+" "+idsOf(got.Sessions, sessionID), user+" "+want, err)
	}
}

func doDeleteUser(user string, p authdb.DeleteUserParams, wantSessions, wantOrganizations string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p.UserID = user
		gone, err := s.Users.Delete(ctx, p)
		is := idsOf(gone.Sessions, sessionID) + ";" + strings.Join(gone.OrganizationIDs, " ")
		return returned(is, wantSessions+";"+wantOrganizations, err)
	}
}

func doSetEmail(user, email string, verified bool) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Users.SetEmail(ctx, user, authdb.SetEmailParams{Email: email + "@x.io", Verified: verified})
		return returned(row.ID, user, err)
	}
}

func doSignUp(name string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.InTx(ctx, func(s *authdb.Store) error {
			user, err := s.Users.Create(ctx, authdb.CreateUserParams{Name: name, Email: name + "@x.io"})
			if err != nil {
				return err
			}
			return kit.ErrOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{
				UserID: user.ID, ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash")),
			}))
		})
	}
}

func userScenarios() []scenario {
	return []scenario{
		{name: "a user is made with an account", do: doSignUp("hal"), changes: `
				+ account new2 account_id=new1 password=hash provider_id=credential user_id=new1
				+ user new1 banned=false email=hal@x.io email_verified=false name=hal two_factor_enabled=false`},
		{
			name: "an update changes one user",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Users.Update(ctx, "bob", authdb.UpdateUserParams{Name: authdb.Set("Bob")})
				return returned(row.ID, "bob", err)
			},
			changes: `~ user bob name=Bob updated`,
		},
		{name: "an address is one user's", do: doSetEmail("bob", "robert", true), changes: `~ user bob email=robert@x.io updated`},
		{
			name:  "who is removed does not come back by what a former address has pending",
			given: pendingOfBob,
			free:  []string{"invitation to-bob", "invitation to-bob-2", "invitation to-bob-4"},
			do:    doSetEmail("bob", "robert", true),
			changes: `
				~ invitation to-bob,to-bob-2,to-bob-4 status=canceled
				~ user bob email=robert@x.io updated`,
		},
		{name: "an address that stays keeps what it has pending", given: pendingOfBob, do: doSetEmail("bob", "bob", true), changes: `~ user bob updated`},
		{
			name:  "changing an address waits for a server that rejects what the former has pending",
			given: pendingOfBob,
			rival: "UPDATE invitation SET status = 'rejected' WHERE id = 'to-bob'",
			then:  `SELECT FROM "user" WHERE id = 'bob' FOR KEY SHARE`,
			do:    doSetEmail("bob", "robert", true),
			changes: `
				~ invitation to-bob status=rejected
				~ invitation to-bob-2,to-bob-4 status=canceled
				~ user bob email=robert@x.io updated`,
		},
		{
			name: "users are added",
			do: func(ctx context.Context, s *authdb.Store) error {
				return kit.Some(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: "hal@x.io"}, {Email: "ida@x.io", Image: new("i"), EmailVerified: true}}))
			},
			changes: `
				+ user new1 banned=false email=hal@x.io email_verified=false name= two_factor_enabled=false
				+ user new2 banned=false email=ida@x.io email_verified=true image=i name= two_factor_enabled=false`,
		},
		{name: "an address is proved, and what was made before goes", given: squatter, do: doVerify("eve", "eve", false, "eve1 eve2"), changes: `
				- account eve-github,eve-password
				- session eve1,eve2
				~ user eve email_verified=true updated`},
		{
			name:    "an address is proved by one who is signed in",
			given:   squatter,
			do:      doVerify("eve", "eve", true, ""),
			changes: `~ user eve email_verified=true updated`,
		},
		{name: "an address that was proved before changes nothing", do: doVerify("bob", "bob", false, "")},
		{name: "an address proves nothing of another user", given: squatter, do: doVerify("eve", "hal", false, ""), fails: authdb.ErrNotFound},
		{name: "an address of one user ends no sessions of another", given: squatter, do: doVerify("bob", "eve", false, ""), fails: authdb.ErrNotFound},
		{
			name:    "proving an address waits for a sign-in and ends it too",
			rival:   `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('eve1', 'token-eve1', 'eve', '2026-06-08', '2026-06-01')`,
			do:      doVerify("eve", "eve", false, "eve1"),
			changes: `~ user eve email_verified=true updated`,
		},
		{
			name:    "proving an address waits for a server that changes it",
			given:   squatter,
			rival:   `UPDATE "user" SET email = 'changed@x.io' WHERE id = 'eve'`,
			do:      doVerify("eve", "eve", false, ""),
			fails:   authdb.ErrNotFound,
			changes: `~ user eve email=changed@x.io`,
		},
		{
			name:    "a user without an organization is deleted",
			free:    []string{"user dan", "member none"},
			do:      doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""),
			changes: danDeleted,
		},
		{
			name:    "a member is deleted, and leaves seats",
			free:    []string{"organization acme"},
			do:      doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: annDeleted,
		},
		{
			name:  "who is deleted does not come back by what is pending",
			given: pendingOfBob,
			free:  []string{"invitation to-bob", "invitation to-bob-2"},
			do:    doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: `
				- account bob-github,bob-password
				- member acme-bob,globex-bob
				- session bob-old,bob1,bob2,bob3
				- team_member gold-bob,red-bob
				- user bob
				~ invitation to-bob,to-bob-2 status=canceled
				~ team gold,red member_count=1 updated`,
		},
		{
			name:  "deleting a user waits for a server that rejects what is pending",
			given: pendingOfBob,
			rival: "UPDATE invitation SET status = 'rejected' WHERE id = 'to-bob'",
			then:  `SELECT FROM "user" WHERE id = 'bob' FOR KEY SHARE`,
			do:    doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: `
				- account bob-github,bob-password
				- member acme-bob,globex-bob
				- session bob-old,bob1,bob2,bob3
				- team_member gold-bob,red-bob
				- user bob
				~ invitation to-bob status=rejected
				~ invitation to-bob-2 status=canceled
				~ team gold,red member_count=1 updated`,
		},
		{
			name:  "deleting a user locks invitations in order",
			given: pendingOfBob,
			run: inOrder(`SELECT FROM invitation WHERE id = 'to-bob-2' FOR UPDATE`,
				`SELECT FROM invitation WHERE id = 'to-bob' FOR UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{name: "nobody is deleted who is not there", do: doDeleteUser("nobody", authdb.DeleteUserParams{}, "", ""), fails: authdb.ErrNotFound},
		{
			name: "a last owner is not deleted",
			given: `INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga');
				INSERT INTO invitation SELECT 'to-olga', 'acme', 'olga@x.io', 'member', NULL, 'pending', '2026-06-03', '2026-05-30', 'ann'`,
			do:    doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails: authdb.ErrLastOwner,
		},
		{
			name:    "one of two owners is deleted",
			given:   "UPDATE member SET role = 'admin, owner' WHERE id = 'acme-ann'",
			do:      doDeleteUser("olga", authdb.DeleteUserParams{}, "olga1", ""),
			changes: olgaDeleted,
		},
		{
			name:    "a member of an organization without an owner is deleted",
			given:   "UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:      doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: annDeleted,
		},
		{
			name:  "a deleted user takes no seat that is not there",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2", ""),
			changes: `
				- account ann-github
				- invitation to-dan
				- member acme-ann
				- session ann1,ann2
				- team_member blue-ann,red-ann
				- user ann
				~ team blue member_count=0 updated
				~ team red updated`,
		},
		{
			name: "a member becomes the successor",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, organization_id, 'ann@x.io', 'admin', status, '2026-06-03', 'bob' FROM (VALUES
				('to-ann-2', 'acme', 'pending'), ('to-ann-3', 'acme', 'rejected'), ('to-ann-4', 'globex', 'pending')) i (id, organization_id, status)`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "ann"}, "olga1", "acme"),
			changes: `
				- account olga-password
				- invitation to-ann,to-cyd,to-eve,to-fay,to-gil,to-gil-2
				- member acme-olga
				- session olga1
				- user olga
				~ invitation to-ann-2 status=canceled
				~ member acme-ann role=admin,owner`,
		},
		{
			name:    "deleting a user waits for a server that deletes the successor",
			rival:   `DELETE FROM "user" WHERE id = 'cyd'`,
			do:      doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "", ""),
			fails:   authdb.ErrReference,
			changes: `- user cyd`,
		},
		{
			name: "a successor becomes a member",
			free: []string{"user olga", "user cyd", "organization acme"},
			do:   doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "olga1", "acme"),
			changes: `
				+ member a62bd0f640dac9384718944f3d5a3c4f organization_id=acme role=owner user_id=cyd
				- account olga-password
				- invitation to-ann,to-cyd,to-eve,to-fay,to-gil,to-gil-2
				- member acme-olga
				- session olga1
				- user olga`,
		},
		{
			name: "a successor does not inherit a seat",
			given: `INSERT INTO team_member (id, team_id, user_id) VALUES ('red-olga', 'red', 'olga');
				UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "ann"}, "olga1", "acme"),
			changes: `
				- account olga-password
				- invitation to-ann,to-cyd,to-eve,to-fay,to-gil,to-gil-2
				- member acme-olga
				- session olga1
				- team_member red-olga
				- user olga
				~ member acme-ann role=admin,owner
				~ team red member_count=2 updated`,
		},
		{name: "a successor must be there", do: doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "nobody"}, "", ""), fails: authdb.ErrReference},
		{
			name: "a user is deleted with the organizations",
			given: `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01'); INSERT INTO member
				VALUES ('a-zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01')`,
			do: doDeleteUser("olga", authdb.DeleteUserParams{DeleteOrganizations: true}, "olga1", "acme zeta"),
			changes: `
				- account olga-password
				- invitation to-ann,to-cyd,to-dan,to-eve,to-fay,to-gil,to-gil-2
				- member a-zeta-olga,acme-ann,acme-bob,acme-olga
				- organization acme,zeta
				- session olga1
				- team blue,red
				- team_member blue-ann,red-ann,red-bob
				- user olga
				~ session ann1,ann2,bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob-old active_organization_id=NULL updated`,
		},
		{
			name:    "deleting a user waits for a server that removes the other owner",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails:   authdb.ErrLastOwner,
			changes: `- member acme-ann`,
		},
		{
			name:    "deleting a user waits for an operation on an organization",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			rival:   "SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE",
			then:    "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""),
			fails:   authdb.ErrLastOwner,
			changes: `~ member acme-ann role=member`,
		},
		{
			name: "deleting a user waits for a sign-in and returns it too",
			rival: `INSERT INTO session (id, token, user_id, expires_at, updated_at) VALUES ('ann3', 'token-ann3',
				'ann', '2026-06-08', '2026-06-01')`,
			do:      doDeleteUser("ann", authdb.DeleteUserParams{}, "ann1 ann2 ann3", ""),
			changes: annDeleted,
		},
		{
			name: "deleting a user waits for a session that makes an organization active",
			rival: `SELECT FROM organization o JOIN member m ON m.organization_id = o.id WHERE m.id = 'globex-bob' FOR
				KEY SHARE`,
			then: `SELECT FROM session WHERE user_id = 'bob' FOR NO KEY UPDATE NOWAIT;
				UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do:      doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""),
			changes: bobDeleted,
		},
		{
			name: "deleting a user waits for an operation on an organization that the user has just joined",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: `INSERT INTO member VALUES ('globex-dan', 'globex', 'dan', 'member', '2026-06-01')`,
					then: `SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE;
						UPDATE member SET role = 'member' WHERE id = 'globex-otto'`,
					meanwhile: "SELECT",
					do:        doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""),
					changes: `
						- account dan-github,dan-password
						- session dan-old,dan1
						- user dan
						~ member globex-otto role=member`,
				})
			},
		},
		{
			name: "deleting a user waits for an operation on an organization that may go along",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: `INSERT INTO member VALUES ('globex-dan', 'globex', 'dan', 'member', '2026-06-01')`,
					then: `SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE;
						UPDATE member SET role = 'member' WHERE id = 'globex-otto'`,
					meanwhile: "SELECT",
					do:        doDeleteUser("dan", authdb.DeleteUserParams{DeleteOrganizations: true}, "dan-old dan1", ""),
					changes: `
						- account dan-github,dan-password
						- session dan-old,dan1
						- user dan
						~ member globex-otto role=member`,
				})
			},
		},
		{
			name: "deleting a user locks memberships in order",
			run: inOrder(`SELECT FROM member WHERE id = 'globex-bob' FOR UPDATE`,
				`SELECT FROM member WHERE id = 'acme-bob' FOR UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{
			name: "deleting a user locks organizations in order",
			run: inOrder(`SELECT FROM organization WHERE id = 'globex' FOR NO KEY UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`, doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", "")),
		},
		{
			name: "deleting a user with organizations waits for a session that makes one active",
			rival: `SELECT FROM member m JOIN organization o ON o.id = m.organization_id WHERE m.id = 'globex-bob' FOR
				KEY SHARE; UPDATE session SET active_organization_id = 'globex' WHERE id = 'bob1'`,
			do: doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob,gold-otto
				- user otto
				~ session bob1,bob2,bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "deleting a user with organizations leaves all others alone",
			free: []string{"organization globex"},
			do:   doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob,gold-otto
				- user otto
				~ session bob2,bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "deleting a user with organizations leaves the seats in others",
			given: `INSERT INTO member VALUES ('acme-otto', 'acme', 'otto', 'member', '2026-01-01'); INSERT INTO team_member
				(id, team_id, user_id) VALUES ('red-otto', 'red', 'otto'); UPDATE team SET member_count = 3 WHERE id = 'red'`,
			do: doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member acme-otto,globex-bob,globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob,gold-otto,red-otto
				- user otto
				~ session bob2,bob3 active_organization_id=NULL active_team_id=NULL updated
				~ team red member_count=2 updated`,
		},
		{
			name: "deleting a user with organizations locks them in order",
			given: `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01'); INSERT INTO member
				VALUES ('a-zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01')`,
			run: inOrder(`SELECT FROM organization WHERE id = 'zeta' FOR UPDATE`,
				`SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE`,
				doDeleteUser("olga", authdb.DeleteUserParams{DeleteOrganizations: true}, "olga1", "acme zeta")),
		},
	}
}
