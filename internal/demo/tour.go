package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/zerostarter/authdb"
)

// cookie is one that the Better Auth server sent; its token is the session's.
type cookie struct {
	Token string
	Note  string
	Live  bool
}

func cookies() ([]cookie, error) {
	content, err := os.ReadFile(data + "/vectors.json")
	if err != nil {
		return nil, err
	}
	var vectors struct{ Cookies []cookie }
	err = json.Unmarshal(content, &vectors)
	return vectors.Cookies, err
}

func tour(ctx context.Context, store *authdb.Store) error {
	for _, part := range []func(context.Context, *authdb.Store) error{
		authenticate, page, relations, create, join, owners, conflicts, transaction, bulk, cascade,
	} {
		if err := part(ctx, store); err != nil {
			return err
		}
	}
	return nil
}

func authenticate(ctx context.Context, store *authdb.Store) error {
	heading("Who is it? The tokens of cookies that Better Auth sent")
	sent, err := cookies()
	if err != nil {
		return err
	}
	sessions, err := call("Sessions.ListByTokens", func() ([]authdb.SessionWithUser, error) {
		return store.Sessions.ListByTokens(ctx, []authdb.Secret{authdb.Secret(sent[0].Token), authdb.Secret(sent[1].Token)})
	})
	if err != nil {
		return err
	}
	for _, session := range sessions {
		line("%s <%s>, until %s", session.User.Name, session.User.Email, session.ExpiresAt.Format("2006-01-02 15:04"))
	}
	return fails("Sessions.GetByToken, a token nobody has", authdb.ErrNotFound, func() (authdb.Session, error) {
		return store.Sessions.GetByToken(ctx, "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ")
	})
}

func page(ctx context.Context, store *authdb.Store) error {
	heading("An organization, page by page")
	org, err := call("Organizations.GetBySlug big-choir", func() (authdb.Organization, error) {
		return store.Organizations.GetBySlug(ctx, "big-choir")
	})
	if err != nil {
		return err
	}
	count, err := call("Members.Count", func() (int64, error) {
		return store.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID})
	})
	if err != nil {
		return err
	}
	line("%s has %d members", org.Name, count)
	p := authdb.ListMembersParams{OrganizationID: org.ID, Limit: 50}
	for {
		members, err := call("Members.List, 50 a page", func() (authdb.Page[authdb.MemberWithUser], error) {
			return store.Members.List(ctx, p)
		})
		if err != nil {
			return err
		}
		line("%d members: %s", len(members.Items), names(members.Items))
		if members.Next.IsZero() {
			return nil
		}
		p.After = members.Next
	}
}

func relations(ctx context.Context, store *authdb.Store) error {
	heading("A user and what belongs to it, in one round trip and one snapshot")
	user, err := call("Users.GetByEmail, in any case", func() (authdb.User, error) {
		return store.Users.GetByEmail(ctx, "Ada.Quillfeather@Example.com")
	})
	if err != nil {
		return err
	}
	line("%s, since %s", user.Name, user.CreatedAt.Format("2006-01-02"))
	full, err := call("Users.GetFull, five relations", func() (authdb.UserWithRelations, error) {
		return store.Users.GetFull(ctx, user.ID, authdb.UserWith{
			Sessions: authdb.Newest(3), Accounts: authdb.All(), Members: authdb.All(), TeamMembers: authdb.All(),
			Invitations: authdb.All(), PendingInvitations: true,
		})
	})
	if err != nil {
		return err
	}
	for _, a := range full.Accounts {
		line("signs in by %s", a.ProviderID)
	}
	for _, s := range full.Sessions {
		line("session until %s, from %s", s.ExpiresAt.Format("2006-01-02 15:04"), text(s.IPAddress))
	}
	for _, m := range full.Members {
		line("%s of %s", m.Role, m.Organization.Name)
	}
	for _, m := range full.TeamMembers {
		line("in team %s", m.Team.Name)
	}
	for _, i := range full.Invitations {
		line("waits for %s to join %s", i.Email, i.Organization.Name)
	}
	return tree(ctx, store)
}

