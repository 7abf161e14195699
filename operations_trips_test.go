package authdb_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// estate is what the calls of methodCalls are about: an organization and its owner, with rows enough that each of them
// succeeds once. Its other rows have its name in their ids.
type estate struct {
	name      string
	org, slug string
	owner     string
	email     string // the owner's
	member    string // the owner's membership
}

// today is the clock of every estate.
var today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

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

// newEstate adds the rows of an estate; its organization and owner may be there already.
func newEstate(ctx context.Context, db authdb.DB, name, org, owner string) (estate, error) {
	w := estate{name: name, org: org, owner: owner}
	rows := strings.NewReplacer("$n", name, "$owner", owner, "$org", org).Replace(estateRows)
	if _, err := db.Exec(ctx, rows, pgx.QueryExecModeSimpleProtocol); err != nil {
		return w, err
	}
	return w, db.QueryRow(ctx, `SELECT o.slug, u.email, m.id FROM organization o, "user" u, member m
		WHERE o.id = $1 AND u.id = $2 AND m.organization_id = o.id AND m.user_id = u.id`, org, owner).Scan(&w.slug, &w.email, &w.member)
}

// of is the id of one of the estate's own rows.
func (w estate) of(row string) string { return row + w.name }

func (w estate) mail(user string) string { return w.of(user) + "@example.com" }

type methodCall func(ctx context.Context, s *authdb.Store, w estate) error

// everything of every relation, as Load gets it.
var (
	userWith = authdb.UserWith{
		Sessions: authdb.All(), Accounts: authdb.All(), Members: authdb.All(), TeamMembers: authdb.All(), Invitations: authdb.All(),
	}
	organizationWith = authdb.OrganizationWith{
		Members: authdb.Newest(20), Teams: authdb.All(), TeamMembers: authdb.Newest(20), Invitations: authdb.All(),
	}
	teamWith = authdb.TeamWith{Members: authdb.All()}
)

