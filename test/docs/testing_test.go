package docs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

func TestLate(t *testing.T) {
	store := authdbtest.New(t)
	user := authdbtest.User(t, store)
	invitation := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) { p.Email = user.Email })

	later := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return time.Now().Add(72 * time.Hour) }))
	_, err := later.Invitations.Accept(t.Context(), authdb.AcceptInvitationParams{InvitationID: invitation.ID, UserID: user.ID})
	if !errors.Is(err, authdb.ErrExpired) {
		t.Errorf("got %v", err)
	}
}
