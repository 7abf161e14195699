package rules_test

import (
	"context"
	"fmt"
	"time"

	"github.com/zerostarter/authdb"
)

// manyInvitations are what one address has pending beside to-cyd, as servers without locks make it.
const manyInvitations = `INSERT INTO invitation SELECT n, 'acme', 'cyd@x.io', 'member', NULL, 'pending', '2026-06-03', c::timestamp, 'olga' FROM (VALUES
	 ('a-newest', '2026-05-31 10:00'),
	('b-newest', '2026-05-31 10:00'),
	('z-older', '2026-05-29')
) v (n, c)`

// pendingOfBob is what bob's address has, where he is a member and where he is none.
const pendingOfBob = `INSERT INTO organization VALUES ('zeta', 'Zeta', 'zeta', NULL, '2026-01-01');
	INSERT INTO member VALUES ('zeta-olga', 'zeta', 'olga', 'owner', '2026-01-01');
	INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
	SELECT id, organization_id, 'bob@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
	('to-bob', 'acme', 'pending'), ('to-bob-2', 'globex', 'pending'), ('to-bob-3', 'acme', 'rejected'), ('to-bob-4', 'zeta', 'pending')
) i (id, organization_id, status)`

func doInvite(organization, inviter, email string, want string, edit ...func(*authdb.CreateInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.CreateInvitationParams{OrganizationID: organization, InviterID: inviter, Email: email + "@x.io"}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Create(ctx, p)
		return returned(row.ID, want, err)
	}
}

func asOwner(p *authdb.CreateInvitationParams) { p.Role = "admin, owner" }

func asAdmin(p *authdb.CreateInvitationParams) { p.Role = "admin" }

func forAnHour(p *authdb.CreateInvitationParams) { p.ExpiresAt = noon.Add(time.Hour) }

func upTo(limit int) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.MaxPending = limit }
}

func withTeams(teams ...string) func(*authdb.CreateInvitationParams) {
	return func(p *authdb.CreateInvitationParams) { p.TeamIDs = teams }
}

func verified(p *authdb.AcceptInvitationParams) { p.AllowUnverified = false }

func within(members, teamMembers int) func(*authdb.AcceptInvitationParams) {
	return func(p *authdb.AcceptInvitationParams) { p.MaxMembers, p.MaxTeamMembers = members, teamMembers }
}

func doAccept(invitation, user string, again bool, edit ...func(*authdb.AcceptInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.AcceptInvitationParams{InvitationID: invitation, UserID: user, AllowUnverified: true}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Accept(ctx, p)
		if err != nil {
			return err
		}
		m := row.Member
		return returned(fmt.Sprint(row.ID, row.Status, m.UserID, m.OrganizationID, row.AlreadyAccepted),
			fmt.Sprint(invitation, "accepted", user, row.OrganizationID, again), nil)
	}
}

func doReject(invitation, user string, edit ...func(*authdb.RejectInvitationParams)) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		p := authdb.RejectInvitationParams{InvitationID: invitation, UserID: user, AllowUnverified: true}
		for _, e := range edit {
			e(&p)
		}
		row, err := s.Invitations.Reject(ctx, p)
		return returned(row.ID+row.Status, invitation+"rejected", err)
	}
}

func doCancel(organization, invitation string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Invitations.Cancel(ctx, organization, invitation)
		return returned(row.ID+row.Status, invitation+"canceled", err)
	}
}

func doPendingInvitation(organization, email, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Invitations.GetPending(ctx, organization, email+"@x.io")
		return returned(row.ID, want, err)
	}
}

