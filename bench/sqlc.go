package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/bench/sqlc/queries"
)

// sqlc: generated queries on a pool, one after the other, and in a transaction where several write.
type sqlc struct {
	pool *pgxpool.Pool
	*queries.Queries
}

func openPool(ctx context.Context, at address) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(at.dsn())
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 1
	return pgxpool.NewWithConfig(ctx, cfg)
}

func openSqlc(ctx context.Context, _ *bench, at address) (contender, error) {
	pool, err := openPool(ctx, at)
	if err != nil {
		return nil, err
	}
	return &peer{jobs: sqlc{pool, queries.New(pool)}, end: func() error { pool.Close(); return nil }}, nil
}

type sqlcAuthenticated queries.AuthenticateRow

func (r sqlcAuthenticated) compared() any {
	rows := []any{r.Session, r.User}
	if r.MemberID != nil {
		rows = append(rows, queries.Member{
			ID: *r.MemberID, OrganizationID: *r.Session.ActiveOrganizationID, UserID: r.User.ID, Role: *r.MemberRole,
			CreatedAt: *r.MemberCreatedAt,
		})
	}
	if r.TeamID != nil {
		rows = append(rows, queries.Team{
			ID: *r.TeamID, Name: *r.TeamName, OrganizationID: *r.Session.ActiveOrganizationID, CreatedAt: *r.TeamCreatedAt,
			UpdatedAt: r.TeamUpdatedAt, MemberCount: *r.TeamMemberCount,
		})
	}
	return rows
}

func (q sqlc) authenticate(ctx context.Context, in *input) error {
	row, err := q.Authenticate(ctx, queries.AuthenticateParams{Token: in.Token, Now: now()})
	return show(in, sqlcAuthenticated(row), err)
}

func (q sqlc) userByID(ctx context.Context, in *input) error {
	row, err := q.GetUser(ctx, in.UserID)
	return show(in, row, err)
}

func (q sqlc) userByEmail(ctx context.Context, in *input) error {
	row, err := q.GetUserByEmail(ctx, in.Email)
	return show(in, row, err)
}

func (q sqlc) userFull(ctx context.Context, in *input) error {
	var g struct {
		User        queries.User
		Sessions    []queries.Session
		Accounts    []queries.Account
		Members     []queries.ListMembersOfUserRow
		TeamMembers []queries.ListTeamMembersOfUserRow
		Invitations []queries.ListInvitationsOfInviterRow
	}
	var err error
	if g.User, err = q.GetUser(ctx, in.UserID); err != nil {
		return err
	}
	if g.Sessions, err = q.ListSessionsOfUser(ctx, in.UserID); err != nil {
		return err
	}
	if g.Accounts, err = q.ListAccountsOfUser(ctx, in.UserID); err != nil {
		return err
	}
	if g.Members, err = q.ListMembersOfUser(ctx, in.UserID); err != nil {
		return err
	}
	if g.TeamMembers, err = q.ListTeamMembersOfUser(ctx, in.UserID); err != nil {
		return err
	}
	g.Invitations, err = q.ListInvitationsOfInviter(ctx, in.UserID)
	return show(in, g, err)
}

func (q sqlc) organizationFull(ctx context.Context, in *input) error {
	var g struct {
		Organization queries.Organization
		Members      []queries.ListMembersRow
		Teams        []queries.Team
		TeamMembers  []queries.ListTeamMembersRow
		Invitations  []queries.ListInvitationsRow
	}
	var err error
	if g.Organization, err = q.GetOrganization(ctx, in.OrganizationID); err != nil {
		return err
	}
	if g.Members, err = q.ListMembers(ctx, in.OrganizationID); err != nil {
		return err
	}
	if g.Teams, err = q.ListTeams(ctx, in.OrganizationID); err != nil {
		return err
	}
	if g.TeamMembers, err = q.ListTeamMembers(ctx, in.OrganizationID); err != nil {
		return err
	}
	g.Invitations, err = q.ListInvitations(ctx, in.OrganizationID)
	return show(in, g, err)
}

func (q sqlc) page(ctx context.Context, in *input) error {
	rows, err := q.PageOfMembers(ctx, queries.PageOfMembersParams{
		OrganizationID: in.OrganizationID, AfterCreatedAt: in.AfterCreatedAt, AfterID: in.AfterID, RowLimit: int32(in.Limit),
	})
	return show(in, rows, err)
}

