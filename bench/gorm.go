package main

import (
	"context"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// The tables as GORM's users declare them.
type (
	gormUser struct {
		ID            string
		Name          string
		Email         string
		EmailVerified bool
		Image         *string
		CreatedAt     time.Time
		UpdatedAt     time.Time
		Sessions      []gormSession    `gorm:"foreignKey:UserID"`
		Accounts      []gormAccount    `gorm:"foreignKey:UserID"`
		Members       []gormMember     `gorm:"foreignKey:UserID"`
		TeamMembers   []gormTeamMember `gorm:"foreignKey:UserID"`
		Invitations   []gormInvitation `gorm:"foreignKey:InviterID"`
	}
	gormSession struct {
		ID                   string
		ExpiresAt            time.Time
		Token                string
		CreatedAt            time.Time
		UpdatedAt            time.Time
		IPAddress            *string
		UserAgent            *string
		UserID               string
		ActiveOrganizationID *string
		ActiveTeamID         *string
		User                 *gormUser       `gorm:"foreignKey:UserID"`
		Member               *gormMember     `gorm:"foreignKey:ActiveOrganizationID,UserID;references:OrganizationID,UserID"`
		Seat                 *gormTeamMember `gorm:"foreignKey:ActiveTeamID,UserID;references:TeamID,UserID"`
	}
	gormAccount struct {
		ID                    string
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
	gormOrganization struct {
		ID          string
		Name        string
		Slug        string
		Logo        *string
		CreatedAt   time.Time
		Metadata    *string
		Members     []gormMember     `gorm:"foreignKey:OrganizationID"`
		Teams       []gormTeam       `gorm:"foreignKey:OrganizationID"`
		Invitations []gormInvitation `gorm:"foreignKey:OrganizationID"`
	}
	gormMember struct {
		ID             string
		OrganizationID string
		UserID         string
		Role           string
		CreatedAt      time.Time
		Organization   *gormOrganization `gorm:"foreignKey:OrganizationID"`
		User           *gormUser         `gorm:"foreignKey:UserID"`
	}
	gormTeam struct {
		ID             string
		Name           string
		OrganizationID string
		CreatedAt      time.Time
		UpdatedAt      *time.Time
		MemberCount    int32
		Members        []gormTeamMember `gorm:"foreignKey:TeamID"`
	}
	gormTeamMember struct {
		ID            string
		TeamID        string
		UserID        string
		CreatedAt     *time.Time
		MembershipKey *string
		Team          *gormTeam `gorm:"foreignKey:TeamID"`
		User          *gormUser `gorm:"foreignKey:UserID"`
	}
	gormInvitation struct {
		ID             string
		OrganizationID string
		Email          string
		Role           *string
		TeamID         *string
		Status         string
		ExpiresAt      time.Time
		CreatedAt      time.Time
		InviterID      string
		Organization   *gormOrganization `gorm:"foreignKey:OrganizationID"`
		Inviter        *gormUser         `gorm:"foreignKey:InviterID"`
	}
)

func (gormUser) TableName() string         { return "user" }
func (gormSession) TableName() string      { return "session" }
func (gormAccount) TableName() string      { return "account" }
func (gormOrganization) TableName() string { return "organization" }
func (gormMember) TableName() string       { return "member" }
func (gormTeam) TableName() string         { return "team" }
func (gormTeamMember) TableName() string   { return "team_member" }
func (gormInvitation) TableName() string   { return "invitation" }

// gormDB is GORM with what its guide to performance asks for: prepared statements, and no transaction around one write.
type gormDB struct{ db *gorm.DB }

func openGORM(_ context.Context, _ *bench, at address) (contender, error) {
	db, err := gorm.Open(postgres.Open(at.dsn()), &gorm.Config{
		PrepareStmt: true, SkipDefaultTransaction: true, Logger: logger.Discard, NowFunc: now,
		NamingStrategy: schema.NamingStrategy{SingularTable: true},
	})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return &peer{jobs: gormDB{db}, end: pool.Close}, nil
}

// The team counts if the member is in its organization.
func (s gormSession) compared() any {
	rows := []any{s.User, s.Member}
	if s.Seat != nil && s.Member != nil && s.Seat.Team.OrganizationID == s.Member.OrganizationID {
		rows = append(rows, s.Seat.Team)
	}
	type session gormSession
	s.User, s.Member, s.Seat = nil, nil, nil
	return append(rows, session(s))
}

func (g gormDB) authenticate(ctx context.Context, in *input) error {
	var row gormSession
	err := g.db.WithContext(ctx).InnerJoins("User").Joins("Member").Joins("Seat").Joins("Seat.Team").
		Take(&row, "session.token = ? AND session.expires_at > ?", in.Token, now()).Error
	return show(in, row, err)
}

func (g gormDB) userByID(ctx context.Context, in *input) error {
	var row gormUser
	err := g.db.WithContext(ctx).Take(&row, "id = ?", in.UserID).Error
	return show(in, row, err)
}

func (g gormDB) userByEmail(ctx context.Context, in *input) error {
	var row gormUser
	err := g.db.WithContext(ctx).Take(&row, "email = ?", in.Email).Error
	return show(in, row, err)
}

func inOrder(db *gorm.DB) *gorm.DB { return db.Order("created_at, id") }

func (g gormDB) userFull(ctx context.Context, in *input) error {
	var row gormUser
	err := g.db.WithContext(ctx).Preload("Sessions", inOrder).Preload("Accounts", inOrder).
		Preload("Members", inOrder).Preload("Members.Organization").
		Preload("TeamMembers", inOrder).Preload("TeamMembers.Team").
		Preload("Invitations", inOrder).Preload("Invitations.Organization").
		Take(&row, "id = ?", in.UserID).Error
	return show(in, row, err)
}

func (g gormDB) organizationFull(ctx context.Context, in *input) error {
	var row gormOrganization
	err := g.db.WithContext(ctx).Preload("Members", inOrder).Preload("Members.User").
		Preload("Teams", inOrder).Preload("Teams.Members", inOrder).Preload("Teams.Members.User").
		Preload("Invitations", inOrder).Preload("Invitations.Inviter").
		Take(&row, "id = ?", in.OrganizationID).Error
	return show(in, row, err)
}

func (g gormDB) page(ctx context.Context, in *input) error {
	var rows []gormMember
	err := g.db.WithContext(ctx).InnerJoins("User").
		Where("member.organization_id = ? AND (member.created_at, member.id) > (?, ?)",
			in.OrganizationID, in.AfterCreatedAt, in.AfterID).
		Order("member.created_at, member.id").Limit(in.Limit).Find(&rows).Error
	return show(in, rows, err)
}

func gormNewSession(userID string, now time.Time) gormSession {
	return gormSession{
		ID: newID(), Token: newID(), ExpiresAt: now.Add(lifetime), CreatedAt: now, UpdatedAt: now, IPAddress: ptr(ip),
		UserAgent: ptr(agent), UserID: userID,
	}
}

func (g gormDB) createSession(ctx context.Context, in *input) error {
	row := gormNewSession(in.UserID, now())
	err := g.db.WithContext(ctx).Create(&row).Error
	return show(in, row, err)
}

func (g gormDB) createOrganization(ctx context.Context, in *input) error {
	now := now()
	row := gormOrganization{ID: newID(), Name: "New", Slug: in.Slug, CreatedAt: now}
	err := g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return tx.Create(&gormMember{
			ID: newID(), OrganizationID: row.ID, UserID: in.UserID, Role: "owner", CreatedAt: now,
		}).Error
	})
	return show(in, row, err)
}