// methodCalls call each method once, in an estate where it finds or changes rows.
var methodCalls = map[string]methodCall{
	"Users.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.Create(ctx, authdb.CreateUserParams{Email: w.mail("new")}))
	},
	"Users.CreateWithAccount": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Email: w.mail("new")},
			Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash"))},
		}))
	},
	"Users.CreateMany": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: w.mail("new1")}, {Email: w.mail("new2")}}))
	},
	"Users.Get": func(ctx context.Context, s *authdb.Store, w estate) error { return errOf(s.Users.Get(ctx, w.owner)) },
	"Users.GetByEmail": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.GetByEmail(ctx, w.email))
	},
	"Users.List": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return inPage(s.Users.List(ctx, authdb.ListUsersParams{}))
	},
	"Users.All": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return inAll(s.Users.All(ctx, authdb.ListUsersParams{}))
	},
	"Users.Search": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Users.Search(ctx, authdb.SearchUsersParams{Prefix: w.email}))
	},
	"Users.Count": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return counted(s.Users.Count(ctx, authdb.ListUsersParams{}))
	},
	"Users.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.Update(ctx, w.owner, authdb.UpdateUserParams{Name: authdb.Set("x")}))
	},
	"Users.SetEmail": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.SetEmail(ctx, w.owner, authdb.SetEmailParams{Email: w.mail("new"), Verified: true}))
	},
	"Users.VerifyEmail": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.VerifyEmail(ctx, w.owner, authdb.VerifyEmailParams{Email: w.email}))
	},
	"Users.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: w.owner, SuccessorID: w.of("heir")}))
	},
	"Users.GetFull": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Users.GetFull(ctx, w.owner, userWith))
	},
	"Users.Load": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Users.Load(ctx, []authdb.User{{ID: w.owner}, {ID: w.of("guest")}}, userWith))
	},

	"Sessions.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: w.owner}))
	},
	"Sessions.CreateMany": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: w.owner}, {UserID: w.of("guest")}}))
	},
	"Sessions.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.Get(ctx, w.owner, w.of("session")))
	},
	"Sessions.GetByToken": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.GetByToken(ctx, authdb.Secret(w.of("token"))))
	},
	"Sessions.Authenticate": func(ctx context.Context, s *authdb.Store, w estate) error {
		a, err := s.Sessions.Authenticate(ctx, authdb.Secret(w.of("token")))
		if err == nil && (a.Member == nil || a.Team == nil) {
			return errNone
		}
		return err
	},
	"Sessions.AuthenticateMany": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Sessions.AuthenticateMany(ctx, []authdb.Secret{authdb.Secret(w.of("token")), "none"}))
	},
	"Sessions.ListByTokens": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Sessions.ListByTokens(ctx, []authdb.Secret{authdb.Secret(w.of("token")), authdb.Secret(w.of("guest"))}))
	},
	"Sessions.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Sessions.List(ctx, authdb.ListSessionsParams{UserID: w.owner, Live: true}))
	},
	"Sessions.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Sessions.All(ctx, authdb.ListSessionsParams{UserID: w.owner}))
	},
	"Sessions.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Sessions.Count(ctx, authdb.ListSessionsParams{UserID: w.owner, Live: true}))
	},
	"Sessions.UpdateByToken": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.UpdateByToken(ctx, authdb.Secret(w.of("token")), authdb.UpdateSessionParams{
			IPAddress: authdb.Set("192.0.2.1"),
		}))
	},
	"Sessions.Refresh": func(ctx context.Context, s *authdb.Store, w estate) error {
		got, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: authdb.Secret(w.of("token"))})
		if err == nil && !got.Refreshed {
			return errNone
		}
		return err
	},
	"Sessions.SetActiveOrganization": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: w.owner, Token: authdb.Secret(w.of("token")), OrganizationID: w.org,
		}))
	},
	"Sessions.SetActiveTeam": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{
			UserID: w.owner, Token: authdb.Secret(w.of("token")), TeamID: w.of("team"),
		}))
	},
	"Sessions.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Sessions.Delete(ctx, w.owner, w.of("session"))
	},
	"Sessions.DeleteByToken": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Sessions.DeleteByToken(ctx, authdb.Secret(w.of("token")))
	},
	"Sessions.DeleteByTokens": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Sessions.DeleteByTokens(ctx, []authdb.Secret{authdb.Secret(w.of("token")), authdb.Secret(w.of("guest"))}))
	},
	"Sessions.DeleteByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Sessions.DeleteByUser(ctx, w.owner))
	},
	"Sessions.DeleteOthers": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Sessions.DeleteOthers(ctx, w.owner, w.of("session")))
	},
	"Sessions.DeleteExpired": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return counted(s.Sessions.DeleteExpired(ctx, 1_000))
	},

	"Accounts.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.Create(ctx, authdb.CreateAccountParams{
			UserID: w.owner, ProviderID: "gitlab", AccountID: w.of("new"),
		}))
	},
	"Accounts.Link": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: w.owner, ProviderID: "github", AccountID: w.of("identity"),
		}))
	},
	"Accounts.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.Get(ctx, w.owner, w.of("identity")))
	},
	"Accounts.GetWithUserByProvider": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.GetWithUserByProvider(ctx, "github", w.of("identity")))
	},
	"Accounts.GetCredential": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.GetCredential(ctx, w.owner))
	},
	"Accounts.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Accounts.List(ctx, authdb.ListAccountsParams{UserID: w.owner}))
	},
	"Accounts.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Accounts.All(ctx, authdb.ListAccountsParams{UserID: w.owner}))
	},
	"Accounts.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Accounts.Count(ctx, authdb.ListAccountsParams{UserID: w.owner}))
	},
	"Accounts.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Accounts.Update(ctx, w.owner, w.of("identity"), authdb.UpdateAccountParams{Scope: authdb.Set("x")}))
	},
	"Accounts.SetPassword": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Accounts.SetPassword(ctx, w.owner, "hash")
	},
	"Accounts.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: w.owner, ID: w.of("identity")})
	},
	"Accounts.DeleteByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Accounts.DeleteByUser(ctx, w.owner))
	},

	"Verifications.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(w.of("new")), ExpiresAt: today.Add(time.Hour),
		}))
	},
	"Verifications.Reserve": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(w.of("new")), ExpiresAt: today.Add(time.Hour),
		})
	},
	"Verifications.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.Get(ctx, w.of("proof")))
	},
	"Verifications.GetByIdentifier": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.GetByIdentifier(ctx, authdb.Secret(w.of("proof"))))
	},
	"Verifications.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Verifications.List(ctx, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.of("proof"))}))
	},
	"Verifications.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Verifications.All(ctx, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.of("proof"))}))
	},
	"Verifications.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Verifications.Count(ctx, authdb.ListVerificationsParams{Identifier: authdb.Secret(w.of("proof"))}))
	},
	"Verifications.Consume": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.Consume(ctx, authdb.Secret(w.of("proof"))))
	},
	"Verifications.ConsumeValue": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.ConsumeValue(ctx, authdb.Secret(w.of("proof")), "value"))
	},
	"Verifications.ConsumeCode": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(w.of("code")), Code: "123456", InTx: true})
	},
	"Verifications.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Verifications.Update(ctx, w.of("proof"), authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))}))
	},
	"Verifications.UpdateByIdentifier": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Verifications.UpdateByIdentifier(ctx, authdb.Secret(w.of("proof")), authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))}))
	},
	"Verifications.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Verifications.Delete(ctx, w.of("proof"))
	},
	"Verifications.DeleteByIdentifier": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Verifications.DeleteByIdentifier(ctx, authdb.Secret(w.of("proof"))))
	},
	"Verifications.DeleteExpired": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return counted(s.Verifications.DeleteExpired(ctx, 1_000))
	},

	"Organizations.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Organizations.Create(ctx, authdb.CreateOrganizationParams{
			Slug: w.of("new"), OwnerID: w.owner, DefaultTeam: true,
		}))
	},
	"Organizations.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Organizations.Get(ctx, w.org))
	},
	"Organizations.GetBySlug": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Organizations.GetBySlug(ctx, w.slug))
	},
	"Organizations.GetFull": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Organizations.GetFull(ctx, w.org, organizationWith))
	},
	"Organizations.List": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return inPage(s.Organizations.List(ctx, authdb.ListOrganizationsParams{}))
	},
	"Organizations.All": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return inAll(s.Organizations.All(ctx, authdb.ListOrganizationsParams{}))
	},
	"Organizations.ListByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Organizations.ListByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: w.owner}))
	},
	"Organizations.AllByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Organizations.AllByUser(ctx, authdb.ListOrganizationsByUserParams{UserID: w.owner}))
	},
	"Organizations.Count": func(ctx context.Context, s *authdb.Store, _ estate) error {
		return counted(s.Organizations.Count(ctx, authdb.ListOrganizationsParams{}))
	},
	"Organizations.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Organizations.Update(ctx, w.org, authdb.UpdateOrganizationParams{Name: authdb.Set("x")}))
	},
	"Organizations.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		gone, err := s.Organizations.Delete(ctx, w.org)
		return some(gone.Sessions, err)
	},
	"Organizations.Load": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Organizations.Load(ctx, []authdb.Organization{{ID: w.org}, {ID: "none"}}, organizationWith))
	},

	"Members.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.Create(ctx, authdb.CreateMemberParams{
			OrganizationID: w.org, UserID: w.of("stranger"), MaxMembers: 1_000_000,
		}))
	},
	"Members.CreateMany": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.Members.CreateMany(ctx, []authdb.CreateMemberParams{
			{OrganizationID: w.org, UserID: w.of("stranger")}, {OrganizationID: w.org, UserID: w.of("joiner")},
		}))
	},
	"Members.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.Get(ctx, w.org, w.member))
	},
	"Members.GetWithUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.GetWithUser(ctx, w.org, w.member))
	},
	"Members.GetByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.GetByUser(ctx, w.org, w.owner))
	},
	"Members.GetByEmail": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.GetByEmail(ctx, w.org, w.email))
	},
	"Members.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Members.List(ctx, authdb.ListMembersParams{OrganizationID: w.org}))
	},
	"Members.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Members.All(ctx, authdb.ListMembersParams{OrganizationID: w.org}))
	},
	"Members.ListByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Members.ListByUser(ctx, authdb.ListMembersByUserParams{UserID: w.owner}))
	},
	"Members.AllByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Members.AllByUser(ctx, authdb.ListMembersByUserParams{UserID: w.owner}))
	},
	"Members.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Members.Count(ctx, authdb.ListMembersParams{OrganizationID: w.org}))
	},
	"Members.CountByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Members.CountByUser(ctx, authdb.ListMembersByUserParams{UserID: w.owner}))
	},
	"Members.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Members.Update(ctx, w.org, w.member, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleAdmin)}))
	},
	"Members.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: w.org, MemberID: w.member})
	},
	"Members.Leave": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Members.Leave(ctx, w.org, w.owner)
	},

	"Teams.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: w.org, MaxTeams: 1_000_000}))
	},
	"Teams.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Teams.Get(ctx, w.org, w.of("team")))
	},
	"Teams.GetWithOrganization": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Teams.GetWithOrganization(ctx, w.org, w.of("team")))
	},
	"Teams.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Teams.List(ctx, authdb.ListTeamsParams{OrganizationID: w.org}))
	},
	"Teams.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Teams.All(ctx, authdb.ListTeamsParams{OrganizationID: w.org}))
	},
	"Teams.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Teams.Count(ctx, authdb.ListTeamsParams{OrganizationID: w.org}))
	},
	"Teams.Update": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Teams.Update(ctx, w.org, w.of("team"), authdb.UpdateTeamParams{Name: authdb.Set("x")}))
	},
	"Teams.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: w.org, TeamID: w.of("team")})
	},
	"Teams.RecountMembers": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Teams.RecountMembers(ctx, w.org))
	},
	"Teams.GetFull": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Teams.GetFull(ctx, w.org, w.of("team"), teamWith))
	},
	"Teams.Load": func(ctx context.Context, s *authdb.Store, w estate) error {
		rows := []authdb.Team{{ID: w.of("team"), OrganizationID: w.org}, {ID: w.of("drift"), OrganizationID: w.org}}
		return some(s.Teams.Load(ctx, rows, teamWith))
	},

	"TeamMembers.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: w.org, TeamID: w.of("team"), UserID: w.of("idle"), MaxMembers: 1_000_000,
		}))
	},
	"TeamMembers.CreateMany": func(ctx context.Context, s *authdb.Store, w estate) error {
		return some(s.TeamMembers.CreateMany(ctx, seatsOf(w.org, w.of("team"), 1_000_000, w.of("idle"), w.of("heir"))))
	},
	"TeamMembers.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.TeamMembers.Get(ctx, w.org, w.of("seat")))
	},
	"TeamMembers.GetWithUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.TeamMembers.GetWithUser(ctx, w.org, w.of("seat")))
	},
	"TeamMembers.GetByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.TeamMembers.GetByUser(ctx, w.org, w.of("team"), w.owner))
	},
	"TeamMembers.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.TeamMembers.List(ctx, authdb.ListTeamMembersParams{OrganizationID: w.org, TeamID: w.of("team")}))
	},
	"TeamMembers.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.TeamMembers.All(ctx, authdb.ListTeamMembersParams{OrganizationID: w.org, TeamID: w.of("team")}))
	},
	"TeamMembers.ListByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.TeamMembers.ListByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: w.owner}))
	},
	"TeamMembers.AllByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.TeamMembers.AllByUser(ctx, authdb.ListTeamMembersByUserParams{UserID: w.owner}))
	},
	"TeamMembers.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.TeamMembers.Count(ctx, authdb.ListTeamMembersParams{OrganizationID: w.org, TeamID: w.of("team")}))
	},
	"TeamMembers.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.TeamMembers.Delete(ctx, w.org, w.of("ownerseat"))
	},
	"TeamMembers.DeleteByUser": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.TeamMembers.DeleteByUser(ctx, w.org, w.of("team"), w.owner)
	},

	"Invitations.Create": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: w.org, InviterID: w.owner, Email: w.mail("new"), TeamIDs: []string{w.of("team")},
			MaxPending: 1_000_000,
		}))
	},
	"Invitations.Get": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.Get(ctx, w.org, w.of("invitation")))
	},
	"Invitations.GetWithInviter": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.GetWithInviter(ctx, w.org, w.of("invitation")))
	},
	"Invitations.GetByRecipient": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.GetByRecipient(ctx, authdb.GetInvitationByRecipientParams{
			InvitationID: w.of("invitation"), UserID: w.of("joiner"),
		}))
	},
	"Invitations.GetPending": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.GetPending(ctx, w.org, w.mail("joiner")))
	},
	"Invitations.List": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Invitations.List(ctx, authdb.ListInvitationsParams{
			OrganizationID: w.org, TeamID: w.of("team"), Pending: true,
		}))
	},
	"Invitations.All": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Invitations.All(ctx, authdb.ListInvitationsParams{OrganizationID: w.org}))
	},
	"Invitations.ListByRecipient": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inPage(s.Invitations.ListByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: w.of("joiner")}))
	},
	"Invitations.AllByRecipient": func(ctx context.Context, s *authdb.Store, w estate) error {
		return inAll(s.Invitations.AllByRecipient(ctx, authdb.ListInvitationsByRecipientParams{UserID: w.of("joiner")}))
	},
	"Invitations.Count": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Invitations.Count(ctx, authdb.ListInvitationsParams{OrganizationID: w.org, Pending: true}))
	},
	"Invitations.Accept": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: w.of("invitation"), UserID: w.of("joiner"), MaxMembers: 1_000_000, MaxTeamMembers: 1_000_000}))
	},
	"Invitations.Reject": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: w.of("invitation"), UserID: w.of("joiner"), AllowUnverified: true}))
	},
	"Invitations.Cancel": func(ctx context.Context, s *authdb.Store, w estate) error {
		return errOf(s.Invitations.Cancel(ctx, w.org, w.of("invitation")))
	},
	"Invitations.CancelExpired": func(ctx context.Context, s *authdb.Store, w estate) error {
		return counted(s.Invitations.CancelExpired(ctx, w.org))
	},
	"Invitations.Delete": func(ctx context.Context, s *authdb.Store, w estate) error {
		return s.Invitations.Delete(ctx, w.org, w.of("invitation"))
	},
}

