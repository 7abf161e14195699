package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// The tables as bun's users declare them.
type (
	bunUser struct {
		bun.BaseModel `bun:"table:user"`
		ID            string `bun:",pk"`
		Name          string
		Email         string
		EmailVerified bool
		Image         *string
		CreatedAt     time.Time
		UpdatedAt     time.Time
		Sessions      []*bunSession    `bun:"rel:has-many,join:id=user_id"`
		Accounts      []*bunAccount    `bun:"rel:has-many,join:id=user_id"`
		Members       []*bunMember     `bun:"rel:has-many,join:id=user_id"`
		TeamMembers   []*bunTeamMember `bun:"rel:has-many,join:id=user_id"`
		Invitations   []*bunInvitation `bun:"rel:has-many,join:id=inviter_id"`
	}
	bunSession struct {
		bun.BaseModel        `bun:"table:session"`
		ID                   string `bun:",pk"`
		ExpiresAt            time.Time
		Token                string
		CreatedAt            time.Time
		UpdatedAt            time.Time
		IPAddress            *string
		UserAgent            *string
		UserID               string
		ActiveOrganizationID *string
		ActiveTeamID         *string
		User                 *bunUser       `bun:"rel:belongs-to,join:user_id=id"`
		Member               *bunMember     `bun:"rel:belongs-to,join:active_organization_id=organization_id,join:user_id=user_id"` //nolint:lll // a tag
		Seat                 *bunTeamMember `bun:"rel:belongs-to,join:active_team_id=team_id,join:user_id=user_id"`
	}
	bunAccount struct {
		bun.BaseModel         `bun:"table:account"`
		ID                    string `bun:",pk"`
		AccountID             string
		ProviderID            string
		UserID                string
		AccessToken           *string
		RefreshToken          *string
		IDToken               *string
		AccessTokenExpiresAt  *time.Time
		RefreshTokenExpiresAt *time.Time
		Scope                 *string
		Password              *string
		CreatedAt             time.Time
		UpdatedAt             time.Time
	}
	bunOrganization struct {
		bun.BaseModel `bun:"table:organization"`
		ID            string `bun:",pk"`
		Name          string
		Slug          string
		Logo          *string
		CreatedAt     time.Time
		Metadata      *string
		Members       []*bunMember     `bun:"rel:has-many,join:id=organization_id"`
		Teams         []*bunTeam       `bun:"rel:has-many,join:id=organization_id"`
		Invitations   []*bunInvitation `bun:"rel:has-many,join:id=organization_id"`
	}
	bunMember struct {
		bun.BaseModel  `bun:"table:member"`
		ID             string `bun:",pk"`
		OrganizationID string
		UserID         string
		Role           string
		CreatedAt      time.Time
		Organization   *bunOrganization `bun:"rel:belongs-to,join:organization_id=id"`
		User           *bunUser         `bun:"rel:belongs-to,join:user_id=id"`
	}
	bunTeam struct {
		bun.BaseModel  `bun:"table:team"`
		ID             string `bun:",pk"`
		Name           string
		OrganizationID string
		CreatedAt      time.Time
		UpdatedAt      *time.Time
		MemberCount    int32
		Members        []*bunTeamMember `bun:"rel:has-many,join:id=team_id"`
	}
	bunTeamMember struct {
		bun.BaseModel `bun:"table:team_member"`
		ID            string `bun:",pk"`
		TeamID        string
		UserID        string
		CreatedAt     *time.Time
		MembershipKey *string
		Team          *bunTeam `bun:"rel:belongs-to,join:team_id=id"`
		User          *bunUser `bun:"rel:belongs-to,join:user_id=id"`
	}
	bunInvitation struct {
		bun.BaseModel  `bun:"table:invitation"`
		ID             string `bun:",pk"`
		OrganizationID string
		Email          string
		Role           *string
		TeamID         *string
		Status         string
		ExpiresAt      time.Time
		CreatedAt      time.Time
		InviterID      string
		Organization   *bunOrganization `bun:"rel:belongs-to,join:organization_id=id"`
		Inviter        *bunUser         `bun:"rel:belongs-to,join:inviter_id=id"`
	}
)

// bunDB is bun on its own driver, as its guide has it. It writes values into the text of each statement.
type bunDB struct{ db *bun.DB }

func openBun(_ context.Context, _ *bench, at address) (contender, error) {
	network, addr := "tcp", net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port)))
	if at.isSocket() {
		network, addr = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", at.Host, at.Port)
	}
	pool := sql.OpenDB(pgdriver.NewConnector(
		pgdriver.WithNetwork(network), pgdriver.WithAddr(addr), pgdriver.WithInsecure(true), pgdriver.WithUser(at.User),
		pgdriver.WithPassword(at.Password), pgdriver.WithDatabase(at.Database), pgdriver.WithApplicationName(at.Name),
		pgdriver.WithTimeout(time.Minute),
	))
	pool.SetMaxOpenConns(1)
	return &peer{jobs: bunDB{bun.NewDB(pool, pgdialect.New())}, end: pool.Close}, nil
}

