package kit

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
)

// Estate is what the calls of methodCalls are about: an organization and its owner, with rows enough that each of them
// succeeds once. Its other rows have its name in their ids.
type Estate struct {
	name      string
	Org, slug string
	Owner     string
	Email     string // the owner's
	Member    string // the owner's membership
}

// Today is the clock of every estate.
var Today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

const estateRows = `
	INSERT INTO "user" (id, name, email, email_verified) VALUES ('$owner', '', '$owner@example.com', true) ON CONFLICT DO NOTHING;
	INSERT INTO organization (id, name, slug, created_at) VALUES ('$org', '', '$org', '2026-10-01') ON CONFLICT DO NOTHING;
	INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ('owner$n', '$org', '$owner', 'owner', '2026-10-01')
		ON CONFLICT DO NOTHING;
	INSERT INTO "user" (id, name, email, email_verified) SELECT id || '$n', '', id || '$n@example.com', true
		FROM unnest('{heir,guest,idle,joiner,stranger}'::text[]) id;
	INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ('heir$n', '$org', 'heir$n', 'owner', '2026-10-01'),
		('guest$n', '$org', 'guest$n', 'member', '2026-10-02'), ('idle$n', '$org', 'idle$n', 'member', '2026-10-03');
	INSERT INTO team (id, name, organization_id, created_at, member_count) VALUES ('team$n', '', '$org', '2026-10-01', 2),
		('drift$n', '', '$org', '2026-10-01', 9);
	INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ('seat$n', 'team$n', 'guest$n', '2026-10-01'),
		('ownerseat$n', 'team$n', '$owner', '2026-10-01');
	INSERT INTO session (id, token, user_id, expires_at, created_at, updated_at, active_organization_id, active_team_id) VALUES
		('session$n', 'token$n', '$owner', '2026-11-05', '2026-10-29', '2026-10-29', '$org', 'team$n'),
		('other$n', 'other$n', '$owner', '2026-11-08', '2026-11-01', '2026-11-01', NULL, NULL),
		('guest$n', 'guest$n', 'guest$n', '2026-11-08', '2026-11-01', '2026-11-01', '$org', 'team$n'),
		('expired$n', 'expired$n', 'guest$n', '2026-10-08', '2026-10-01', '2026-10-01', NULL, NULL);
	INSERT INTO account (id, account_id, provider_id, user_id, password, created_at, updated_at) VALUES
		('password$n', '$owner', 'credential', '$owner', 'hash', '2026-10-01', '2026-10-01'),
		('identity$n', 'identity$n', 'github', '$owner', NULL, '2026-10-01', '2026-10-01') ON CONFLICT DO NOTHING;
	INSERT INTO invitation (id, organization_id, email, role, team_id, expires_at, created_at, inviter_id) VALUES
		('invitation$n', '$org', 'joiner$n@example.com', 'member', 'team$n,drift$n', '2026-11-03', '2026-11-01', '$owner'),
		('late$n', '$org', 'late$n@example.com', 'member', NULL, '2026-10-03', '2026-10-01', '$owner');
	INSERT INTO verification (id, identifier, value, expires_at, created_at) VALUES
		('proof$n', 'proof$n', 'value', '2026-11-02', '2026-11-01'), ('code$n', 'code$n', '123456:0', '2026-11-02', '2026-11-01'),
		('stale$n', 'stale$n', 'value', '2026-10-02', '2026-10-01')`

// NewEstate adds the rows of an estate; its organization and owner may be there already.
func NewEstate(ctx context.Context, db authdb.DB, name, org, owner string) (Estate, error) {
	w := Estate{name: name, Org: org, Owner: owner}
	rows := strings.NewReplacer("$n", name, "$owner", owner, "$org", org).Replace(estateRows)
	if _, err := db.Exec(ctx, rows, pgx.QueryExecModeSimpleProtocol); err != nil {
		return w, err
	}
	return w, db.QueryRow(ctx, `SELECT o.slug, u.email, m.id FROM organization o, "user" u, member m
		WHERE o.id = $1 AND u.id = $2 AND m.organization_id = o.id AND m.user_id = u.id`, org, owner).Scan(&w.slug, &w.Email, &w.Member)
}