func (g gormDB) acceptInvitation(ctx context.Context, in *input) error {
	now := now()
	var accepted struct {
		Invitation gormInvitation
		Member     gormMember
	}
	err := g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		i := &accepted.Invitation
		claimed := tx.Model(i).Clauses(clause.Returning{}).
			Where(`id = ? AND status = 'pending' AND expires_at > ?
				AND email = (SELECT u.email FROM "user" u WHERE u.id = ? AND u.email_verified)`, in.InvitationID, now, in.UserID).
			Update("status", "accepted")
		if claimed.Error != nil || claimed.RowsAffected == 0 {
			return orNotFound(claimed.Error)
		}
		accepted.Member = gormMember{
			ID: newID(), OrganizationID: i.OrganizationID, UserID: in.UserID, Role: *i.Role, CreatedAt: now,
		}
		if err := tx.Create(&accepted.Member).Error; err != nil || i.TeamID == nil {
			return err
		}
		err := tx.Create(&gormTeamMember{
			ID: newID(), TeamID: *i.TeamID, UserID: in.UserID, CreatedAt: &now,
			MembershipKey: ptr(membershipKey(*i.TeamID, in.UserID)),
		}).Error
		if err != nil {
			return err
		}
		return tx.Model(&gormTeam{ID: *i.TeamID}).Update("member_count", gorm.Expr("member_count + 1")).Error
	})
	return show(in, accepted, err)
}

