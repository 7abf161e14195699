package main

import (
	"context"
	stdsql "database/sql"
	"time"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/zerostarter/authdb/bench/ent"
	"github.com/zerostarter/authdb/bench/ent/account"
	"github.com/zerostarter/authdb/bench/ent/invitation"
	"github.com/zerostarter/authdb/bench/ent/member"
	"github.com/zerostarter/authdb/bench/ent/organization"
	"github.com/zerostarter/authdb/bench/ent/predicate"
	"github.com/zerostarter/authdb/bench/ent/session"
	"github.com/zerostarter/authdb/bench/ent/team"
	"github.com/zerostarter/authdb/bench/ent/teammember"
	"github.com/zerostarter/authdb/bench/ent/user"
)

// entDB is ent on database/sql and pgx, with eager loading.
type entDB struct{ *ent.Client }

func openEnt(_ context.Context, _ *bench, at address) (contender, error) {
	db, err := stdsql.Open("pgx", at.dsn())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	client := ent.NewClient(ent.Driver(sql.OpenDB(dialect.Postgres, db)))
	return &peer{jobs: entDB{client}, end: client.Close}, nil
}

func (e entDB) authenticate(ctx context.Context, in *input) error {
	var a struct {
		Session *ent.Session
		Member  *ent.Member
		Team    *ent.Team
	}
	s, err := e.Session.Query().Where(session.Token(in.Token), session.ExpiresAtGT(now())).WithUser().Only(ctx)
	if err != nil {
		return err
	}
	if a.Session = s; s.ActiveOrganizationID != nil {
		a.Member, err = e.Member.Query().
			Where(member.OrganizationID(*s.ActiveOrganizationID), member.UserID(s.UserID)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
	}
	if a.Member != nil && s.ActiveTeamID != nil {
		a.Team, err = e.Team.Query().Where(team.ID(*s.ActiveTeamID), team.OrganizationID(a.Member.OrganizationID),
			team.HasMembersWith(teammember.UserID(s.UserID))).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return err
		}
	}
	return show(in, a, nil)
}

func (e entDB) userByID(ctx context.Context, in *input) error {
	row, err := e.User.Get(ctx, in.UserID)
	return show(in, row, err)
}

func (e entDB) userByEmail(ctx context.Context, in *input) error {
	row, err := e.User.Query().Where(user.Email(in.Email)).Only(ctx)
	return show(in, row, err)
}

func (e entDB) userFull(ctx context.Context, in *input) error {
	row, err := e.User.Query().Where(user.ID(in.UserID)).
		WithSessions(func(q *ent.SessionQuery) { q.Order(session.ByCreatedAt(), session.ByID()) }).
		WithAccounts(func(q *ent.AccountQuery) { q.Order(account.ByCreatedAt(), account.ByID()) }).
		WithMembers(func(q *ent.MemberQuery) { q.Order(member.ByCreatedAt(), member.ByID()).WithOrganization() }).
		WithTeamMembers(func(q *ent.TeamMemberQuery) { q.Order(teammember.ByCreatedAt(), teammember.ByID()).WithTeam() }).
		WithInvitations(func(q *ent.InvitationQuery) {
			q.Order(invitation.ByCreatedAt(), invitation.ByID()).WithOrganization()
		}).
		Only(ctx)
	return show(in, row, err)
}

func (e entDB) organizationFull(ctx context.Context, in *input) error {
	row, err := e.Organization.Query().Where(organization.ID(in.OrganizationID)).
		WithMembers(func(q *ent.MemberQuery) { q.Order(member.ByCreatedAt(), member.ByID()).WithUser() }).
		WithTeams(func(q *ent.TeamQuery) {
			q.Order(team.ByCreatedAt(), team.ByID()).WithMembers(func(q *ent.TeamMemberQuery) {
				q.Order(teammember.ByCreatedAt(), teammember.ByID()).WithUser()
			})
		}).
		WithInvitations(func(q *ent.InvitationQuery) {
			q.Order(invitation.ByCreatedAt(), invitation.ByID()).WithInviter()
		}).
		Only(ctx)
	return show(in, row, err)
}

func (e entDB) page(ctx context.Context, in *input) error {
	rows, err := e.Member.Query().WithUser().
		Where(member.OrganizationID(in.OrganizationID), func(s *sql.Selector) {
			s.Where(sql.CompositeGT([]string{s.C(member.FieldCreatedAt), s.C(member.FieldID)}, in.AfterCreatedAt, in.AfterID))
		}).
		Order(member.ByCreatedAt(), member.ByID()).Limit(in.Limit).All(ctx)
	return show(in, rows, err)
}

func entNewSession(c *ent.SessionClient, userID string, now time.Time) *ent.SessionCreate {
	return c.Create().SetID(newID()).SetToken(newID()).SetExpiresAt(now.Add(lifetime)).SetCreatedAt(now).SetUpdatedAt(now).
		SetIPAddress(ip).SetUserAgent(agent).SetUserID(userID)
}

func (e entDB) createSession(ctx context.Context, in *input) error {
	row, err := entNewSession(e.Session, in.UserID, now()).Save(ctx)
	return show(in, row, err)
}

func (e entDB) inTx(ctx context.Context, fn func(*ent.Tx) error) error {
	tx, err := e.Tx(ctx)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback() // the error that matters is the first one
		return err
	}
	return tx.Commit()
}

func (e entDB) createOrganization(ctx context.Context, in *input) error {
	now := now()
	var row *ent.Organization
	err := e.inTx(ctx, func(tx *ent.Tx) (err error) {
		row, err = tx.Organization.Create().SetID(newID()).SetName("New").SetSlug(in.Slug).SetCreatedAt(now).Save(ctx)
		if err != nil {
			return err
		}
		return tx.Member.Create().SetID(newID()).SetOrganizationID(row.ID).SetUserID(in.UserID).SetRole("owner").
			SetCreatedAt(now).Exec(ctx)
	})
	return show(in, row, err)
}

