package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
)

func openAuthdb(ctx context.Context, b *bench, at address) (contender, error) {
	store, err := authdb.Open(ctx, at.dsn(), authdb.WithPoolConfig(func(c *pgxpool.Config) {
		c.MaxConns, c.MaxConnIdleTime = 1, time.Hour // as for all: nobody reconnects between rounds
	}))
	if err != nil {
		return nil, err
	}
	return ourPeer(store), nil
}

func ourPeer(s *authdb.Store) *peer {
	return &peer{jobs: ours{s}, end: func() error { s.Close(); return nil }}
}

type ours struct{ *authdb.Store }

func (o ours) userFull(ctx context.Context, in *input) error {
	rows, err := o.Users.GetFull(ctx, in.UserID, authdb.UserWith{
		Sessions: authdb.All(), Accounts: authdb.All(), Members: authdb.All(), TeamMembers: authdb.All(),
		Invitations: authdb.All(),
	})
	return show(in, rows, err)
}

func (o ours) organizationFull(ctx context.Context, in *input) error {
	rows, err := o.Organizations.GetFull(ctx, in.OrganizationID, authdb.OrganizationWith{
		Members: authdb.All(), Teams: authdb.All(), TeamMembers: authdb.All(), Invitations: authdb.All(),
	})
	return show(in, rows, err)
}

func (o ours) page(ctx context.Context, in *input) error {
	var after authdb.Cursor
	if in.AfterID != "" {
		after = authdb.CursorAt(in.AfterCreatedAt, in.AfterID)
	}
	page, err := o.Members.List(ctx, authdb.ListMembersParams{
		OrganizationID: in.OrganizationID, After: after, Limit: in.Limit,
	})
	return show(in, page.Items, err)
}

func (o ours) authenticate(ctx context.Context, in *input) error {
	rows, err := o.Sessions.Authenticate(ctx, authdb.Secret(in.Token))
	return show(in, rows, err)
}

func (o ours) userByID(ctx context.Context, in *input) error {
	row, err := o.Users.Get(ctx, in.UserID)
	return show(in, row, err)
}

func (o ours) userByEmail(ctx context.Context, in *input) error {
	row, err := o.Users.GetByEmail(ctx, in.Email)
	return show(in, row, err)
}

func (o ours) createSession(ctx context.Context, in *input) error {
	row, err := o.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: in.UserID, IPAddress: ip, UserAgent: agent})
	return show(in, row, err)
}

func (o ours) createOrganization(ctx context.Context, in *input) error {
	row, err := o.Organizations.Create(ctx, authdb.CreateOrganizationParams{
		Name: "New", Slug: in.Slug, OwnerID: in.UserID,
	})
	return show(in, row, err)
}

func (o ours) acceptInvitation(ctx context.Context, in *input) error {
	rows, err := o.Invitations.Accept(ctx, authdb.AcceptInvitationParams{
		InvitationID: in.InvitationID, UserID: in.UserID,
	})
	return show(in, rows, err)
}

func (o ours) changeRole(ctx context.Context, in *input) error {
	row, err := o.Members.Update(ctx, in.OrganizationID, in.MemberID, authdb.UpdateMemberParams{
		Role: authdb.Set(authdb.RoleAdmin),
	})
	return show(in, row, err)
}

func (o ours) deleteUser(ctx context.Context, in *input) error {
	deleted, err := o.Users.Delete(ctx, authdb.DeleteUserParams{UserID: in.UserID})
	return show(in, deleted.Sessions, err)
}

func (o ours) createSessions(ctx context.Context, in *input) error {
	ps := make([]authdb.CreateSessionParams, in.Limit)
	for i := range ps {
		ps[i] = authdb.CreateSessionParams{UserID: in.UserID, IPAddress: ip, UserAgent: agent}
	}
	_, err := o.Sessions.CreateMany(ctx, ps)
	return err
}

func (o ours) purge(ctx context.Context, in *input) error {
	_, err := o.Sessions.DeleteExpired(ctx, in.Limit)
	return err
}