// methodRow is a line of the table in docs/cost.md.
var methodRow = regexp.MustCompile("(?m)^\\| `(\\w+\\.\\w+)` \\| (\\d+) \\| (.*?) ?\\|$")

// documentedStatements reads the table in docs/cost.md.
func documentedStatements(t *testing.T) map[string]int64 {
	t.Helper()
	statements := map[string]int64{}
	_, table, _ := cutTable(string(must[[]byte](t)(os.ReadFile("docs/cost.md"))))
	for _, m := range methodRow.FindAllStringSubmatch(table, -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		statements[m[1]] = n
	}
	return statements
}

// cutTable returns the section of docs/cost.md that has the statements, and what is around it.
func cutTable(doc string) (before, table, after string) {
	begin := strings.Index(doc, "## Statements\n")
	end := begin + strings.Index(doc[begin:], "\n## Plans\n")
	return doc[:begin], doc[begin:end], doc[end:]
}

// withStatements is docs/cost.md with a row for each of these methods. The table keeps its order and its last column; a
// new method comes at the end of its repository's.
func withStatements(doc string, statements map[string]int64) string {
	before, table, after := cutTable(doc)
	at := methodRow.FindAllStringIndex(table, -1)
	first, last := at[0][0], at[len(at)-1][1]
	var names []string
	notes := map[string]string{} // the last column
	for _, m := range methodRow.FindAllStringSubmatch(table, -1) {
		if _, ok := statements[m[1]]; ok && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
		notes[m[1]] = m[3]
	}
	for _, name := range keysOf(statements) {
		if _, ok := notes[name]; !ok {
			names = append(names, name)
		}
	}
	place := func(name string) int {
		field, _ := reflect.TypeFor[authdb.Store]().FieldByName(name[:strings.IndexByte(name, '.')])
		return field.Index[0]
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	for i, name := range names {
		names[i] = strings.TrimSuffix(fmt.Sprintf("| `%s` | %d | %s", name, statements[name], notes[name]), " ") + " |"
	}
	return before + table[:first] + strings.Join(names, "\n") + table[last:] + after
}

// sameDoc compares a document with what it is to be; UPDATE_DOCS=1, which make docs sets, writes it.
func sameDoc(t *testing.T, name, want string) {
	t.Helper()
	if string(must[[]byte](t)(os.ReadFile(name))) == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Errorf("%s is stale: run make docs", name)
	} else if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
		t.Error(err)
	}
}

