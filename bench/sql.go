package main

import (
	"context"
	"database/sql"
	"errors"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// stdlib is database/sql on pgx, which prepares each statement by itself: one statement after the other.
type stdlib struct{ db *sql.DB }

func openSQL(_ context.Context, _ *bench, at address) (contender, error) {
	db, err := sql.Open("pgx", at.dsn())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return &peer{jobs: stdlib{db}, end: db.Close}, nil
}

func (u *userRow) fields() []any {
	return []any{&u.ID, &u.Name, &u.Email, &u.EmailVerified, &u.Image, &u.CreatedAt, &u.UpdatedAt}
}

func (s *sessionRow) fields() []any {
	return []any{
		&s.ID, &s.ExpiresAt, &s.Token, &s.CreatedAt, &s.UpdatedAt, &s.IPAddress, &s.UserAgent, &s.UserID,
		&s.ActiveOrganizationID, &s.ActiveTeamID,
	}
}

func (a *accountRow) fields() []any {
	return []any{
		&a.ID, &a.AccountID, &a.ProviderID, &a.UserID, &a.AccessToken, &a.RefreshToken, &a.IDToken, &a.AccessTokenExpiresAt,
		&a.RefreshTokenExpiresAt, &a.Scope, &a.Password, &a.CreatedAt, &a.UpdatedAt,
	}
}

func (o *organizationRow) fields() []any {
	return []any{&o.ID, &o.Name, &o.Slug, &o.Logo, &o.CreatedAt, &o.Metadata}
}

func (m *memberRow) fields() []any {
	return []any{&m.ID, &m.OrganizationID, &m.UserID, &m.Role, &m.CreatedAt}
}

func (t *teamRow) fields() []any {
	return []any{&t.ID, &t.Name, &t.OrganizationID, &t.CreatedAt, &t.UpdatedAt, &t.MemberCount}
}

func (t *teamMemberRow) fields() []any {
	return []any{&t.ID, &t.TeamID, &t.UserID, &t.CreatedAt, &t.MembershipKey}
}

func (i *invitationRow) fields() []any {
	return []any{
		&i.ID, &i.OrganizationID, &i.Email, &i.Role, &i.TeamID, &i.Status, &i.ExpiresAt, &i.CreatedAt, &i.InviterID,
	}
}

func (r *memberUser) fields() []any { return append(r.memberRow.fields(), r.userRow.fields()...) }
func (r *memberOrganization) fields() []any {
	return append(r.memberRow.fields(), r.organizationRow.fields()...)
}

func (r *teamMemberUser) fields() []any {
	return append(r.teamMemberRow.fields(), r.userRow.fields()...)
}

func (r *teamMemberTeam) fields() []any {
	return append(r.teamMemberRow.fields(), r.teamRow.fields()...)
}

func (r *invitationUser) fields() []any {
	return append(r.invitationRow.fields(), r.userRow.fields()...)
}

func (r *invitationOrganization) fields() []any {
	return append(r.invitationRow.fields(), r.organizationRow.fields()...)
}

func (a *authenticated) fields() []any {
	return append(append(a.sessionRow.fields(), a.userRow.fields()...), &a.MemberID, &a.MemberRole, &a.MemberCreatedAt,
		&a.TeamID, &a.TeamName, &a.TeamCreatedAt, &a.TeamUpdatedAt, &a.TeamMemberCount)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func one[T any, P interface {
	*T
	fields() []any
}](ctx context.Context, q querier, query string, args ...any) (row T, err error) {
	err = q.QueryRowContext(ctx, query, args...).Scan(P(&row).fields()...)
	return row, err
}

func many[T any, P interface {
	*T
	fields() []any
}](ctx context.Context, q querier, to *[]T, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var row T
		if err := rows.Scan(P(&row).fields()...); err != nil {
			return err
		}
		*to = append(*to, row)
	}
	return rows.Err()
}

func (s stdlib) authenticate(ctx context.Context, in *input) error {
	row, err := one[authenticated](ctx, s.db, selectAuthenticated, in.Token, now())
	return show(in, row, err)
}

func (s stdlib) userByID(ctx context.Context, in *input) error {
	row, err := one[userRow](ctx, s.db, selectUser, in.UserID)
	return show(in, row, err)
}

func (s stdlib) userByEmail(ctx context.Context, in *input) error {
	row, err := one[userRow](ctx, s.db, selectUserEmail, in.Email)
	return show(in, row, err)
}

func (s stdlib) userFull(ctx context.Context, in *input) error {
	var g userGraph
	var err error
	if g.User, err = one[userRow](ctx, s.db, selectUser, in.UserID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.Sessions, selectSessions, in.UserID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.Accounts, selectAccounts, in.UserID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.Members, selectMembersOfUser, in.UserID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.TeamMembers, selectTeamMembersOfUser, in.UserID); err != nil {
		return err
	}
	err = many(ctx, s.db, &g.Invitations, selectInvitationsOfInviter, in.UserID)
	return show(in, g, err)
}

func (s stdlib) organizationFull(ctx context.Context, in *input) error {
	var g organizationGraph
	var err error
	if g.Organization, err = one[organizationRow](ctx, s.db, selectOrganization, in.OrganizationID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.Members, selectMembers, in.OrganizationID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.Teams, selectTeams, in.OrganizationID); err != nil {
		return err
	}
	if err := many(ctx, s.db, &g.TeamMembers, selectTeamMembers, in.OrganizationID); err != nil {
		return err
	}
	err = many(ctx, s.db, &g.Invitations, selectInvitations, in.OrganizationID)
	return show(in, g, err)
}

func (s stdlib) page(ctx context.Context, in *input) error {
	var rows []memberUser
	err := many(ctx, s.db, &rows, selectPage, in.OrganizationID, in.AfterCreatedAt, in.AfterID, in.Limit)
	return show(in, rows, err)
}

func (s stdlib) createSession(ctx context.Context, in *input) error {
	now := now()
	row, err := one[sessionRow](ctx, s.db, insertSession, newID(), now.Add(lifetime), newID(), now, ip, agent, in.UserID)
	return show(in, row, err)
}

func (s stdlib) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s stdlib) createOrganization(ctx context.Context, in *input) error {
	now := now()
	var row organizationRow
	err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
		if row, err = one[organizationRow](ctx, tx, insertOrganization, newID(), "New", in.Slug, now); err != nil {
			return err
		}
		_, err = one[memberRow](ctx, tx, insertMember, newID(), row.ID, in.UserID, "owner", now)
		return err
	})
	return show(in, row, err)
}