func orNotFound(err error) error {
	if err == nil {
		return gorm.ErrRecordNotFound
	}
	return err
}

func (g gormDB) changeRole(ctx context.Context, in *input) error {
	var row gormMember
	err := g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Select("id").
			Take(&gormOrganization{}, "id = ?", in.OrganizationID).Error
		if err != nil {
			return err
		}
		changed := tx.Model(&row).Clauses(clause.Returning{}).
			Where(`id = ? AND organization_id = ? AND (role <> 'owner' OR EXISTS (SELECT 1 FROM member o
				WHERE o.organization_id = ? AND o.id <> ? AND o.role = 'owner'))`,
				in.MemberID, in.OrganizationID, in.OrganizationID, in.MemberID).
			Update("role", "admin")
		if changed.Error != nil || changed.RowsAffected == 0 {
			return orNotFound(changed.Error)
		}
		return nil
	})
	return show(in, row, err)
}

func (g gormDB) deleteUser(ctx context.Context, in *input) error {
	var sessions []gormSession
	err := g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		mine := tx.Model(&gormMember{}).Select("organization_id").Where("user_id = ?", in.UserID)
		var locked []gormOrganization
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Select("id").Order("id").
			Find(&locked, "id IN (?)", mine).Error
		if err != nil {
			return err
		}
		var alone int64
		err = tx.Model(&gormMember{}).Where("user_id = ? AND role = 'owner'", in.UserID).
			Where(`NOT EXISTS (SELECT 1 FROM member o WHERE o.organization_id = member.organization_id
				AND o.user_id <> member.user_id AND o.role = 'owner')`).Count(&alone).Error
		if err != nil {
			return err
		}
		if alone > 0 {
			return errOwnsAlone
		}
		if err := tx.Find(&sessions, "user_id = ?", in.UserID).Error; err != nil {
			return err
		}
		seats := tx.Model(&gormTeamMember{}).Select("team_id").Where("user_id = ?", in.UserID)
		err = tx.Model(&gormTeam{}).Where("id IN (?)", seats).Update("member_count", gorm.Expr("member_count - 1")).Error
		if err != nil {
			return err
		}
		email := tx.Model(&gormUser{}).Select("email").Where("id = ?", in.UserID)
		err = tx.Model(&gormInvitation{}).Where("email = (?) AND status = 'pending' AND organization_id IN (?)", email, mine).
			Update("status", "canceled").Error
		if err != nil {
			return err
		}
		return tx.Delete(&gormUser{ID: in.UserID}).Error
	})
	return show(in, sessions, err)
}

func (g gormDB) createSessions(ctx context.Context, in *input) error {
	rows, now := make([]gormSession, in.Limit), now()
	for i := range rows {
		rows[i] = gormNewSession(in.UserID, now)
	}
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.CreateInBatches(rows, insertRows).Error })
}

func (g gormDB) purge(ctx context.Context, in *input) error {
	db := g.db.WithContext(ctx)
	due := db.Model(&gormSession{}).Select("id").Where("expires_at <= ?", now()).Order("expires_at").Limit(in.Limit).
		Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"})
	return db.Where("id IN (?)", due).Delete(&gormSession{}).Error
}
