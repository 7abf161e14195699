package rows_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// TestCapitalsInAnAddress: rows that another program wrote with capitals, the user's, the invitation's or both, open the
// doors of an invitation as they do on every Better Auth server from 1.3 to 1.7; another address does not.
func TestCapitalsInAnAddress(t *testing.T) {
	t.Parallel()
	const asIs = "$1"
	for name, forms := range map[string]struct {
		user, invitation string
		listed           bool // the server looks by lower case alone
	}{
		"user":           {"upper($1)", asIs, true},
		"user, somewhat": {"initcap($1)", asIs, true},
		"invitation":     {asIs, "upper($1)", false},
		"both alike":     {"upper($1)", "upper($1)", true},
		"both otherwise": {"initcap($1)", "upper($1)", false},
		"none":           {asIs, asIs, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ctx := kit.NewFixture(t), t.Context()
			g := kit.NewGuest(t, s)
			kit.Exec(t, s.Store, `UPDATE "user" SET email = `+forms.user+` WHERE email = $1`, g.User.Email)
			kit.Exec(t, s.Store, `UPDATE invitation SET email = `+forms.invitation+` WHERE email = $1`, g.User.Email)
			stranger := authdbtest.User(t, s.Store, func(p *authdb.CreateUserParams) { p.Email = "a" + g.User.Email })
			for _, who := range []authdb.User{stranger, g.User} {
				is := who == g.User
				got, err := s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{
					InvitationID: g.Inv.ID, UserID: who.ID,
				})
				if is && (err != nil || got.ID != g.Inv.ID) || !is && !errors.Is(err, authdb.ErrNotFound) {
					t.Errorf("GetByRecipient, the recipient %v: %v", is, err)
				}
				for _, newest := range []bool{false, true} {
					page, err := s.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{
						UserID: who.ID, Pending: true, Newest: newest,
					})
					if listed := len(page.Items) == 1; err != nil || listed != (is && forms.listed) {
						t.Errorf("ListByRecipient, the recipient %v, newest %v: %v, %v", is, newest, listed, err)
					}
				}
				_, err = s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: g.Inv.ID, UserID: who.ID})
				if is && err != nil || !is && !errors.Is(err, authdb.ErrNotRecipient) {
					t.Errorf("Reject, the recipient %v: %v", is, err)
				}
				kit.Exec(t, s.Store, `UPDATE invitation SET status = 'pending'`)
				accepted, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: g.Inv.ID, UserID: who.ID})
				if is && (err != nil || accepted.Member.UserID != who.ID) || !is && !errors.Is(err, authdb.ErrNotRecipient) {
					t.Errorf("Accept, the recipient %v: %v", is, err)
				}
			}
		})
	}
}

// TestAcceptingClosesEveryForm: no form of the address keeps a way back.
func TestAcceptingClosesEveryForm(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	g := kit.NewGuest(t, s)
	kit.Exec(t, s.Store, `UPDATE "user" SET email = upper(email) WHERE id = $1`, g.User.ID)
	kit.Exec(t, s.Store, `INSERT INTO invitation SELECT 'capitals', organization_id, upper(email), role, team_id, status, expires_at,
		created_at, inviter_id FROM invitation WHERE id = $1`, g.Inv.ID)
	kit.Must[authdb.AcceptedInvitation](t)(s.Invitations.Accept(t.Context(), authdb.AcceptInvitationParams{
		InvitationID: g.Inv.ID, UserID: g.User.ID,
	}))
	if got := kit.ReadTables(t, s.Store)["invitation"]["capitals"]["status"]; got != authdb.StatusCanceled {
		t.Errorf("the other one is %v", got)
	}
}

// TestLookupsByAddress go by lower case alone, as the server's: a row with capitals is found by neither, by its id as
// ever, and by a search, which looks at each row anyway.
func TestLookupsByAddress(t *testing.T) {
	t.Parallel()
	s, ctx := kit.NewFixture(t), t.Context()
	a := kit.NewTenant(t, s)
	kit.Exec(t, s.Store, `UPDATE "user" SET email = initcap(email) WHERE id = $1`, a.User.ID)
	for _, given := range []string{a.User.Email, strings.ToUpper(a.User.Email)} {
		if _, err := s.Users.GetByEmail(ctx, given); !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("Users.GetByEmail: %v", err)
		}
		p := authdb.ListMembersParams{OrganizationID: a.Org.ID, Search: given[3:]}
		for _, p.Newest = range []bool{false, true} {
			if page, err := s.Members.List(ctx, p); err != nil || len(page.Items) != 1 {
				t.Errorf("Members.List: %d members, %v", len(page.Items), err)
			}
		}
		if n, err := s.Members.Count(ctx, p); err != nil || n != 1 {
			t.Errorf("Members.Count: %d, %v", n, err)
		}
	}
}