func (q sqlc) createSession(ctx context.Context, in *input) error {
	now := now()
	row, err := q.CreateSession(ctx, queries.CreateSessionParams{
		ID: newID(), Token: newID(), ExpiresAt: now.Add(lifetime), Now: now, IPAddress: ptr(ip), UserAgent: ptr(agent),
		UserID: in.UserID,
	})
	return show(in, row, err)
}

// inTx runs fn in a transaction.
func (q sqlc) inTx(ctx context.Context, fn func(*queries.Queries) error) error {
	return pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error { return fn(q.WithTx(tx)) })
}

func (q sqlc) createOrganization(ctx context.Context, in *input) error {
	now := now()
	var row queries.Organization
	err := q.inTx(ctx, func(q *queries.Queries) (err error) {
		row, err = q.CreateOrganization(ctx, queries.CreateOrganizationParams{
			ID: newID(), Name: "New", Slug: in.Slug, CreatedAt: now,
		})
		if err != nil {
			return err
		}
		_, err = q.CreateMember(ctx, queries.CreateMemberParams{
			ID: newID(), OrganizationID: row.ID, UserID: in.UserID, Role: "owner", CreatedAt: now,
		})
		return err
	})
	return show(in, row, err)
}

func (q sqlc) acceptInvitation(ctx context.Context, in *input) error {
	now := now()
	var accepted struct {
		Invitation queries.Invitation
		Member     queries.Member
	}
	err := q.inTx(ctx, func(q *queries.Queries) (err error) {
		accepted.Invitation, err = q.ClaimInvitation(ctx, queries.ClaimInvitationParams{
			ID: in.InvitationID, UserID: in.UserID, Now: now,
		})
		if err != nil {
			return err
		}
		i := &accepted.Invitation
		accepted.Member, err = q.CreateMember(ctx, queries.CreateMemberParams{
			ID: newID(), OrganizationID: i.OrganizationID, UserID: in.UserID, Role: *i.Role, CreatedAt: now,
		})
		if err != nil || i.TeamID == nil {
			return err
		}
		err = q.CreateTeamMember(ctx, queries.CreateTeamMemberParams{
			ID: newID(), TeamID: *i.TeamID, UserID: in.UserID, CreatedAt: &now,
			MembershipKey: ptr(membershipKey(*i.TeamID, in.UserID)),
		})
		if err != nil {
			return err
		}
		return q.CountSeat(ctx, queries.CountSeatParams{ID: *i.TeamID, Now: &now})
	})
	return show(in, accepted, err)
}

func (q sqlc) changeRole(ctx context.Context, in *input) error {
	var row queries.Member
	err := q.inTx(ctx, func(q *queries.Queries) (err error) {
		if err := q.LockOrganization(ctx, in.OrganizationID); err != nil {
			return err
		}
		row, err = q.ChangeRole(ctx, queries.ChangeRoleParams{
			ID: in.MemberID, OrganizationID: in.OrganizationID, Role: "admin",
		})
		return err
	})
	return show(in, row, err)
}

var errOwnsAlone = errors.New("the only owner of an organization")

func (q sqlc) deleteUser(ctx context.Context, in *input) error {
	now := now()
	var sessions []queries.Session
	err := q.inTx(ctx, func(q *queries.Queries) (err error) {
		if err := q.LockOrganizationsOfUser(ctx, in.UserID); err != nil {
			return err
		}
		if alone, err := q.OwnsAlone(ctx, in.UserID); err != nil || alone {
			return errors.Join(err, errOwnsAlone)
		}
		if sessions, err = q.ListSessionsOfUser(ctx, in.UserID); err != nil {
			return err
		}
		if err := q.FreeSeats(ctx, queries.FreeSeatsParams{UserID: in.UserID, Now: &now}); err != nil {
			return err
		}
		if err := q.CancelInvitationsOfUser(ctx, in.UserID); err != nil {
			return err
		}
		_, err = q.DeleteUser(ctx, in.UserID)
		return err
	})
	return show(in, sessions, err)
}

func (q sqlc) createSessions(ctx context.Context, in *input) error {
	now := now()
	rows := make([]queries.CreateSessionsParams, in.Limit)
	for i := range rows {
		rows[i] = queries.CreateSessionsParams{
			ID: newID(), ExpiresAt: now.Add(lifetime), Token: newID(), CreatedAt: now, UpdatedAt: now, IPAddress: ptr(ip),
			UserAgent: ptr(agent), UserID: in.UserID,
		}
	}
	_, err := q.CreateSessions(ctx, rows)
	return err
}

func (q sqlc) purge(ctx context.Context, in *input) error {
	_, err := q.PurgeSessions(ctx, queries.PurgeSessionsParams{Now: now(), RowLimit: int32(in.Limit)})
	return err
}
