package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// TeamMember is the membership of a user in a team: one row of the team_member table. It has nothing to update.
type TeamMember struct {
	ID        string     `json:"id"`
	TeamID    string     `json:"teamId"`    // references team
	UserID    string     `json:"userId"`    // references user
	CreatedAt *time.Time `json:"createdAt"` // nil only in rows that neither authdb nor Drizzle wrote; they sort first

	// Better Auth 1.7's key of the two ids: base64url of the SHA-256 of ["TeamID","UserID"]. Nil in rows of 1.3 to 1.6.
	MembershipKey *string `json:"-"`
}

func (m TeamMember) cursor() Cursor {
	c := Cursor{id: m.ID}
	if m.CreatedAt != nil {
		c.createdAt = *m.CreatedAt
	}
	return c
}

func toTeamMember(row dbgen.TeamMember) TeamMember { return TeamMember(row) }

// TeamMemberWithUser is a team member and its user.
type TeamMemberWithUser struct {
	TeamMember
	User User `json:"user"`
}

// teamMemberWithUser converts the row of any query that joins the two.
func teamMemberWithUser[R interface {
	~struct {
		TeamMember dbgen.TeamMember
		User       dbgen.User
	}
}](row R) TeamMemberWithUser {
	r := dbgen.ListTeamMembersRow(row)
	return TeamMemberWithUser{TeamMember(r.TeamMember), User(r.User)}
}

// TeamMemberWithTeam is a team member and its team.
type TeamMemberWithTeam struct {
	TeamMember
	Team Team `json:"team"`
}

// teamMemberWithTeam converts the row of any query that joins the two.
func teamMemberWithTeam[R interface {
	~struct {
		TeamMember dbgen.TeamMember
		Team       dbgen.Team
	}
}](row R) TeamMemberWithTeam {
	r := dbgen.ListTeamMembersByUserRow(row)
	return TeamMemberWithTeam{TeamMember(r.TeamMember), Team(r.Team)}
}

// CreateTeamMemberParams are the columns of a new team member.
type CreateTeamMemberParams struct {
	ID             string // empty: a new one; ignored if the user is in the team already
	OrganizationID string // of the team
	TeamID         string
	UserID         string
	MaxMembers     int // of the team, the new one included; zero: the MaxTeamMembers of Settings
}

