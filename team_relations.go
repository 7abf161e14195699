package authdb

import (
	"context"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// TeamWith selects the relations of [TeamRepository.Load].
type TeamWith struct {
	Members Rows // with their users
}

// TeamWithRelations is a team and what belongs to it. A relation is nil if it was not asked for, and empty if there are
// no rows; its order is that of created_at and id, from the end that [Rows] says.
type TeamWithRelations struct {
	Team
	Members []TeamMemberWithUser `json:"members,omitzero"`
}

func teamAlone(row dbgen.Team) TeamWithRelations { return TeamWithRelations{Team: Team(row)} }

// Load brings the relations of a team that with asks for, in one round trip and as of one moment. The team itself was
// read before that moment. In a transaction, Load runs there and sees what the transaction's isolation shows. It
// returns [ErrInvalidInput].
func (r *TeamRepository) Load(ctx context.Context, team Team, with TeamWith) (TeamWithRelations, error) {
	return first(r.load(ctx, "Teams.Load", []Team{team}, with))
}

// LoadMany is Load for any number of teams, in their order, still in one round trip.
func (r *TeamRepository) LoadMany(ctx context.Context, teams []Team, with TeamWith) ([]TeamWithRelations, error) {
	return r.load(ctx, "Teams.LoadMany", teams, with)
}

func (r *TeamRepository) load(
	ctx context.Context, op string, teams []Team, with TeamWith,
) ([]TeamWithRelations, error) {
	return load(ctx, op, r.repo, teams, func(l *loader) func(Team) TeamWithRelations {
		ids := keysOf(l, teams, func(t Team) string { return t.ID })
		members := toMany(l, "members", with.Members, with.Members.isAll(),
			func(m *TeamMemberWithUser) string { return m.TeamID },
			(*queries).ListTeamMembersByTeams, ids, teamMemberWithUser,
			(*queries).PickTeamMembersByTeams, dbgen.PickTeamMembersByTeamsParams{
				TeamIds: ids, Newest: with.Members.newest, RowLimit: with.Members.rowLimit(),
			}, teamMemberWithUser)
		return func(t Team) TeamWithRelations {
			return TeamWithRelations{t, members.Of(t.ID)}
		}
	})
}