func tree(ctx context.Context, store *authdb.Store) error {
	heading("An organization as a tree")
	found, err := call("Organizations.GetBySlug", func() (authdb.Organization, error) {
		return store.Organizations.GetBySlug(ctx, "quillmark-kites")
	})
	if err != nil {
		return err
	}
	org, err := call("Organizations.GetFull, four relations", func() (authdb.OrganizationWithRelations, error) {
		return store.Organizations.GetFull(ctx, found.ID, authdb.OrganizationWith{
			Members: authdb.Oldest(3), Teams: authdb.All(), TeamMembers: authdb.Newest(2), Invitations: authdb.All(),
		})
	})
	if err != nil {
		return err
	}
	line("%s", org.Name)
	line("├─ the first %d members", len(org.Members))
	for i, m := range org.Members {
		line("│  %s %s, %s", branch(i, len(org.Members)), m.User.Name, m.Role)
	}
	line("├─ %d teams, and who joined last", len(org.Teams))
	for i, team := range org.Teams {
		stem := "│"
		if i == len(org.Teams)-1 {
			stem = " "
		}
		line("│  %s %s", branch(i, len(org.Teams)), team.Name)
		for j, m := range team.Members {
			line("│  %s  %s %s", stem, branch(j, len(team.Members)), m.User.Name)
		}
	}
	line("└─ %d invitations", len(org.Invitations))
	for i, inv := range org.Invitations {
		by, _, _ := strings.Cut(inv.Inviter.Name, " ")
		line("   %s %s as %s, %s, by %s", branch(i, len(org.Invitations)), inv.Email, text(inv.Role), inv.Status, by)
	}
	return nil
}

func branch(i, n int) string {
	if i == n-1 {
		return "└─"
	}
	return "├─"
}

func create(ctx context.Context, store *authdb.Store) error {
	heading("New rows, which Better Auth reads as its own")
	ada, err := call("Users.Create", func() (authdb.User, error) {
		return store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada Lovelace", Email: "Ada@Analytical.example"})
	})
	if err != nil {
		return err
	}
	line("%s: %s", ada.ID, ada.Email)
	org, err := call("Organizations.Create, with its owner", func() (authdb.Organization, error) {
		return store.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Name: "Analytical Engines", Slug: "analytical", OwnerID: ada.ID,
		})
	})
	if err != nil {
		return err
	}
	team, err := call("Teams.Create", func() (authdb.Team, error) {
		return store.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Mill"})
	})
	if err != nil {
		return err
	}
	if _, err := call("TeamMembers.Create", func() (authdb.TeamMember, error) {
		return store.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: org.ID, TeamID: team.ID, UserID: ada.ID,
		})
	}); err != nil {
		return err
	}
	invitation, err := call("Invitations.Create", func() (authdb.Invitation, error) {
		return store.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: ada.ID, Email: "charles@analytical.example",
			Role: authdb.RoleAdmin, TeamIDs: []string{team.ID},
		})
	})
	if err != nil {
		return err
	}
	line("%s as %s, until %s", invitation.Email, text(invitation.Role), invitation.ExpiresAt.Format("2006-01-02 15:04"))
	changed, err := call("Users.Update, one column set, one left", func() (authdb.User, error) {
		return store.Users.Update(ctx, ada.ID, authdb.UpdateUserParams{Image: authdb.Set("https://example.com/ada.png")})
	})
	if err != nil {
		return err
	}
	line("%s, picture %s", changed.Name, text(changed.Image))
	return nil
}

func join(ctx context.Context, store *authdb.Store) error {
	heading("Accept, sign in, be recognized: one round trip each")
	charles, err := store.Users.Create(ctx, authdb.CreateUserParams{
		Name: "Charles Babbage", Email: "charles@analytical.example", EmailVerified: true,
	})
	if err != nil {
		return err
	}
	received, err := store.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: charles.ID, Pending: true})
	if err != nil {
		return err
	}
	acceptance := authdb.AcceptInvitationParams{InvitationID: received.Items[0].ID, UserID: charles.ID}
	accepted, err := call("Invitations.Accept", func() (authdb.AcceptedInvitation, error) {
		return store.Invitations.Accept(ctx, acceptance)
	})
	if err != nil {
		return err
	}
	again, err := call("Invitations.Accept, once more", func() (authdb.AcceptedInvitation, error) {
		return store.Invitations.Accept(ctx, acceptance)
	})
	if err != nil {
		return err
	}
	line("one membership: %v, accepted before: %v", again.Member.ID == accepted.Member.ID, again.AlreadyAccepted)
	session, err := call("Sessions.Create", func() (authdb.Session, error) {
		return store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: charles.ID})
	})
	if err != nil {
		return err
	}
	if _, err := call("Sessions.SetActiveOrganization", func() (authdb.Session, error) {
		return store.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: charles.ID, Token: session.Token, OrganizationID: accepted.OrganizationID,
		})
	}); err != nil {
		return err
	}
	auth, err := call("Sessions.Authenticate", func() (authdb.Authentication, error) {
		return store.Sessions.Authenticate(ctx, session.Token)
	})
	if err != nil {
		return err
	}
	line("%s, %s", auth.User.Name, auth.Member.Role)
	return nil
}

