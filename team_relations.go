package authdb

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// TeamWith selects the relations of [TeamRepository.GetFull].
type TeamWith struct {
	Members Rows // with their users
}

// TeamWithRelations is a team and what belongs to it. A relation is nil if it was not asked for, and empty if there are
// no rows. It is ordered by created_at and id, from the end that [Rows] says.
type TeamWithRelations struct {
	Team
	Members []TeamMemberWithUser `json:"members,omitzero"`
}

func teamAlone(row dbgen.Team) TeamWithRelations { return TeamWithRelations{Team: Team(row)} }

// GetFull returns the team with that id and the relations in with, all as of one moment and in one round trip. In a
// transaction it sees what the transaction's isolation shows. It returns [ErrNotFound] or [ErrInvalidInput].
func (r TeamRepository) GetFull(
	ctx context.Context, organizationID, teamID string, with TeamWith,
) (TeamWithRelations, error) {
	return getFull(ctx, "Teams.GetFull", r.repo(), (*queries).GetTeam, dbgen.GetTeamParams{
		OrganizationID: organizationID, ID: teamID,
	}, toTeam, func(l *loader) func(Team) TeamWithRelations { return teamRelations(l, []string{teamID}, with) },
		id("organization_id", organizationID), id("team_id", teamID))
}

// Load is GetFull for any number of teams that were read before, in their order, still in one round trip and as of one
// moment. It returns [ErrInvalidInput].
func (r TeamRepository) Load(ctx context.Context, teams []Team, with TeamWith) ([]TeamWithRelations, error) {
	return load(ctx, "Teams.Load", r.repo(), teams, func(l *loader) func(Team) TeamWithRelations {
		return teamRelations(l, keysOf(l, teams, func(t Team) string { return t.ID }), with)
	})
}

func teamRelations(l *loader, ids []string, with TeamWith) func(Team) TeamWithRelations {
	members := toMany(l, "members", with.Members, with.Members.isAll(),
		func(m *TeamMemberWithUser) string { return m.TeamID },
		(*queries).ListTeamMembersByTeams, ids, teamMemberWithUser,
		(*queries).PickTeamMembersByTeams, dbgen.PickTeamMembersByTeamsParams{
			TeamIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
		}, teamMemberWithUser)
	return func(t Team) TeamWithRelations { return TeamWithRelations{t, members.Of(t.ID)} }
}
