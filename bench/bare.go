package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// bare is the least that can be sent for the same rows: no snapshot, no locks, no rule but the one that is asked for.
// For the delete of a user it is that one statement, which does not do all that the others do.
type bare struct {
	jobs // does the others
	conn *pgx.Conn
}

func openBare(ctx context.Context, _ *bench, at address) (contender, error) {
	conn, err := pgx.Connect(ctx, at.dsn())
	if err != nil {
		return nil, err
	}
	return &peer{jobs: bare{conn: conn}, end: func() error { return conn.Close(ctx) }, only: []string{
		"userFull", "organizationFull", "acceptInvitation", "changeRole", "deleteUser", "createSessions",
	}}, nil
}

func (b bare) userByID(ctx context.Context, in *input) error {
	_, err := b.conn.Exec(ctx, selectUser, in.UserID)
	return err
}

func queue[T any](batch *pgx.Batch, to *[]T, sql string, args ...any) {
	batch.Queue(sql, args...).Query(into(to))
}

func (b bare) userFull(ctx context.Context, in *input) error {
	var g struct {
		Users []userRow
		userGraph
	}
	batch := &pgx.Batch{}
	queue(batch, &g.Users, selectUser, in.UserID)
	queue(batch, &g.Sessions, selectSessions, in.UserID)
	queue(batch, &g.Accounts, selectAccounts, in.UserID)
	queue(batch, &g.Members, selectMembersOfUser, in.UserID)
	queue(batch, &g.TeamMembers, selectTeamMembersOfUser, in.UserID)
	queue(batch, &g.Invitations, selectInvitationsOfInviter, in.UserID)
	err := b.conn.SendBatch(ctx, batch).Close()
	if err == nil {
		g.User = g.Users[0]
	}
	return show(in, g.userGraph, err)
}

func (b bare) organizationFull(ctx context.Context, in *input) error {
	var g struct {
		Organizations []organizationRow
		organizationGraph
	}
	batch := &pgx.Batch{}
	queue(batch, &g.Organizations, selectOrganization, in.OrganizationID)
	queue(batch, &g.Members, selectMembers, in.OrganizationID)
	queue(batch, &g.Teams, selectTeams, in.OrganizationID)
	queue(batch, &g.TeamMembers, selectTeamMembers, in.OrganizationID)
	queue(batch, &g.Invitations, selectInvitations, in.OrganizationID)
	err := b.conn.SendBatch(ctx, batch).Close()
	if err == nil {
		g.Organization = g.Organizations[0]
	}
	return show(in, g.organizationGraph, err)
}

const bareAccept = `WITH i AS (` + claimInvitation + `),
	m AS (INSERT INTO member AS m (id, organization_id, user_id, role, created_at)
		SELECT $4, i.organization_id, $2, i.role, $3 FROM i RETURNING ` + memberColumns + `),
	tm AS (INSERT INTO team_member (id, team_id, user_id, created_at, membership_key)
		SELECT $4, i.team_id, $2, $3, translate(rtrim(encode(sha256(convert_to(
			'["' || i.team_id || '","' || $2 || '"]', 'UTF8')), 'base64'), '='), '+/', '-_')
		FROM i WHERE i.team_id IS NOT NULL RETURNING team_id),
	t AS (UPDATE team SET member_count = member_count + 1, updated_at = $3 WHERE id IN (SELECT team_id FROM tm))
	SELECT i.*, m.* FROM i, m`

func (b bare) acceptInvitation(ctx context.Context, in *input) error {
	rows, err := b.conn.Query(ctx, bareAccept, in.InvitationID, in.UserID, now(), newID())
	if err != nil {
		return err
	}
	accepted, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[invitationMember])
	return show(in, accepted, err)
}

func (b bare) changeRole(ctx context.Context, in *input) error {
	rows, err := b.conn.Query(ctx, updateRole, in.MemberID, in.OrganizationID, "admin")
	if err != nil {
		return err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[memberRow])
	return show(in, row, err)
}

func (b bare) deleteUser(ctx context.Context, in *input) error {
	_, err := b.conn.Exec(ctx, deleteUser, in.UserID)
	return err
}

func (b bare) createSessions(ctx context.Context, in *input) error {
	now := now()
	_, err := b.conn.CopyFrom(ctx, pgx.Identifier{"session"},
		[]string{"id", "expires_at", "token", "created_at", "updated_at", "ip_address", "user_agent", "user_id"},
		pgx.CopyFromSlice(in.Limit, func(int) ([]any, error) {
			return []any{newID(), now.Add(lifetime), newID(), now, now, ip, agent, in.UserID}, nil
		}))
	return err
}