// The team counts if the member is in its organization.
func (s bunSession) compared() any {
	rows := []any{s.User, s.Member}
	if s.Seat != nil && s.Member != nil && s.Seat.Team.OrganizationID == s.Member.OrganizationID {
		rows = append(rows, s.Seat.Team)
	}
	type session bunSession
	s.User, s.Member, s.Seat = nil, nil, nil
	return append(rows, session(s))
}

func (b bunDB) authenticate(ctx context.Context, in *input) error {
	var row bunSession
	err := b.db.NewSelect().Model(&row).Relation("User").Relation("Member").Relation("Seat").Relation("Seat.Team").
		Where("bun_session.token = ?", in.Token).Where("bun_session.expires_at > ?", now()).Scan(ctx)
	return show(in, row, err)
}

func (b bunDB) userByID(ctx context.Context, in *input) error {
	var row bunUser
	err := b.db.NewSelect().Model(&row).Where("id = ?", in.UserID).Scan(ctx)
	return show(in, row, err)
}

func (b bunDB) userByEmail(ctx context.Context, in *input) error {
	var row bunUser
	err := b.db.NewSelect().Model(&row).Where("email = ?", in.Email).Scan(ctx)
	return show(in, row, err)
}

func bunInOrder(of string) func(*bun.SelectQuery) *bun.SelectQuery {
	return func(q *bun.SelectQuery) *bun.SelectQuery { return q.OrderExpr(of + ".created_at, " + of + ".id") }
}

func (b bunDB) userFull(ctx context.Context, in *input) error {
	var row bunUser
	err := b.db.NewSelect().Model(&row).Where("bun_user.id = ?", in.UserID).
		Relation("Sessions", bunInOrder("bun_session")).Relation("Accounts", bunInOrder("bun_account")).
		Relation("Members", bunInOrder("bun_member")).Relation("Members.Organization").
		Relation("TeamMembers", bunInOrder("bun_team_member")).Relation("TeamMembers.Team").
		Relation("Invitations", bunInOrder("bun_invitation")).Relation("Invitations.Organization").
		Scan(ctx)
	return show(in, row, err)
}

func (b bunDB) organizationFull(ctx context.Context, in *input) error {
	var row bunOrganization
	err := b.db.NewSelect().Model(&row).Where("bun_organization.id = ?", in.OrganizationID).
		Relation("Members", bunInOrder("bun_member")).Relation("Members.User").
		Relation("Teams", bunInOrder("bun_team")).
		Relation("Teams.Members", bunInOrder("bun_team_member")).Relation("Teams.Members.User").
		Relation("Invitations", bunInOrder("bun_invitation")).Relation("Invitations.Inviter").
		Scan(ctx)
	return show(in, row, err)
}

func (b bunDB) page(ctx context.Context, in *input) error {
	var rows []*bunMember
	err := b.db.NewSelect().Model(&rows).Relation("User").Where("bun_member.organization_id = ?", in.OrganizationID).
		Where("(bun_member.created_at, bun_member.id) > (?, ?)", in.AfterCreatedAt, in.AfterID).
		OrderExpr("bun_member.created_at, bun_member.id").Limit(int64(in.Limit)).Scan(ctx)
	return show(in, rows, err)
}

func bunNewSession(userID string, now time.Time) *bunSession {
	return &bunSession{
		ID: newID(), Token: newID(), ExpiresAt: now.Add(lifetime), CreatedAt: now, UpdatedAt: now, IPAddress: ptr(ip),
		UserAgent: ptr(agent), UserID: userID,
	}
}

func (b bunDB) createSession(ctx context.Context, in *input) error {
	row := bunNewSession(in.UserID, now())
	_, err := b.db.NewInsert().Model(row).Exec(ctx)
	return show(in, row, err)
}

func (b bunDB) inTx(ctx context.Context, fn func(bun.Tx) error) error {
	return b.db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error { return fn(tx) })
}

func (b bunDB) createOrganization(ctx context.Context, in *input) error {
	now := now()
	row := bunOrganization{ID: newID(), Name: "New", Slug: in.Slug, CreatedAt: now}
	err := b.inTx(ctx, func(tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&bunMember{
			ID: newID(), OrganizationID: row.ID, UserID: in.UserID, Role: "owner", CreatedAt: now,
		}).Exec(ctx)
		return err
	})
	return show(in, row, err)
}

