package authdb

import (
	"context"
	"iter"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
	"github.com/zerostarter/authdb/internal/repo"
)

// Team is a group inside an organization: one row of the team table.
type Team struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	OrganizationID string     `json:"organizationId"` // references organization
	CreatedAt      time.Time  `json:"createdAt"`
	UpdatedAt      *time.Time `json:"updatedAt"` // nil only in rows that neither authdb nor Drizzle wrote
	MemberCount    int32      `json:"-"`         // kept by authdb and Better Auth 1.7; see TeamRepository.RecountMembers
}

func (t Team) cursor() Cursor { return Cursor{t.CreatedAt, t.ID} }

func toTeam(row dbgen.Team) Team { return Team(row) }

// TeamWithOrganization is a team and its organization.
type TeamWithOrganization struct {
	Team
	Organization Organization `json:"organization"`
}

func teamWithOrganization(row dbgen.GetTeamWithOrganizationRow) TeamWithOrganization {
	return TeamWithOrganization{Team(row.Team), Organization(row.Organization)}
}

// CreateTeamParams are the columns of a new team.
type CreateTeamParams struct {
	ID             string // empty: a new one
	OrganizationID string
	Name           string // at most 255 characters
	MaxTeams       int    // of the organization, the new one included; zero: that of Settings
}

// UpdateTeamParams says what to change; the zero value changes nothing but UpdatedAt.
type UpdateTeamParams struct {
	Name Change[string] `json:"name,omitzero"`
}

// DeleteTeamParams say which team to delete, and whether it may be the last.
type DeleteTeamParams struct {
	OrganizationID string
	TeamID         string
	AllowLast      bool // leave the organization without a team
}

// ListTeamsParams selects a page of an organization's teams.
type ListTeamsParams struct {
	OrganizationID string
	Newest         bool // newest first; otherwise oldest first
	After          Cursor
	Limit          int // rows in a page, at most MaxLimit; zero: DefaultLimit
}

// TeamRepository reads and writes the team table. It is [Store.Teams].
type TeamRepository struct{ door }

// Create adds a team. It returns [ErrLimitReached], [ErrReference] if there is no such organization, or
// [ErrInvalidInput].
func (r TeamRepository) Create(ctx context.Context, p CreateTeamParams) (Team, error) {
	const op = "Teams.Create"
	if err := check(op, text("id", p.ID, maxID), required("organization_id", p.OrganizationID, maxID),
		text("name", p.Name, maxName),
		limitOf("max_teams", p.MaxTeams)); err != nil {
		return Team{}, err
	}
	row, err := r.repo().CreateTeam(ctx, op, dbgen.CreateTeamParams{
		ID: p.ID, OrganizationID: p.OrganizationID, Name: p.Name, MaxTeams: limit(p.MaxTeams, r.repo().Settings().MaxTeams),
	})
	return answer(op, row, err, toTeam)
}