func owners(ctx context.Context, store *authdb.Store) error {
	heading("An organization keeps an owner")
	org, err := store.Organizations.GetBySlug(ctx, "analytical")
	if err != nil {
		return err
	}
	ada, err := store.Users.GetByEmail(ctx, "ada@analytical.example")
	if err != nil {
		return err
	}
	if err := fails("Members.Leave, the only owner", authdb.ErrLastOwner, none(func() error {
		return store.Members.Leave(ctx, org.ID, ada.ID)
	})); err != nil {
		return err
	}
	return fails("Users.Delete, the only owner", authdb.ErrLastOwner, func() (authdb.DeletedUser, error) {
		return store.Users.Delete(ctx, authdb.DeleteUserParams{UserID: ada.ID})
	})
}

func conflicts(ctx context.Context, store *authdb.Store) error {
	heading("What goes wrong says so, and shows nobody's data")
	if err := fails("Users.Create, an address in use", authdb.ErrEmailTaken, func() (authdb.User, error) {
		return store.Users.Create(ctx, authdb.CreateUserParams{Name: "Ada", Email: "ADA@analytical.example"})
	}); err != nil {
		return err
	}
	if err := fails("Sessions.Create, a user who is gone", authdb.ErrReference, func() (authdb.Session, error) {
		return store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: "nobody"})
	}); err != nil {
		return err
	}
	return fails("Users.Create, a NUL byte in the name", authdb.ErrInvalidInput, func() (authdb.User, error) {
		return store.Users.Create(ctx, authdb.CreateUserParams{Name: "a\x00b", Email: "nul@example.com"})
	})
}

func transaction(ctx context.Context, store *authdb.Store) error {
	heading("A transaction that fails leaves nothing")
	before, err := store.Users.Count(ctx, authdb.ListUsersParams{})
	if err != nil {
		return err
	}
	if err := fails("InTx: a user, then a slug in use", authdb.ErrSlugTaken, none(func() error {
		return store.InTx(ctx, func(tx *authdb.Store) error {
			user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Name: "Half", Email: "half@example.com"})
			if err != nil {
				return err
			}
			_, err = tx.Organizations.Create(ctx, authdb.CreateOrganizationParams{
				Name: "Half", Slug: "analytical", OwnerID: user.ID,
			})
			return err
		})
	})); err != nil {
		return err
	}
	after, err := store.Users.Count(ctx, authdb.ListUsersParams{})
	line("users before %d, after %d", before, after)
	return err
}

func bulk(ctx context.Context, store *authdb.Store) error {
	heading("Many rows in one call")
	params := make([]authdb.CreateUserParams, 10_000)
	for i := range params {
		params[i] = authdb.CreateUserParams{Name: fmt.Sprintf("Guest %d", i), Email: fmt.Sprintf("guest%d@example.com", i)}
	}
	progress("copying 10,000 users …")
	users, err := call("Users.CreateMany, 10,000 users", func() ([]authdb.User, error) {
		return store.Users.CreateMany(ctx, params)
	})
	if err != nil {
		return err
	}
	line("from %s to %s", users[0].Email, users[len(users)-1].Email)
	return nil
}

func cascade(ctx context.Context, store *authdb.Store) error {
	heading("Deleting takes along what belongs to it")
	org, err := store.Organizations.GetBySlug(ctx, "analytical")
	if err != nil {
		return err
	}
	gone, err := call("Organizations.Delete", func() (authdb.DeletedOrganization, error) {
		return store.Organizations.Delete(ctx, org.ID)
	})
	if err != nil {
		return err
	}
	line("no longer active in %d session", len(gone.Sessions))
	members, err1 := store.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: org.ID})
	teams, err2 := store.Teams.Count(ctx, authdb.ListTeamsParams{OrganizationID: org.ID})
	invitations, err3 := store.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: org.ID})
	line("left of it: %d members, %d teams, %d invitations", members, teams, invitations)
	return errors.Join(err1, err2, err3)
}
