package docs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// invite offers a role, and seats in teams, to an address. Mail the id: whoever opens the link is asked to sign in.
func invite(
	ctx context.Context, store *authdb.Store, me authdb.Authentication, email string, teams ...string,
) (authdb.Invitation, error) {
	return store.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: me.Member.OrganizationID, InviterID: me.User.ID,
		Email: email, Role: authdb.RoleMember, TeamIDs: teams,
	})
}

// received is what a user may accept or reject.
func received(ctx context.Context, store *authdb.Store, me authdb.User) ([]authdb.ReceivedInvitation, error) {
	page, err := store.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{
		UserID: me.ID, Pending: true,
	})
	return page.Items, err
}

// accept makes the user a member, with the seats that the invitation names, and that organization the active one.
func accept(ctx context.Context, store *authdb.Store, me authdb.Authentication, invitationID string) error {
	return store.InTx(ctx, func(tx *authdb.Store) error {
		accepted, err := tx.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
			InvitationID: invitationID, UserID: me.User.ID,
		})
		if err != nil {
			return err
		}
		_, err = tx.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: me.User.ID, Token: me.Session.Token, OrganizationID: accepted.OrganizationID,
		})
		return err
	})
}

// say is what a page tells a user whose acceptance was refused.
func say(err error) string {
	switch {
	case errors.Is(err, authdb.ErrExpired):
		return "This invitation has expired. Ask for a new one."
	case errors.Is(err, authdb.ErrNotPending):
		return "This invitation was canceled, rejected or used."
	case errors.Is(err, authdb.ErrEmailNotVerified):
		return "Confirm your e-mail address first."
	case errors.Is(err, authdb.ErrLimitReached):
		return "This organization is full."
	case errors.Is(err, authdb.ErrNotFound): // ErrNotRecipient is one, too
		return "There is no such invitation for you."
	default:
		return "Something went wrong. Try again."
	}
}

func TestInvitationsGuide(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), authdbtest.New(t)
	owner := authdbtest.User(t, store)
	org := authdbtest.Organization(t, store, func(p *authdb.CreateOrganizationParams) { p.OwnerID = owner.ID })
	team := authdbtest.Team(t, store, func(p *authdb.CreateTeamParams) { p.OrganizationID = org.ID })
	signIn := func(user authdb.User) authdb.Authentication {
		t.Helper()
		session := authdbtest.Session(t, store, func(p *authdb.CreateSessionParams) {
			p.UserID, p.ActiveOrganizationID = user.ID, &org.ID
		})
		me, err := store.Sessions.Authenticate(ctx, session.Token)
		if err != nil {
			t.Fatal(err)
		}
		return me
	}
	inv, err := invite(ctx, store, signIn(owner), "grace@example.com", team.ID)
	if err != nil {
		t.Fatal(err)
	}
	grace := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.Email = "grace@example.com" })
	list, err := received(ctx, store, grace)
	if err != nil || len(list) != 1 || list[0].ID != inv.ID {
		t.Fatalf("got %v, %v", list, err)
	}
	if err := accept(ctx, store, signIn(authdbtest.User(t, store)), inv.ID); say(err) != "There is no such invitation for you." {
		t.Errorf("a stranger: %v", err)
	}
	me := signIn(grace)
	for range 2 { // once, however often
		if err := accept(ctx, store, me, inv.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.TeamMembers.GetByUser(ctx, org.ID, team.ID, grace.ID); err != nil {
		t.Error(err)
	}

	proved := authdbtest.User(t, store)
	me = signIn(proved)
	canceled := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) { p.Email = proved.Email })
	if _, err := store.Invitations.Cancel(ctx, canceled.OrganizationID, canceled.ID); err != nil {
		t.Fatal(err)
	}
	if err := accept(ctx, store, me, canceled.ID); say(err) != "This invitation was canceled, rejected or used." {
		t.Errorf("a canceled one: %v", err)
	}
	late := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) { p.Email = proved.Email })
	inThreeDays := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return time.Now().Add(72 * time.Hour) }))
	if err := accept(ctx, inThreeDays, me, late.ID); say(err) != "This invitation has expired. Ask for a new one." {
		t.Errorf("a late one: %v", err)
	}
	full := authdb.New(store.Pool(), authdb.WithSettings(authdb.Settings{MaxMembers: 1}))
	if err := accept(ctx, full, me, late.ID); say(err) != "This organization is full." {
		t.Errorf("a full organization: %v", err)
	}
	unproved := authdbtest.User(t, store, func(p *authdb.CreateUserParams) { p.EmailVerified = false })
	early := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) { p.Email = unproved.Email })
	if err := accept(ctx, store, signIn(unproved), early.ID); say(err) != "Confirm your e-mail address first." {
		t.Errorf("an address that is not proved: %v", err)
	}
}