// Get returns the team with that id if it is the organization's, or [ErrNotFound].
func (r TeamRepository) Get(ctx context.Context, organizationID, teamID string) (Team, error) {
	const op = "Teams.Get"
	if err := check(op, id("organization_id", organizationID), id("team_id", teamID)); err != nil {
		return Team{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetTeam, dbgen.GetTeamParams{
		OrganizationID: organizationID, ID: teamID,
	}, toTeam)
}

// GetWithOrganization is Get with the organization joined.
func (r TeamRepository) GetWithOrganization(
	ctx context.Context, organizationID, teamID string,
) (TeamWithOrganization, error) {
	const op = "Teams.GetWithOrganization"
	if err := check(op, id("organization_id", organizationID), id("team_id", teamID)); err != nil {
		return TeamWithOrganization{}, err
	}
	return get(ctx, r.repo(), op, (*queries).GetTeamWithOrganization, dbgen.GetTeamWithOrganizationParams{
		OrganizationID: organizationID, ID: teamID,
	}, teamWithOrganization)
}

// List returns a page of an organization's teams, oldest first unless p.Newest. It returns [ErrInvalidInput].
func (r TeamRepository) List(ctx context.Context, p ListTeamsParams) (Page[Team], error) {
	const op = "Teams.List"
	if err := check(op, id("organization_id", p.OrganizationID), pageOf(p.After, p.Limit)); err != nil {
		return Page[Team]{}, err
	}
	after := p.After.from(p.Newest)
	args := dbgen.ListTeamsParams{
		OrganizationID: p.OrganizationID, AfterCreatedAt: after.createdAt, AfterID: after.id, RowLimit: rowLimit(p.Limit),
	}
	if p.Newest {
		return list(ctx, r.repo(), op, (*queries).ListTeamsNewest, dbgen.ListTeamsNewestParams(args),
			p.Limit, toTeam, Team.cursor)
	}
	return list(ctx, r.repo(), op, (*queries).ListTeams, args, p.Limit, toTeam, Team.cursor)
}

// All iterates over the teams of [TeamRepository.List] from p.After on, p.Limit (1,000 if 0) at a time. An error ends
// it.
func (r TeamRepository) All(ctx context.Context, p ListTeamsParams) iter.Seq2[Team, error] {
	return eachItem(ctx, p, func(p *ListTeamsParams) (*Cursor, *int) { return &p.After, &p.Limit }, r.List)
}

// Count returns how many teams [TeamRepository.List] has on all its pages. It returns [ErrInvalidInput].
func (r TeamRepository) Count(ctx context.Context, p ListTeamsParams) (int64, error) {
	const op = "Teams.Count"
	if err := check(op, id("organization_id", p.OrganizationID), pageOf(p.After, p.Limit)); err != nil {
		return 0, err
	}
	return get(ctx, r.repo(), op, (*queries).CountTeams, p.OrganizationID, itself)
}

// Update changes what p says of an organization's team and returns it. It returns [ErrNotFound] or [ErrInvalidInput].
func (r TeamRepository) Update(ctx context.Context, organizationID, teamID string, p UpdateTeamParams) (Team, error) {
	const op = "Teams.Update"
	if err := check(op, id("organization_id", organizationID), id("team_id", teamID),
		p.Name.notNull("name"), optional("name", p.Name.value, maxName)); err != nil {
		return Team{}, err
	}
	row, err := repo.Update(ctx, r.repo(), op, (*queries).UpdateTeam, dbgen.UpdateTeamParams{
		OrganizationID: organizationID, ID: teamID, Name: p.Name.value, Now: r.repo().Now(),
	}, (*queries).GetTeam, dbgen.GetTeamParams{OrganizationID: organizationID, ID: teamID})
	return answer(op, row, err, toTeam)
}

// Delete removes a team with its team members. In their sessions it is no longer active, and pending invitations no
// longer name it. It returns [ErrNotFound], or [ErrLastTeam] unless p allows that.
func (r TeamRepository) Delete(ctx context.Context, p DeleteTeamParams) error {
	const op = "Teams.Delete"
	if err := check(op, id("organization_id", p.OrganizationID), id("team_id", p.TeamID)); err != nil {
		return err
	}
	return deleted(op, r.repo().DeleteTeam(ctx, op, dbgen.DeleteTeamParams{
		OrganizationID: p.OrganizationID, ID: p.TeamID, AllowLast: p.AllowLast,
	}))
}

// RecountMembers sets MemberCount of an organization's teams to the number of their members and returns how many were
// wrong. A count becomes wrong when Better Auth before 1.7 removes members, or 1.7 deletes a user. If it is too high,
// 1.7, and TeamMembers.Create with a limit, refuse free seats. It returns [ErrInvalidInput].
func (r TeamRepository) RecountMembers(ctx context.Context, organizationID string) (int64, error) {
	const op = "Teams.RecountMembers"
	if err := check(op, id("organization_id", organizationID)); err != nil {
		return 0, err
	}
	n, err := r.repo().RecountTeamMembers(ctx, op, organizationID)
	return n, translate(op, err)
}