func invitationScenarios() []scenario {
	return []scenario{
		{name: "invitations are canceled, each by its id", run: inTurn(doCancel("acme", "to-cyd"), doCancel("acme", "to-eve"), doCancel("acme", "to-dan"))},
		{
			name:    "an address is invited",
			free:    []string{"organization acme", "member acme-olga", "user olga"},
			do:      doInvite("acme", "olga", "hal", "new1"),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name: "an invitation that stands goes on with the new terms",
			given: `INSERT INTO invitation SELECT 'to-cyd-0', organization_id, email, role, NULL, 'canceled',
				expires_at, '2026-05-31', inviter_id FROM invitation WHERE id = 'to-cyd'`,
			free:    []string{"organization acme", "member acme-ann", "user ann", "invitation to-cyd"},
			do:      doInvite("acme", "ann", "cyd", "to-cyd", asAdmin, withTeams("blue", "red")),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 inviter_id=ann role=admin team_id=blue,red`,
		},
		{
			name:    "an invitation that stands keeps the later expiry",
			do:      doInvite("acme", "olga", "cyd", "to-cyd", forAnHour),
			changes: `~ invitation to-cyd team_id=NULL`,
		},
		{name: "an invitation that has expired is closed", do: doInvite("acme", "olga", "fay", "new1"), changes: `
				+ invitation new1 email=fay@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending
				~ invitation to-fay status=canceled`},
		{
			name:    "invitations that are over stay so",
			do:      doInvite("acme", "olga", "gil", "new1"),
			changes: `+ invitation new1 email=gil@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{name: "of many invitations the newest goes on", given: manyInvitations, do: doInvite("acme", "olga", "cyd", "b-newest"), changes: `
				~ invitation a-newest,to-cyd,z-older status=canceled
				~ invitation b-newest expires_at=06-03T12:00:00`},
		{name: "the newest pending invitation is found", given: manyInvitations, do: doPendingInvitation("acme", "cyd", "b-newest")},
		{name: "an expired invitation is not pending", do: doPendingInvitation("acme", "fay", ""), fails: authdb.ErrNotFound},
		{name: "who is no member invites nobody", do: doInvite("acme", "dan", "fay", ""), fails: authdb.ErrNotMember},
		{name: "a member of another organization invites nobody", do: doInvite("acme", "otto", "hal", ""), fails: authdb.ErrNotMember},
		{
			name:    "an owner invites an owner",
			do:      doInvite("acme", "olga", "hal", "new1", asOwner),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=admin,owner status=pending`,
		},
		{name: "only an owner invites an owner", do: doInvite("acme", "ann", "cyd", "", asOwner), fails: authdb.ErrNotPermitted},
		{
			name:    "a plain member invites one",
			do:      doInvite("acme", "bob", "hal", "new1"),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=bob organization_id=acme role=member status=pending`,
		},
		{
			name:  "a plain member invites nobody else",
			given: "UPDATE member SET role = 'owner' WHERE id = 'globex-bob'",
			do:    doInvite("acme", "bob", "hal", "", asAdmin),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "a plain member changes no invitation of another's",
			given: "UPDATE member SET role = 'owner' WHERE id = 'globex-bob'",
			do:    doInvite("acme", "bob", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "a plain member changes an invitation of its own",
			given:   "UPDATE invitation SET inviter_id = 'bob' WHERE id = 'to-cyd'",
			do:      doInvite("acme", "bob", "cyd", "to-cyd"),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 team_id=NULL`,
		},
		{
			name: "no offer of an owner goes because a newer one stands",
			given: `UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; INSERT INTO invitation (id, organization_id, email, role, status,
				expires_at, created_at, inviter_id) VALUES ('newer', 'acme', 'cyd@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'ann')`,
			do:    doInvite("acme", "ann", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name: "inviting again waits for a server that rejects an invitation it has just made",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE invitation SET role = role WHERE id = 'to-cyd'",
					meanwhile: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
						VALUES ('newer', 'acme', 'cyd@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'olga')`,
					then: "UPDATE invitation SET status = 'rejected' WHERE id = 'newer'",
					do:   doInvite("acme", "olga", "cyd", "new1", asOwner),
					changes: `
						+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=admin,owner status=pending
						+ invitation newer email=cyd@x.io expires_at=06-03T00:00:00 inviter_id=olga organization_id=acme role=member status=rejected
						~ invitation to-cyd status=canceled`,
				})
			},
		},
		{
			name:  "only an owner changes the invitation of an owner",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'",
			do:    doInvite("acme", "ann", "cyd", ""),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "an owner changes the invitation of an owner",
			given:   "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "cyd", "to-cyd"),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 inviter_id=ann role=member team_id=NULL`,
		},
		{
			name:  "an invitation stands no longer when its inviter has left",
			given: `UPDATE member SET organization_id = 'globex' WHERE id = 'acme-olga'`,
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:  "an invitation of an owner stands no longer when its inviter is none",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'; UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:  "an invitation of an admin stands no longer when its inviter is a plain member",
			given: "UPDATE invitation SET role = 'admin' WHERE id = 'to-cyd'; UPDATE member SET role = 'member' WHERE id = 'acme-olga'",
			do:    doInvite("acme", "ann", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				~ invitation to-cyd status=canceled`,
		},
		{
			name:    "inviting again waits for a server that demotes the inviter",
			rival:   "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "cyd", ""),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-ann role=member`,
		},
		{
			name:    "inviting waits for a server that demotes the inviter",
			rival:   "UPDATE member SET role = 'member' WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "hal", "", asAdmin),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-ann role=member`,
		},
		{name: "a member is not invited", do: doInvite("acme", "olga", "bob", ""), fails: authdb.ErrAlreadyMember},
		{
			name:    "a member of another organization is invited",
			do:      doInvite("acme", "olga", "otto", "new1"),
			changes: `+ invitation new1 email=otto@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{
			name:    "a user is invited",
			do:      doInvite("globex", "otto", "dan", "new1"),
			changes: `+ invitation new1 email=dan@x.io expires_at=06-03T12:00:00 inviter_id=otto organization_id=globex role=member status=pending`,
		},
		{
			name:  "no team of another organization is in an invitation",
			do:    doInvite("acme", "olga", "hal", "", withTeams("red", "gold")),
			fails: authdb.ErrReference,
		},
		{name: "no team that is not there is in an invitation", do: doInvite("acme", "olga", "hal", "", withTeams("red", "none")), fails: authdb.ErrReference},
		{
			name:    "an address is invited up to the limit",
			do:      doInvite("acme", "olga", "hal", "new1", upTo(4)),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending`,
		},
		{name: "no address is invited beyond the limit", do: doInvite("acme", "olga", "hal", "", upTo(3)), fails: authdb.ErrLimitReached},
		{
			name:    "an invitation that stands needs no place",
			do:      doInvite("acme", "olga", "cyd", "to-cyd", upTo(3)),
			changes: `~ invitation to-cyd expires_at=06-03T12:00:00 team_id=NULL`,
		},
		{
			name: "inviting waits for another of the same address",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO invitation (id,
				organization_id, email, role, status, expires_at, created_at, inviter_id) VALUES ('theirs', 'acme',
				'hal@x.io', 'member', 'pending', '2026-06-03', '2026-06-01', 'olga')`,
			do:      doInvite("acme", "ann", "hal", "theirs"),
			changes: `+ invitation theirs email=hal@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending`,
		},
		{
			name:    "inviting waits for a server that removes the inviter",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doInvite("acme", "ann", "hal", ""),
			fails:   authdb.ErrNotMember,
			changes: `- member acme-ann`,
		},
		{
			name:  "inviting waits for a server that accepts the invitation",
			rival: "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:    doInvite("acme", "olga", "cyd", "new1"),
			changes: `
				+ invitation new1 email=cyd@x.io expires_at=06-03T12:00:00 inviter_id=olga organization_id=acme role=member status=pending
				~ invitation to-cyd status=accepted`,
		},
		{
			name:  "inviting locks invitations in order",
			given: manyInvitations,
			run: inOrder(`SELECT FROM invitation WHERE id = 'z-older' FOR UPDATE`,
				`SELECT FROM invitation WHERE id = 'a-newest' FOR NO KEY UPDATE`, doInvite("acme", "olga", "cyd", "b-newest")),
		},
		{
			name:    "an invitation is accepted",
			free:    []string{"organization acme", "user cyd", "invitation to-cyd", "team red"},
			do:      doAccept("to-cyd", "cyd", false),
			changes: cydAccepted,
		},
		{name: "an invitation without teams is accepted", do: doAccept("to-eve", "eve", false), changes: `
				+ member new1 organization_id=acme role=member user_id=eve
				~ invitation to-eve status=accepted`},
		{
			name:    "an invitation opens no team of another organization",
			given:   "UPDATE invitation SET team_id = 'gold, red, none' WHERE id = 'to-cyd'",
			free:    []string{"organization acme", "user cyd", "invitation to-cyd", "team red"},
			do:      doAccept("to-cyd", "cyd", false),
			changes: cydAccepted,
		},
		{name: "only the recipient accepts", do: doAccept("to-cyd", "dan", false), fails: authdb.ErrNotRecipient},
		{name: "no invitation is accepted that is not there", do: doAccept("none", "cyd", false), fails: authdb.ErrNotFound},
		{name: "an address must be proved where that is required", do: doAccept("to-eve", "eve", false, verified), fails: authdb.ErrEmailNotVerified},
		{name: "a proved address accepts", do: doAccept("to-cyd", "cyd", false, verified), changes: cydAccepted},
		{
			name:  "no invitation is accepted whose inviter has left",
			given: `UPDATE member SET organization_id = 'globex' WHERE id = 'acme-olga'`,
			do:    doAccept("to-cyd", "cyd", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "no owner is made by an inviter who is none",
			given: "UPDATE invitation SET role = 'owner' WHERE id = 'to-dan'",
			do:    doAccept("to-dan", "dan", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:  "no admin is made by a plain member",
			given: "UPDATE invitation SET role = 'admin' WHERE id = 'to-cyd'; UPDATE member SET role = 'member' WHERE id = 'acme-olga'",
			do:    doAccept("to-cyd", "cyd", false),
			fails: authdb.ErrNotPermitted,
		},
		{
			name:    "accepting waits for a server that demotes the inviter",
			given:   "UPDATE invitation SET role = 'owner' WHERE id = 'to-cyd'",
			rival:   "UPDATE member SET role = 'admin' WHERE id = 'acme-olga'",
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotPermitted,
			changes: `~ member acme-olga role=admin`,
		},
		{name: "an invitation is accepted again by its member", do: doAccept("to-ann", "ann", true)},
		{
			name: "an invitation is not accepted again by who has left",
			given: `DELETE FROM member WHERE id = 'acme-ann'; INSERT INTO member VALUES ('globex-ann', 'globex', 'ann',
				'member', '2026-01-01')`,
			do:    doAccept("to-ann", "ann", false),
			fails: authdb.ErrNotPending,
		},
		{
			name: "a member accepts and stays what it is",
			given: `INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, inviter_id)
				VALUES ('to-bob', 'globex', 'bob@x.io', 'owner', 'gold', 'pending', '2026-06-03', 'otto'),
					('to-acme', 'acme', 'bob@x.io', 'owner', NULL, 'pending', '2026-06-03', 'ann');
				INSERT INTO member VALUES ('globex-ann', 'globex', 'ann', 'member', '2026-01-01')`,
			free: []string{
				"organization globex", "member globex-bob", "member globex-otto", "user bob", "invitation to-bob", "team gold",
			},
			do:      doAccept("to-bob", "bob", false, within(3, 2)),
			changes: `~ invitation to-bob status=accepted`,
		},
		{
			name:  "a canceled invitation is not accepted",
			given: `INSERT INTO "user" (id, name, email) VALUES ('fay', 'fay', 'fay@x.io'), ('gil', 'gil', 'gil@x.io')`,
			do:    doAccept("to-gil", "gil", false),
			fails: authdb.ErrNotPending,
		},
		{
			name: "an expired invitation is not accepted",
			given: `INSERT INTO "user" (id, name, email) VALUES ('fay', 'fay', 'fay@x.io'), ('gil', 'gil', 'gil@x.io');
				UPDATE invitation SET team_id = 'red' WHERE id = 'to-fay'`,
			do:    doAccept("to-fay", "fay", false),
			fails: authdb.ErrExpired,
		},
		{name: "an invitation is accepted up to the limits", do: doAccept("to-cyd", "cyd", false, within(4, 3)), changes: cydAccepted},
		{
			name: "accepting closes what else the address has pending there",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				SELECT id, 'acme', 'cyd@x.io', 'admin', status, '2026-06-03', 'olga' FROM (VALUES
				('twice', 'pending'), ('refused', 'rejected')) i (id, status)`,
			do: doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ invitation twice status=canceled
				~ team red member_count=3 updated`,
		},
		{name: "no invitation is accepted beyond the limit", do: doAccept("to-cyd", "cyd", false, within(3, 0)), fails: authdb.ErrLimitReached},
		{name: "no invitation is accepted to a full team", do: doAccept("to-cyd", "cyd", false, within(0, 2)), fails: authdb.ErrLimitReached},
		{
			name:  "no invitation is accepted to a team whose seats are counted as taken",
			given: "UPDATE team SET member_count = 4 WHERE id = 'red'",
			do:    doAccept("to-cyd", "cyd", false, within(0, 4)),
			fails: authdb.ErrLimitReached,
		},
		{
			name:  "no invitation is accepted to a team whose seats are taken but not counted",
			given: "UPDATE team SET member_count = 0 WHERE id = 'red'",
			do:    doAccept("to-cyd", "cyd", false, within(0, 2)),
			fails: authdb.ErrLimitReached,
		},
		{
			name: "accepting waits for another that takes the last place",
			rival: `SELECT FROM organization WHERE id = 'acme' FOR NO KEY UPDATE; INSERT INTO member VALUES ('acme-dan',
				'acme', 'dan', 'member', '2026-06-01')`,
			do:      doAccept("to-cyd", "cyd", false, within(4, 0)),
			fails:   authdb.ErrLimitReached,
			changes: `+ member acme-dan organization_id=acme role=member user_id=dan`,
		},
		{
			name:    "accepting waits for a cancellation",
			rival:   "UPDATE invitation SET status = 'canceled' WHERE id = 'to-cyd'",
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=canceled`,
		},
		{
			name:    "accepting waits for a server that reserves the last seat",
			rival:   "UPDATE team SET member_count = member_count + 1 WHERE id = 'red' AND member_count < 3",
			do:      doAccept("to-cyd", "cyd", false, within(0, 3)),
			fails:   authdb.ErrLimitReached,
			changes: `~ team red member_count=3`,
		},
		{
			name:    "accepting waits for a server that changes the address",
			rival:   `UPDATE "user" SET email = 'cydney@x.io' WHERE id = 'cyd'`,
			do:      doAccept("to-cyd", "cyd", false),
			fails:   authdb.ErrNotRecipient,
			changes: `~ user cyd email=cydney@x.io`,
		},
		{
			name: "accepting waits for a server that removes the member",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'pending', '2026-06-03', 'olga')`,
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			do:    doAccept("to-bob", "bob", false, within(3, 0)),
			changes: `
				+ member new1 organization_id=acme role=admin user_id=bob
				- member acme-bob
				~ invitation to-bob status=accepted`,
		},
		{
			name: "who is being removed and accepts needs a place",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'pending', '2026-06-03', 'olga')`,
			rival:   "DELETE FROM member WHERE id = 'acme-bob'",
			do:      doAccept("to-bob", "bob", false, within(2, 0)),
			fails:   authdb.ErrLimitReached,
			changes: `- member acme-bob`,
		},
		{
			name:    "accepting again waits for a server that removes the member",
			rival:   "DELETE FROM member WHERE id = 'acme-ann'",
			do:      doAccept("to-ann", "ann", false),
			fails:   authdb.ErrNotPending,
			changes: `- member acme-ann`,
		},
		{
			name: "accepting waits for a server that removes the member, and then the seats",
			given: `INSERT INTO invitation (id, organization_id, email, role, team_id, status, expires_at, inviter_id)
				VALUES ('to-bob', 'acme', 'bob@x.io', 'admin', 'red', 'pending', '2026-06-03', 'olga')`,
			rival: "DELETE FROM member WHERE id = 'acme-bob'",
			then: `SELECT FROM team WHERE id = 'red' FOR NO KEY UPDATE NOWAIT; DELETE FROM team_member WHERE id = 'red-bob';
				UPDATE team SET member_count = member_count - 1 WHERE id = 'red'`,
			do: doAccept("to-bob", "bob", false),
			changes: `
				+ member new1 organization_id=acme role=admin user_id=bob
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=bob
				- member acme-bob
				- team_member red-bob
				~ invitation to-bob status=accepted
				~ team red updated`,
		},
		{
			name: "accepting locks teams in order",
			run: inOrder(`SELECT FROM team WHERE id = 'red' FOR UPDATE`,
				`SELECT FROM team WHERE id = 'blue' FOR NO KEY UPDATE`, doAccept("to-dan", "dan", false)),
		},
		{
			name:  "accepting waits for a server that adds to the team",
			rival: "INSERT INTO team_member (id, team_id, user_id) VALUES ('red-cyd', 'red', 'cyd')",
			do:    doAccept("to-cyd", "cyd", false),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member red-cyd team_id=red user_id=cyd
				~ invitation to-cyd status=accepted`,
		},
		{
			name:    "an invitation is rejected",
			free:    []string{"invitation to-cyd-2"},
			do:      doReject("to-cyd-2", "cyd"),
			changes: `~ invitation to-cyd-2 status=rejected`,
		},
		{name: "only the recipient rejects", do: doReject("to-cyd", "dan"), fails: authdb.ErrNotRecipient},
		{
			name: "an unproved address rejects nothing",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
				VALUES ('to-eve-2', 'acme', 'eve@x.io', 'member', 'pending', '2026-06-03', '2026-05-30', 'olga')`,
			do:    doReject("to-eve-2", "eve", func(p *authdb.RejectInvitationParams) { p.AllowUnverified = false }),
			fails: authdb.ErrEmailNotVerified,
		},
		{
			name: "an unproved address rejects where that is allowed",
			given: `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
				VALUES ('to-eve-2', 'acme', 'eve@x.io', 'member', 'pending', '2026-06-03', '2026-05-30', 'olga')`,
			do:      doReject("to-eve-2", "eve"),
			changes: `~ invitation to-eve-2 status=rejected`,
		},
		{
			name:    "a proved address rejects",
			do:      doReject("to-cyd-2", "cyd", func(p *authdb.RejectInvitationParams) { p.AllowUnverified = false }),
			changes: `~ invitation to-cyd-2 status=rejected`,
		},
		{name: "no invitation is rejected that is not there", do: doReject("none", "cyd"), fails: authdb.ErrNotFound},
		{name: "an accepted invitation is not rejected", do: doReject("to-ann", "ann"), fails: authdb.ErrNotPending},
		{
			name:    "rejecting waits for an acceptance",
			rival:   "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:      doReject("to-cyd", "cyd"),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=accepted`,
		},
		{
			name:    "rejecting waits for a server that changes the address",
			rival:   `UPDATE "user" SET email = 'cydney@x.io' WHERE id = 'cyd'`,
			do:      doReject("to-cyd", "cyd"),
			fails:   authdb.ErrNotRecipient,
			changes: `~ user cyd email=cydney@x.io`,
		},
		{name: "an invitation is canceled", do: doCancel("acme", "to-eve"), changes: `~ invitation to-eve status=canceled`},
		{name: "nobody cancels an invitation of another organization", do: doCancel("globex", "to-cyd"), fails: authdb.ErrNotFound},
		{name: "an accepted invitation is not canceled", do: doCancel("acme", "to-ann"), fails: authdb.ErrNotPending},
		{
			name:    "canceling waits for an acceptance",
			rival:   "UPDATE invitation SET status = 'accepted' WHERE id = 'to-cyd'",
			do:      doCancel("acme", "to-cyd"),
			fails:   authdb.ErrNotPending,
			changes: `~ invitation to-cyd status=accepted`,
		},
		{
			name: "expired invitations are closed",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Invitations.CancelExpired(ctx, "acme")
				return returned(n, 1, err)
			},
			changes: `~ invitation to-fay status=canceled`,
		},
		{
			name: "an invitation is deleted",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Invitations.Delete(ctx, "acme", "to-eve")
			},
			changes: `- invitation to-eve`,
		},
		{
			name: "nobody deletes an invitation of another organization",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Invitations.Delete(ctx, "globex", "to-eve")
			},
			fails: authdb.ErrNotFound,
		},
	}
}
