package authdb

import (
	"cmp"
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// Settings repeat the parts of the server's configuration that this program must know. A betterauth.Authenticator takes
// them from the store. A zero value is Better Auth's default; a zero limit is none.
type Settings struct {
	CreatorRole           string        // the organization plugin's creatorRole, the one role of owners; empty: RoleOwner
	SessionLifetime       time.Duration // session.expiresIn; zero: SessionLifetime
	SessionUpdateAge      time.Duration // session.updateAge; zero: SessionUpdateAge
	InvitationLifetime    time.Duration // invitationExpiresIn; zero: InvitationLifetime
	MaxMembers            int           // membershipLimit: of an organization
	MaxPendingInvitations int           // invitationLimit: of an organization
	MaxTeams              int           // teams.maximumTeams: of an organization
	MaxTeamMembers        int           // teams.maximumMembersPerTeam
}

// WithSettings tells the store how the server is configured. A limit applies if a call's own is zero. If a duration or
// a limit is negative, or CreatorRole is not a single role, Open and every method return [ErrInvalidInput] with the
// name of the setting as Field, such as "max_teams".
func WithSettings(s Settings) Option {
	return func(c *config) { c.repo.Settings = repo.Settings(s) }
}

// Settings returns the store's settings, with the defaults where they are zero.
func (r SessionRepository) Settings() Settings { return Settings(r.repo().Settings()) }

func (s Settings) check() error {
	return check("", singleRole("creator_role", s.CreatorRole), duration("session_lifetime", s.SessionLifetime),
		duration("session_update_age", s.SessionUpdateAge), duration("invitation_lifetime", s.InvitationLifetime),
		limitOf("max_members", s.MaxMembers), limitOf("max_pending_invitations", s.MaxPendingInvitations),
		limitOf("max_teams", s.MaxTeams), limitOf("max_team_members", s.MaxTeamMembers))
}

func withDefaults(s repo.Settings) repo.Settings {
	s.CreatorRole = cmp.Or(s.CreatorRole, RoleOwner)
	s.SessionLifetime = cmp.Or(s.SessionLifetime, SessionLifetime)
	s.SessionUpdateAge = cmp.Or(s.SessionUpdateAge, SessionUpdateAge)
	s.InvitationLifetime = cmp.Or(s.InvitationLifetime, InvitationLifetime)
	return s
}