func (b bunDB) acceptInvitation(ctx context.Context, in *input) error {
	now := now()
	var accepted struct {
		Invitation bunInvitation
		Member     bunMember
	}
	err := b.inTx(ctx, func(tx bun.Tx) error {
		i := &accepted.Invitation
		_, err := tx.NewUpdate().Model(i).ModelTableExpr(`invitation AS bun_invitation`).Set("status = 'accepted'").
			Where("bun_invitation.id = ? AND status = 'pending' AND expires_at > ?", in.InvitationID, now).
			Where(`bun_invitation.email = (SELECT u.email FROM "user" u WHERE u.id = ? AND u.email_verified)`, in.UserID).
			Returning("*").Exec(ctx)
		if err != nil {
			return err
		}
		if i.ID == "" {
			return sql.ErrNoRows
		}
		accepted.Member = bunMember{
			ID: newID(), OrganizationID: i.OrganizationID, UserID: in.UserID, Role: *i.Role, CreatedAt: now,
		}
		if _, err := tx.NewInsert().Model(&accepted.Member).Exec(ctx); err != nil || i.TeamID == nil {
			return err
		}
		_, err = tx.NewInsert().Model(&bunTeamMember{
			ID: newID(), TeamID: *i.TeamID, UserID: in.UserID, CreatedAt: &now,
			MembershipKey: ptr(membershipKey(*i.TeamID, in.UserID)),
		}).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*bunTeam)(nil)).Set("member_count = member_count + 1").Set("updated_at = ?", now).
			Where("id = ?", *i.TeamID).Exec(ctx)
		return err
	})
	return show(in, accepted, err)
}

func (b bunDB) changeRole(ctx context.Context, in *input) error {
	var row bunMember
	err := b.inTx(ctx, func(tx bun.Tx) error {
		_, err := tx.NewSelect().Model((*bunOrganization)(nil)).Column("id").Where("id = ?", in.OrganizationID).
			For("NO KEY UPDATE").Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(&row).Set("role = 'admin'").
			Where("bun_member.id = ? AND bun_member.organization_id = ?", in.MemberID, in.OrganizationID).
			Where(`bun_member.role <> 'owner' OR EXISTS (SELECT 1 FROM member o WHERE o.organization_id = ? AND o.id <> ?
				AND o.role = 'owner')`, in.OrganizationID, in.MemberID).
			Returning("*").Exec(ctx)
		if err == nil && row.ID == "" {
			return sql.ErrNoRows
		}
		return err
	})
	return show(in, row, err)
}

func (b bunDB) deleteUser(ctx context.Context, in *input) error {
	var sessions []*bunSession
	err := b.inTx(ctx, func(tx bun.Tx) error {
		mine := tx.NewSelect().Model((*bunMember)(nil)).Column("organization_id").Where("user_id = ?", in.UserID)
		var locked []string
		err := tx.NewSelect().Model((*bunOrganization)(nil)).Column("id").Where("id IN (?)", mine).Order("id").
			For("NO KEY UPDATE").Scan(ctx, &locked)
		if err != nil {
			return err
		}
		alone, err := tx.NewSelect().Model((*bunMember)(nil)).Where("user_id = ? AND role = 'owner'", in.UserID).
			Where(`NOT EXISTS (SELECT 1 FROM member o WHERE o.organization_id = bun_member.organization_id
				AND o.user_id <> bun_member.user_id AND o.role = 'owner')`).Exists(ctx)
		if err != nil {
			return err
		}
		if alone {
			return errOwnsAlone
		}
		if err := tx.NewSelect().Model(&sessions).Where("user_id = ?", in.UserID).Scan(ctx); err != nil {
			return err
		}
		seats := tx.NewSelect().Model((*bunTeamMember)(nil)).Column("team_id").Where("user_id = ?", in.UserID)
		_, err = tx.NewUpdate().Model((*bunTeam)(nil)).Set("member_count = member_count - 1").Set("updated_at = ?", now()).
			Where("id IN (?)", seats).Exec(ctx)
		if err != nil {
			return err
		}
		email := tx.NewSelect().Model((*bunUser)(nil)).Column("email").Where("id = ?", in.UserID)
		_, err = tx.NewUpdate().Model((*bunInvitation)(nil)).Set("status = 'canceled'").Where("email = (?)", email).
			Where("status = 'pending' AND organization_id IN (?)", mine).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*bunUser)(nil)).Where("id = ?", in.UserID).Exec(ctx)
		return err
	})
	return show(in, sessions, err)
}

func (b bunDB) createSessions(ctx context.Context, in *input) error {
	rows, now := make([]*bunSession, in.Limit), now()
	for i := range rows {
		rows[i] = bunNewSession(in.UserID, now)
	}
	_, err := b.db.NewInsert().Model(&rows).Exec(ctx)
	return err
}

func (b bunDB) purge(ctx context.Context, in *input) error {
	due := b.db.NewSelect().Model((*bunSession)(nil)).Column("id").Where("expires_at <= ?", now()).Order("expires_at").
		Limit(int64(in.Limit)).For("UPDATE SKIP LOCKED")
	_, err := b.db.NewDelete().Model((*bunSession)(nil)).Where("id IN (?)", due).Exec(ctx)
	return err
}