// methodNames are all exported methods of all repositories.
func methodNames() (names []string) {
	repositories := reflect.TypeFor[authdb.Store]()
	for i := range repositories.NumField() {
		if field := repositories.Field(i); field.IsExported() {
			for j := range field.Type.NumMethod() {
				if name := field.Type.Method(j).Name; name != "Settings" { // which asks nothing
					names = append(names, field.Name+"."+name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// statementCounter counts what pgx is asked to send.
type statementCounter struct{ atomic.Int64 }

func (c *statementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.Add(1)
	return ctx
}

func (c *statementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *statementCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	c.Add(int64(d.Batch.Len()))
	return ctx
}

func (c *statementCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (c *statementCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// measured is a store whose one connection counts.
type measured struct {
	*authdb.Store
	trips      atomic.Int64
	statements statementCounter
}

func measure(t *testing.T, dsn string, mode pgx.QueryExecMode, opts ...authdb.Option) *measured {
	t.Helper()
	m := &measured{}
	opts = append(opts, authdb.WithClock(func() time.Time { return today }),
		authdb.WithTracer(&m.statements), authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
			cfg.MaxConns = 1
			cfg.ConnConfig.DefaultQueryExecMode = mode
			network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
			cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return &tripConn{Conn: conn, trips: &m.trips}, err
			}
		}))
	m.Store = must[*authdb.Store](t)(authdb.Open(t.Context(), dsn, opts...))
	t.Cleanup(m.Close)
	return m
}

// TestEachMethodIsOneRoundTrip counts the round trips of each method at the wire, and its statements, where it succeeds
// and the connection has prepared them. docs/cost.md says how many statements there are, and is written from this with
// UPDATE_DOCS=1. In the exec modes that are not the default, a sample does.
func TestEachMethodIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	want := documentedStatements(t)
	if diff := cmp.Diff(methodNames(), keysOf(methodCalls)); diff != "" {
		t.Fatalf("methods (-code +tested):\n%s", diff)
	}
	for _, mode := range execModes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			ctx, dsn := t.Context(), authdbtest.DSN(t)
			store := measure(t, dsn, mode)
			setup := must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
			defer func() { _ = setup.Close(ctx) }()
			got := map[string]int64{}
			for i, name := range keysOf(methodCalls) {
				if mode != pgx.QueryExecModeCacheStatement && i%6 > 0 {
					continue
				}
				var trips, statements int64
				for _, run := range []string{"cold", "warm"} {
					n := fmt.Sprintf(".%d.%s", i, run)
					w, err := newEstate(ctx, setup, n, "org"+n, "user"+n)
					if err != nil {
						t.Fatal(err)
					}
					store.trips.Store(0)
					store.statements.Store(0)
					if err := methodCalls[name](ctx, store.Store, w); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					trips, statements = store.trips.Load(), store.statements.Load()
				}
				if mode == pgx.QueryExecModeDescribeExec {
					trips /= 2 // by its nature
				}
				if got[name] = statements; trips != 1 || os.Getenv("UPDATE_DOCS") == "" && statements != want[name] {
					t.Errorf("%s: %d round trips and %d statements, documented are 1 and %d", name, trips, statements, want[name])
				}
			}
			if mode == pgx.QueryExecModeCacheStatement {
				sameDoc(t, "docs/cost.md", withStatements(string(must[[]byte](t)(os.ReadFile("docs/cost.md"))), got))
			}
		})
	}
}

// TestRoundTripsUnderOnce holds docs/errors.md: a write takes one round trip more than without, and three statements:
// BEGIN, the mark and COMMIT, of which BEGIN takes the place of the question for the isolation. A read takes no more.
func TestRoundTripsUnderOnce(t *testing.T) {
	t.Parallel()
	ctx, dsn := t.Context(), authdbtest.DSN(t)
	store := measure(t, dsn, pgx.QueryExecModeCacheStatement, authdb.WithOnce())
	setup := must[*pgx.Conn](t)(pgx.Connect(ctx, dsn))
	defer func() { _ = setup.Close(ctx) }()
	call := func(name, n string) (trips, statements int64) {
		w, err := newEstate(ctx, setup, n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		store.trips.Store(0)
		store.statements.Store(0)
		if err := methodCalls[name](ctx, store.Store, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return store.trips.Load(), store.statements.Load()
	}
	want := documentedStatements(t)
	for i, name := range keysOf(methodCalls) {
		call(name, fmt.Sprintf(".%d.cold", i))
		trips, statements := call(name, fmt.Sprintf(".%d.warm", i))
		got := fmt.Sprint(trips, " ", statements-want[name])
		switch isWrite := statements > want[name]; {
		case isWrite && got != "2 3" && got != "2 2", !isWrite && trips != 1:
			t.Errorf("%s: round trips, and statements more: %s, without 1", name, got)
		}
	}
}