func (s stdlib) acceptInvitation(ctx context.Context, in *input) error {
	now := now()
	var accepted invitationMember
	err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
		i := &accepted.invitationRow
		if *i, err = one[invitationRow](ctx, tx, claimInvitation, in.InvitationID, in.UserID, now); err != nil {
			return err
		}
		accepted.memberRow, err = one[memberRow](ctx, tx, insertMember, newID(), i.OrganizationID, in.UserID, *i.Role, now)
		if err != nil || i.TeamID == nil {
			return err
		}
		key := membershipKey(*i.TeamID, in.UserID)
		_, err = tx.ExecContext(ctx, insertTeamMember, newID(), *i.TeamID, in.UserID, now, key)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, countSeat, *i.TeamID, now)
		return err
	})
	return show(in, accepted, err)
}

func (s stdlib) changeRole(ctx context.Context, in *input) error {
	var row memberRow
	err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, lockOrganization, in.OrganizationID); err != nil {
			return err
		}
		row, err = one[memberRow](ctx, tx, updateRole, in.MemberID, in.OrganizationID, "admin")
		return err
	})
	return show(in, row, err)
}

func (s stdlib) deleteUser(ctx context.Context, in *input) error {
	var sessions []sessionRow
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, lockOrganizationsOfUser, in.UserID); err != nil {
			return err
		}
		var alone bool
		if err := tx.QueryRowContext(ctx, ownsAlone, in.UserID).Scan(&alone); err != nil || alone {
			return errors.Join(err, errOwnsAlone)
		}
		if err := many(ctx, tx, &sessions, selectSessions, in.UserID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, freeSeats, in.UserID, now()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, cancelInvitations, in.UserID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, deleteUser, in.UserID)
		return err
	})
	return show(in, sessions, err)
}

func (s stdlib) createSessions(ctx context.Context, in *input) error {
	ids, tokens := make([]string, in.Limit), make([]string, in.Limit)
	for i := range ids {
		ids[i], tokens[i] = newID(), newID()
	}
	now := now()
	_, err := s.db.ExecContext(ctx, insertSessions, ids, tokens, now.Add(lifetime), now, ip, agent, in.UserID)
	return err
}

func (s stdlib) purge(ctx context.Context, in *input) error {
	_, err := s.db.ExecContext(ctx, deleteExpired, now(), in.Limit)
	return err
}