// Of is the id of one of the estate's own rows.
func (w Estate) Of(row string) string { return row + w.name }

func (w Estate) Mail(user string) string { return w.Of(user) + "@example.com" }

type MethodCall func(ctx context.Context, s *authdb.Store, w Estate) error

// Every relation, as the calls ask for it.
var (
	UserWith         = Ask[authdb.UserWith](authdb.All(), false)
	organizationWith = Ask[authdb.OrganizationWith](authdb.Newest(20), false)
	teamWith         = Ask[authdb.TeamWith](authdb.All(), false)
)

// MethodCalls call each method once, in an estate where it finds or changes rows.
var MethodCalls = map[string]MethodCall{
	"Users.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.Create(ctx, authdb.CreateUserParams{Email: w.Mail("new")}))
	},
	"Users.CreateWithAccount": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Email: w.Mail("new")},
			Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash"))},
		}))
	},
	"Users.CreateMany": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: w.Mail("new1")}, {Email: w.Mail("new2")}}))
	},
	"Users.Get": func(ctx context.Context, s *authdb.Store, w Estate) error { return ErrOf(s.Users.Get(ctx, w.Owner)) },
	"Users.GetByEmail": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.GetByEmail(ctx, w.Email))
	},
	"Users.List": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return OnePage(ctx, s.Users.List, authdb.ListUsersParams{})
	},
	"Users.All": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return InAll(s.Users.All(ctx, authdb.ListUsersParams{}))
	},
	"Users.Search": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Users.Search(ctx, authdb.SearchUsersParams{Prefix: w.Email}))
	},
	"Users.Count": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return Counted(s.Users.Count(ctx, authdb.ListUsersParams{}))
	},
	"Users.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.Update(ctx, w.Owner, authdb.UpdateUserParams{Name: authdb.Set("x")}))
	},
	"Users.SetEmail": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.SetEmail(ctx, w.Owner, authdb.SetEmailParams{Email: w.Mail("new"), Verified: true}))
	},
	"Users.VerifyEmail": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.VerifyEmail(ctx, w.Owner, authdb.VerifyEmailParams{Email: w.Email}))
	},
	"Users.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: w.Owner, SuccessorID: w.Of("heir")}))
	},
	"Users.GetFull": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Users.GetFull(ctx, w.Owner, UserWith))
	},
	"Users.Load": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Users.Load(ctx, []authdb.User{{ID: w.Owner}, {ID: w.Of("guest")}}, UserWith))
	},

	"Sessions.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: w.Owner}))
	},
	"Sessions.CreateMany": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: w.Owner}, {UserID: w.Of("guest")}}))
	},
	"Sessions.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.Get(ctx, w.Owner, w.Of("session")))
	},
	"Sessions.GetByToken": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.GetByToken(ctx, authdb.Secret(w.Of("token"))))
	},
	"Sessions.Authenticate": func(ctx context.Context, s *authdb.Store, w Estate) error {
		a, err := s.Sessions.Authenticate(ctx, authdb.Secret(w.Of("token")))
		if err == nil && (a.Member == nil || a.Team == nil) {
			return ErrNone
		}
		return err
	},
	"Sessions.AuthenticateMany": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Sessions.AuthenticateMany(ctx, []authdb.Secret{authdb.Secret(w.Of("token")), "none"}))
	},
	"Sessions.ListByTokens": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Sessions.ListByTokens(ctx, []authdb.Secret{authdb.Secret(w.Of("token")), authdb.Secret(w.Of("guest"))}))
	},
	"Sessions.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Sessions.List, authdb.ListSessionsParams{UserID: w.Owner, Live: true})
	},
	"Sessions.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Sessions.All(ctx, authdb.ListSessionsParams{UserID: w.Owner}))
	},
	"Sessions.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: w.Owner, Live: true}))
	},
	"Sessions.UpdateByToken": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.UpdateByToken(ctx, authdb.Secret(w.Of("token")), authdb.UpdateSessionParams{
			IPAddress: authdb.Set("192.0.2.1"),
		}))
	},
	"Sessions.Refresh": func(ctx context.Context, s *authdb.Store, w Estate) error {
		got, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret(w.Of("token"))})
		if err == nil && !got.Refreshed {
			return ErrNone
		}
		return err
	},
	"Sessions.SetActiveOrganization": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: w.Owner, Token: authdb.Secret(w.Of("token")), OrganizationID: w.Org,
		}))
	},
	"Sessions.SetActiveTeam": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{
			UserID: w.Owner, Token: authdb.Secret(w.Of("token")), TeamID: w.Of("team"),
		}))
	},
	"Sessions.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Sessions.Delete(ctx, w.Owner, w.Of("session"))
	},
	"Sessions.DeleteByToken": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Sessions.DeleteByToken(ctx, authdb.Secret(w.Of("token")))
	},
	"Sessions.DeleteByTokens": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Sessions.DeleteByTokens(ctx, []authdb.Secret{authdb.Secret(w.Of("token")), authdb.Secret(w.Of("guest"))}))
	},
	"Sessions.DeleteByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Sessions.DeleteByUser(ctx, w.Owner))
	},
	"Sessions.DeleteOthers": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Sessions.DeleteOthers(ctx, w.Owner, w.Of("session")))
	},
	"Sessions.DeleteExpired": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return Counted(s.Sessions.DeleteExpired(ctx, 1_000))
	},

	"Accounts.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{
			UserID: w.Owner, ProviderID: "gitlab", AccountID: w.Of("new"),
		}))
	},
	"Accounts.Link": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: w.Owner, ProviderID: "github", AccountID: w.Of("identity"),
		}))
	},
	"Accounts.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.Get(ctx, w.Owner, w.Of("identity")))
	},
	"Accounts.GetWithUserByProvider": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.GetWithUserByProvider(ctx, "github", w.Of("identity")))
	},
	"Accounts.GetCredential": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.GetCredential(ctx, w.Owner))
	},
	"Accounts.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Accounts.List, authdb.ListAccountsParams{UserID: w.Owner})
	},
	"Accounts.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Accounts.All(ctx, authdb.ListAccountsParams{UserID: w.Owner}))
	},
	"Accounts.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Accounts.Count(ctx, authdb.ListAccountsParams{UserID: w.Owner}))
	},
	"Accounts.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Accounts.Update(ctx, w.Owner, w.Of("identity"), authdb.UpdateAccountParams{Scope: authdb.Set("x")}))
	},
	"Accounts.SetPassword": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Accounts.SetPassword(ctx, w.Owner, "hash")
	},
	"Accounts.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: w.Owner, ID: w.Of("identity")})
	},
	"Accounts.DeleteByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Accounts.DeleteByUser(ctx, w.Owner))
	},

	"Verifications.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(w.Of("new")), ExpiresAt: Today.Add(time.Hour),
		}))
	},
	"Verifications.Reserve": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(w.Of("new")), ExpiresAt: Today.Add(time.Hour),
		})
	},
	"Verifications.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.Get(ctx, w.Of("proof")))
	},
	"Verifications.GetByIdentifier": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.GetByIdentifier(ctx, authdb.Secret(w.Of("proof"))))
	},
	"Verifications.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Verifications.List, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.Of("proof"))})
	},
	"Verifications.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Verifications.All(ctx, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.Of("proof"))}))
	},
	"Verifications.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Verifications.Count(ctx, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.Of("proof"))}))
	},
	"Verifications.Consume": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.Consume(ctx, authdb.Secret(w.Of("proof"))))
	},
	"Verifications.ConsumeValue": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.ConsumeValue(ctx, authdb.Secret(w.Of("proof")), "value"))
	},
	"Verifications.ConsumeCode": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(w.Of("code")), Code: "123456", InTx: true})
	},
	"Verifications.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Verifications.Update(ctx, w.Of("proof"), authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))}))
	},
	"Verifications.UpdateByIdentifier": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Verifications.UpdateByIdentifier(ctx, authdb.Secret(w.Of("proof")), authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))}))
	},
	"Verifications.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Verifications.Delete(ctx, w.Of("proof"))
	},
	"Verifications.DeleteByIdentifier": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Verifications.DeleteByIdentifier(ctx, authdb.Secret(w.Of("proof"))))
	},
	"Verifications.DeleteExpired": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return Counted(s.Verifications.DeleteExpired(ctx, 1_000))
	},

	"Organizations.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Slug: w.Of("new"), OwnerID: w.Owner, DefaultTeam: true,
		}))
	},
	"Organizations.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Organizations.Get(ctx, w.Org))
	},
	"Organizations.GetBySlug": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Organizations.GetBySlug(ctx, w.slug))
	},
	"Organizations.GetFull": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Organizations.GetFull(ctx, w.Org, organizationWith))
	},
	"Organizations.List": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return OnePage(ctx, s.Organizations.List, authdb.ListOrganizationsParams{})
	},
	"Organizations.All": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return InAll(s.Organizations.All(ctx, authdb.ListOrganizationsParams{}))
	},
	"Organizations.ListByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Organizations.ListByUser, authdb.ListOrganizationsByUserParams{UserID: w.Owner})
	},
	"Organizations.AllByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Organizations.AllByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: w.Owner}))
	},
	"Organizations.Count": func(ctx context.Context, s *authdb.Store, _ Estate) error {
		return Counted(s.Organizations.Count(ctx, authdb.ListOrganizationsParams{}))
	},
	"Organizations.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Organizations.Update(ctx, w.Org, authdb.UpdateOrganizationParams{Name: authdb.Set("x")}))
	},
	"Organizations.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		gone, err := s.Organizations.Delete(ctx, w.Org)
		return Some(gone.Sessions, err)
	},
	"Organizations.Load": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Organizations.Load(ctx, []authdb.Organization{{ID: w.Org}, {ID: "none"}}, organizationWith))
	},

	"Members.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.Create(ctx, authdb.CreateMemberParams{
			OrganizationID: w.Org, UserID: w.Of("stranger"), MaxMembers: 1_000_000,
		}))
	},
	"Members.CreateMany": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{
			{OrganizationID: w.Org, UserID: w.Of("stranger")}, {OrganizationID: w.Org, UserID: w.Of("joiner")},
		}))
	},
	"Members.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.Get(ctx, w.Org, w.Member))
	},
	"Members.GetWithUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.GetWithUser(ctx, w.Org, w.Member))
	},
	"Members.GetByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.GetByUser(ctx, w.Org, w.Owner))
	},
	"Members.GetByEmail": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.GetByEmail(ctx, w.Org, w.Email))
	},
	"Members.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Members.List, authdb.ListMembersParams{OrganizationID: w.Org})
	},
	"Members.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Members.All(ctx, authdb.ListMembersParams{OrganizationID: w.Org}))
	},
	"Members.ListByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Members.ListByUser, authdb.ListMembersByUserParams{UserID: w.Owner})
	},
	"Members.AllByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: w.Owner}))
	},
	"Members.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: w.Org}))
	},
	"Members.CountByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Members.CountByUser(ctx, authdb.ListMembersByUserParams{UserID: w.Owner}))
	},
	"Members.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Members.Update(ctx, w.Org, w.Member, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleAdmin)}))
	},
	"Members.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: w.Org, MemberID: w.Member})
	},
	"Members.Leave": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Members.Leave(ctx, w.Org, w.Owner)
	},

	"Teams.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: w.Org, MaxTeams: 1_000_000}))
	},
	"Teams.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Teams.Get(ctx, w.Org, w.Of("team")))
	},
	"Teams.GetWithOrganization": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Teams.GetWithOrganization(ctx, w.Org, w.Of("team")))
	},
	"Teams.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Teams.List, authdb.ListTeamsParams{OrganizationID: w.Org})
	},
	"Teams.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: w.Org}))
	},
	"Teams.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Teams.Count(ctx, authdb.ListTeamsParams{OrganizationID: w.Org}))
	},
	"Teams.Update": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Teams.Update(ctx, w.Org, w.Of("team"), authdb.UpdateTeamParams{Name: authdb.Set("x")}))
	},
	"Teams.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: w.Org, TeamID: w.Of("team")})
	},
	"Teams.RecountMembers": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Teams.RecountMembers(ctx, w.Org))
	},
	"Teams.GetFull": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Teams.GetFull(ctx, w.Org, w.Of("team"), teamWith))
	},
	"Teams.Load": func(ctx context.Context, s *authdb.Store, w Estate) error {
		rows := []authdb.Team{{ID: w.Of("team"), OrganizationID: w.Org}, {ID: w.Of("drift"), OrganizationID: w.Org}}
		return Some(s.Teams.Load(ctx, rows, teamWith))
	},

	"TeamMembers.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: w.Org, TeamID: w.Of("team"), UserID: w.Of("idle"), MaxMembers: 1_000_000,
		}))
	},
	"TeamMembers.CreateMany": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Some(s.TeamMembers.CreateMany(ctx, SeatsOf(w.Org, w.Of("team"), 1_000_000, w.Of("idle"), w.Of("heir"))))
	},
	"TeamMembers.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.TeamMembers.Get(ctx, w.Org, w.Of("seat")))
	},
	"TeamMembers.GetWithUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.TeamMembers.GetWithUser(ctx, w.Org, w.Of("seat")))
	},
	"TeamMembers.GetByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.TeamMembers.GetByUser(ctx, w.Org, w.Of("team"), w.Owner))
	},
	"TeamMembers.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.TeamMembers.List, authdb.ListTeamMembersParams{OrganizationID: w.Org, TeamID: w.Of("team")})
	},
	"TeamMembers.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.TeamMembers.All(ctx, authdb.ListTeamMembersParams{OrganizationID: w.Org, TeamID: w.Of("team")}))
	},
	"TeamMembers.ListByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.TeamMembers.ListByUser, authdb.ListTeamMembersByUserParams{UserID: w.Owner})
	},
	"TeamMembers.AllByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: w.Owner}))
	},
	"TeamMembers.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: w.Org, TeamID: w.Of("team")}))
	},
	"TeamMembers.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.TeamMembers.Delete(ctx, w.Org, w.Of("ownerseat"))
	},
	"TeamMembers.DeleteByUser": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.TeamMembers.DeleteByUser(ctx, w.Org, w.Of("team"), w.Owner)
	},

	"Invitations.Create": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: w.Org, InviterID: w.Owner, Email: w.Mail("new"), TeamIDs: []string{w.Of("team")},
			MaxPending: 1_000_000,
		}))
	},
	"Invitations.Get": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.Get(ctx, w.Org, w.Of("invitation")))
	},
	"Invitations.GetWithInviter": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.GetWithInviter(ctx, w.Org, w.Of("invitation")))
	},
	"Invitations.GetByRecipient": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{
			InvitationID: w.Of("invitation"), UserID: w.Of("joiner"),
		}))
	},
	"Invitations.GetPending": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.GetPending(ctx, w.Org, w.Mail("joiner")))
	},
	"Invitations.List": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Invitations.List, authdb.ListInvitationsParams{
			OrganizationID: w.Org, TeamID: w.Of("team"), Pending: true,
		})
	},
	"Invitations.All": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: w.Org}))
	},
	"Invitations.ListByRecipient": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return OnePage(ctx, s.Invitations.ListByRecipient, authdb.ListInvitationsByRecipientParams{UserID: w.Of("joiner")})
	},
	"Invitations.AllByRecipient": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return InAll(s.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: w.Of("joiner")}))
	},
	"Invitations.Count": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: w.Org, Pending: true}))
	},
	"Invitations.Accept": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: w.Of("invitation"), UserID: w.Of("joiner"), MaxMembers: 1_000_000, MaxTeamMembers: 1_000_000}))
	},
	"Invitations.Reject": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: w.Of("invitation"), UserID: w.Of("joiner"), AllowUnverified: true}))
	},
	"Invitations.Cancel": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return ErrOf(s.Invitations.Cancel(ctx, w.Org, w.Of("invitation")))
	},
	"Invitations.CancelExpired": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return Counted(s.Invitations.CancelExpired(ctx, w.Org))
	},
	"Invitations.Delete": func(ctx context.Context, s *authdb.Store, w Estate) error {
		return s.Invitations.Delete(ctx, w.Org, w.Of("invitation"))
	},
}