func (e entDB) acceptInvitation(ctx context.Context, in *input) error {
	now := now()
	var accepted struct {
		Invitation *ent.Invitation
		Member     *ent.Member
	}
	err := e.inTx(ctx, func(tx *ent.Tx) (err error) {
		u, err := tx.User.Query().Where(user.ID(in.UserID), user.EmailVerified(true)).Only(ctx)
		if err != nil {
			return err
		}
		i, err := tx.Invitation.UpdateOneID(in.InvitationID).
			Where(invitation.Status("pending"), invitation.ExpiresAtGT(now), invitation.Email(u.Email)).
			SetStatus("accepted").Save(ctx)
		if err != nil {
			return err
		}
		accepted.Invitation = i
		accepted.Member, err = tx.Member.Create().SetID(newID()).SetOrganizationID(i.OrganizationID).SetUserID(in.UserID).
			SetRole(*i.Role).SetCreatedAt(now).Save(ctx)
		if err != nil || i.TeamID == nil {
			return err
		}
		err = tx.TeamMember.Create().SetID(newID()).SetTeamID(*i.TeamID).SetUserID(in.UserID).SetCreatedAt(now).
			SetMembershipKey(membershipKey(*i.TeamID, in.UserID)).Exec(ctx)
		if err != nil {
			return err
		}
		return tx.Team.UpdateOneID(*i.TeamID).AddMemberCount(1).SetUpdatedAt(now).Exec(ctx)
	})
	return show(in, accepted, err)
}

var owner = member.Role("owner")

// ownedByOthers says of a member that its organization has another owner.
func ownedByOthers(s *sql.Selector) {
	o := sql.Table(member.Table).As("o")
	s.Where(sql.Exists(sql.Select(o.C(member.FieldID)).From(o).Where(sql.And(
		sql.ColumnsEQ(o.C(member.FieldOrganizationID), s.C(member.FieldOrganizationID)),
		sql.ColumnsNEQ(o.C(member.FieldID), s.C(member.FieldID)), sql.EQ(o.C(member.FieldRole), "owner")))))
}

func (e entDB) changeRole(ctx context.Context, in *input) error {
	var row *ent.Member
	err := e.inTx(ctx, func(tx *ent.Tx) (err error) {
		_, err = tx.Organization.Query().Where(organization.ID(in.OrganizationID)).ForUpdate().OnlyID(ctx)
		if err != nil {
			return err
		}
		others, err := tx.Member.Query().
			Where(member.OrganizationID(in.OrganizationID), member.IDNEQ(in.MemberID), owner).Exist(ctx)
		if err != nil {
			return err
		}
		change := tx.Member.UpdateOneID(in.MemberID).Where(member.OrganizationID(in.OrganizationID))
		if !others {
			change.Where(member.Not(owner))
		}
		row, err = change.SetRole("admin").Save(ctx)
		return err
	})
	return show(in, row, err)
}

func (e entDB) deleteUser(ctx context.Context, in *input) error {
	var sessions []*ent.Session
	err := e.inTx(ctx, func(tx *ent.Tx) (err error) {
		theirs := organization.HasMembersWith(member.UserID(in.UserID))
		if _, err := tx.Organization.Query().Where(theirs).Order(organization.ByID()).ForUpdate().IDs(ctx); err != nil {
			return err
		}
		alone, err := tx.Member.Query().
			Where(member.UserID(in.UserID), owner, member.Not(predicate.Member(ownedByOthers))).Exist(ctx)
		if err != nil {
			return err
		}
		if alone {
			return errOwnsAlone
		}
		if sessions, err = tx.Session.Query().Where(session.UserID(in.UserID)).All(ctx); err != nil {
			return err
		}
		_, err = tx.Team.Update().Where(team.HasMembersWith(teammember.UserID(in.UserID))).AddMemberCount(-1).
			SetUpdatedAt(now()).Save(ctx)
		if err != nil {
			return err
		}
		u, err := tx.User.Get(ctx, in.UserID)
		if err != nil {
			return err
		}
		_, err = tx.Invitation.Update().
			Where(invitation.Email(u.Email), invitation.Status("pending"), invitation.HasOrganizationWith(theirs)).
			SetStatus("canceled").Save(ctx)
		if err != nil {
			return err
		}
		return tx.User.DeleteOneID(in.UserID).Exec(ctx)
	})
	return show(in, sessions, err)
}

func (e entDB) createSessions(ctx context.Context, in *input) error {
	now := now()
	return e.inTx(ctx, func(tx *ent.Tx) error {
		for from := 0; from < in.Limit; from += insertRows {
			rows := make([]*ent.SessionCreate, min(insertRows, in.Limit-from))
			for i := range rows {
				rows[i] = entNewSession(tx.Session, in.UserID, now)
			}
			if err := tx.Session.CreateBulk(rows...).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e entDB) purge(ctx context.Context, in *input) error {
	_, err := e.Session.Delete().Where(func(s *sql.Selector) {
		t := sql.Table(session.Table).As("due")
		due := sql.Select(t.C(session.FieldID)).From(t).Where(sql.LTE(t.C(session.FieldExpiresAt), now())).
			OrderBy(t.C(session.FieldExpiresAt)).Limit(in.Limit).ForUpdate(sql.WithLockAction(sql.SkipLocked))
		s.Where(sql.In(s.C(session.FieldID), due))
	}).Exec(ctx)
	return err
}