// ListTeamMembersParams selects a page of a team's members.
type ListTeamMembersParams struct {
	OrganizationID string // of the team
	TeamID         string
	Newest         bool // newest first; otherwise oldest first
	After          Cursor
	Limit          int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// ListTeamMembersByUserParams selects a page of a user's team memberships.
type ListTeamMembersByUserParams struct {
	UserID string
	Newest bool // newest first; otherwise oldest first
	After  Cursor
	Limit  int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// TeamMemberRepository reads and writes the team_member table. It is [Store.TeamMembers].
type TeamMemberRepository struct{ door }

// Create makes a member of the organization a member of one of its teams, and returns the row. If the user is already
// in the team, it returns the existing row. It returns [ErrNotFound] if the organization has no such team,
// [ErrNotMember] if the user is not in the organization, [ErrLimitReached] or [ErrInvalidInput].
//
// A limit also counts the seats that Better Auth 1.7 has reserved in Team.MemberCount.
func (r TeamMemberRepository) Create(ctx context.Context, p CreateTeamMemberParams) (TeamMember, error) {
	rows, err := r.create(ctx, "TeamMembers.Create", []CreateTeamMemberParams{p})
	if err != nil {
		return TeamMember{}, err
	}
	return rows[0], nil
}

// CreateMany is Create for any number of users, all or none. It returns the row of each user once, in the order in
// which they first appear. All must be for one team, or it returns [ErrInvalidInput]. The smallest MaxMembers counts.
func (r TeamMemberRepository) CreateMany(ctx context.Context, ps []CreateTeamMemberParams) ([]TeamMember, error) {
	if len(ps) == 0 {
		return []TeamMember{}, nil
	}
	return r.create(ctx, "TeamMembers.CreateMany", ps)
}

func (r TeamMemberRepository) create(
	ctx context.Context, op string, ps []CreateTeamMemberParams,
) ([]TeamMember, error) {
	all := dbgen.CreateTeamMembersParams{OrganizationID: ps[0].OrganizationID, TeamID: ps[0].TeamID}
	seen := make(map[string]bool, len(ps))
	for _, p := range ps {
		if err := check(op, id("organization_id", p.OrganizationID), id("team_id", p.TeamID), p.sameTeam(ps[0]),
			required("user_id", p.UserID, maxID), text("id", p.ID, maxID), limitOf("max_members", p.MaxMembers)); err != nil {
			return nil, err
		}
		if seen[p.UserID] {
			continue
		}
		seen[p.UserID] = true
		all.UserIds, all.Ids = append(all.UserIds, p.UserID), append(all.Ids, p.ID)
		most := limit(p.MaxMembers, r.repo().Settings().MaxTeamMembers)
		if most != nil && (all.MaxMembers == nil || *most < *all.MaxMembers) {
			all.MaxMembers = most
		}
	}
	rows, err := r.repo().CreateTeamMembers(ctx, op, all)
	if err == nil && len(rows) == 0 { // an earlier call under the same key made them, and they are gone
		err = repo.ErrAlreadyDone
	}
	return answers(op, rows, err, toTeamMember)
}

func (p CreateTeamMemberParams) sameTeam(as CreateTeamMemberParams) fault {
	if p.OrganizationID != as.OrganizationID || p.TeamID != as.TeamID {
		return fault{field: "team_id", reason: "malformed"}
	}
	return fault{}
}

// Get returns the team member with that id if its team is the organization's, or [ErrNotFound].
func (r TeamMemberRepository) Get(ctx context.Context, organizationID, teamMemberID string) (TeamMember, error) {
	const op = "TeamMembers.Get"
	if err := check(op, id("organization_id", organizationID), id("team_member_id", teamMemberID)); err != nil {
		return TeamMember{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetTeamMember, dbgen.GetTeamMemberParams{
		OrganizationID: organizationID, ID: teamMemberID,
	}, toTeamMember)
}

// GetWithUser is Get with the user joined.
func (r TeamMemberRepository) GetWithUser(
	ctx context.Context, organizationID, teamMemberID string,
) (TeamMemberWithUser, error) {
	const op = "TeamMembers.GetWithUser"
	if err := check(op, id("organization_id", organizationID), id("team_member_id", teamMemberID)); err != nil {
		return TeamMemberWithUser{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetTeamMemberWithUser, dbgen.GetTeamMemberWithUserParams{
		OrganizationID: organizationID, ID: teamMemberID,
	}, teamMemberWithUser)
}

// GetByUser returns a user's membership in a team of the organization, or [ErrNotFound].
func (r TeamMemberRepository) GetByUser(
	ctx context.Context, organizationID, teamID, userID string,
) (TeamMember, error) {
	const op = "TeamMembers.GetByUser"
	if err := check(op, id("organization_id", organizationID), id("team_id", teamID), id("user_id", userID)); err != nil {
		return TeamMember{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetTeamMemberByUser, dbgen.GetTeamMemberByUserParams{
		OrganizationID: organizationID, TeamID: teamID, UserID: userID,
	}, toTeamMember)
}

// List returns a page of a team's members with their users, oldest first unless p.Newest. The page is empty if the team
// is not the organization's. It returns [ErrInvalidInput].
func (r TeamMemberRepository) List(ctx context.Context, p ListTeamMembersParams) (Page[TeamMemberWithUser], error) {
	const op = "TeamMembers.List"
	if err := check(op, id("organization_id", p.OrganizationID), id("team_id", p.TeamID),
		pageOf(p.After, p.Limit)); err != nil {
		return Page[TeamMemberWithUser]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListTeamMembersParams{
		OrganizationID: p.OrganizationID, TeamID: p.TeamID,
		AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListTeamMembersNewest, dbgen.ListTeamMembersNewestParams(args),
			p.Limit, teamMemberWithUser, TeamMemberWithUser.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListTeamMembers, args, p.Limit,
		teamMemberWithUser, TeamMemberWithUser.cursor)
}

// All iterates over the team members of [TeamMemberRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An
// error ends it.
func (r TeamMemberRepository) All(ctx context.Context, p ListTeamMembersParams) iter.Seq2[TeamMemberWithUser, error] {
	return eachItem(ctx, p, func(p *ListTeamMembersParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// ListByUser returns a page of a user's team memberships with their teams, over all organizations, oldest first unless
// p.Newest. It returns [ErrInvalidInput].
func (r TeamMemberRepository) ListByUser(
	ctx context.Context, p ListTeamMembersByUserParams,
) (Page[TeamMemberWithTeam], error) {
	const op = "TeamMembers.ListByUser"
	if err := check(op, id("user_id", p.UserID), pageOf(p.After, p.Limit)); err != nil {
		return Page[TeamMemberWithTeam]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListTeamMembersByUserParams{
		UserID: p.UserID, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListTeamMembersByUserNewest, dbgen.ListTeamMembersByUserNewestParams(args),
			p.Limit, teamMemberWithTeam, TeamMemberWithTeam.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListTeamMembersByUser, args, p.Limit, teamMemberWithTeam,
		TeamMemberWithTeam.cursor)
}

// AllByUser iterates over the team memberships of [TeamMemberRepository.ListByUser] from p.After on, p.Limit (1,000 if
// 0) at a time. An error ends it.
func (r TeamMemberRepository) AllByUser(
	ctx context.Context, p ListTeamMembersByUserParams,
) iter.Seq2[TeamMemberWithTeam, error] {
	return eachItem(ctx, p,
		func(p *ListTeamMembersByUserParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.ListByUser)
}

// Count returns how many team members [TeamMemberRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r TeamMemberRepository) Count(ctx context.Context, p ListTeamMembersParams) (int64, error) {
	const op = "TeamMembers.Count"
	if err := check(op, id("organization_id", p.OrganizationID), id("team_id", p.TeamID),
		pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountTeamMembers, dbgen.CountTeamMembersParams{
		OrganizationID: p.OrganizationID, TeamID: p.TeamID,
	}, itself)
}

// Delete removes a user from a team. In the user's sessions the team is no longer active. It returns [ErrNotFound].
func (r TeamMemberRepository) Delete(ctx context.Context, organizationID, teamMemberID string) error {
	const op = "TeamMembers.Delete"
	if err := check(op, id("organization_id", organizationID), id("team_member_id", teamMemberID)); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteTeamMember(ctx, op, dbgen.DeleteTeamMemberParams{
		OrganizationID: organizationID, ID: &teamMemberID,
	}))
}

// DeleteByUser is Delete by team and user.
func (r TeamMemberRepository) DeleteByUser(ctx context.Context, organizationID, teamID, userID string) error {
	const op = "TeamMembers.DeleteByUser"
	if err := check(op, id("organization_id", organizationID), id("team_id", teamID), id("user_id", userID)); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteTeamMember(ctx, op, dbgen.DeleteTeamMemberParams{
		OrganizationID: organizationID, TeamID: &teamID, UserID: &userID,
	}))
}
