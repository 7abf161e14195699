package faults_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/signin"
)

// repeated is what a second call under the same key answers.
type repeated int

const (
	sameResult  repeated = iota // what the first call returned
	noError                     // nil, all that the first call returned
	alreadyDone                 // ErrAlreadyDone: what the first call returned cannot be read again
	sameRefusal                 // the error of the first call, or ErrAlreadyDone
)

// write is one call of a method that changes the database.
type write struct {
	run func(ctx context.Context, s *authdb.Store) (any, error)
	// What run returns is compared, so it holds nothing that may differ after a loss.
	again   repeated
	refusal error // that changes something nonetheless
	mails   bool  // a secret, and returns only an error
}

func makes[T any](run func(ctx context.Context, s *authdb.Store) (T, error)) write {
	return write{run: func(ctx context.Context, s *authdb.Store) (any, error) { return run(ctx, s) }, again: sameResult}
}

// takes is a write whose result is gone with the rows, or was only counted.
func takes[T any](run func(ctx context.Context, s *authdb.Store) (T, error)) write {
	w := makes(run)
	w.again = alreadyDone
	return w
}

func ends(run func(ctx context.Context, s *authdb.Store) error) write {
	w := makes(func(ctx context.Context, s *authdb.Store) (any, error) { return nil, run(ctx, s) })
	w.again = noError
	return w
}

// inTx is the name of a write that is a method of the store.
const inTx = "InTx"

// apart are the methods that no cut is made in: they change nothing, but DeleteExpiredMarks, which deletes by age what the
// other writes are told by, and what signin does by a code or a link: they are two writes, of which the first stays where
// the second is cut, as a guess must.
var apart = []string{
	"CheckSchema", "Close", "DeleteExpiredMarks", "Ping", "Pool", "Position", "Resolve", "Tx", "WaitFor", "WithTx", "Sessions.Settings", "admin.On",
	"apikey.On", "signin.ClientIP", "signin.SendVerification", "signin.SignInByCode", "signin.SignInByLink",
	"signin.VerifyEmailByCode", "signin.ResetPasswordByCode", "signin.ChangeEmailByCode",
}

// beside are the packages that write beside the store's repositories, and what has their methods.
var beside = map[string]func(ctx context.Context, s *authdb.Store) (any, error){
	"admin":  func(ctx context.Context, s *authdb.Store) (any, error) { return admins(ctx, s) },
	"apikey": func(ctx context.Context, s *authdb.Store) (any, error) { return keys(ctx, s) },
	"signin": func(_ context.Context, s *authdb.Store) (any, error) { return flows(s) },
}

func admins(ctx context.Context, s *authdb.Store) (*admin.Users, error) {
	return admin.New(ctx, s, admin.Options{})
}

// keys makes API keys that unmade knows, and whose rows have them as they are.
func keys(ctx context.Context, s *authdb.Store) (*apikey.Keys, error) {
	return apikey.New(ctx, s, apikey.Options{Plain: true, Prefix: madeMark + "__"})
}

func flows(s *authdb.Store) (*signin.Flows, error) {
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, "0123456789abcdefghijklmnopqrstuvwxyz")
	return &signin.Flows{
		Store: s, Cookies: cookies, Send: func(context.Context, signin.Mail) error { return nil },
		UpdateUnverifiedEmail: true,
	}, err
}

// mails is a write that sends a secret, which nobody has to send it again.
func mails(run func(ctx context.Context, f *signin.Flows) error) write {
	w := takes(func(ctx context.Context, s *authdb.Store) (any, error) {
		f, err := flows(s)
		if err != nil {
			return nil, err
		}
		return nil, run(ctx, f)
	})
	w.mails = true
	return w
}

// follows follows a mail with a token.
func follows(t betterauth.MailToken) write {
	return makes(func(ctx context.Context, s *authdb.Store) (done signin.VerifiedEmail, err error) {
		f, err := flows(s)
		if err != nil {
			return done, err
		}
		t.IssuedAt = today
		token, err := f.Cookies.SignMailToken(t)
		if err != nil {
			return done, err
		}
		return f.VerifyEmail(ctx, signin.VerifyEmailParams{Token: token})
	})
}

// profile is a column of the application's.
type profile struct{ Phone string }

// writes are the methods that change the database, some of them in more than one way: what follows a blank is not part
// of the name.
var writes = map[string]write{
	inTx: {again: alreadyDone, run: func(ctx context.Context, s *authdb.Store) (any, error) {
		return nil, s.InTx(ctx, func(tx *authdb.Store) error {
			user, err := tx.Users.Create(ctx, authdb.CreateUserParams{Email: "new@example.com"})
			if err != nil {
				return err
			}
			if _, err := tx.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: "org", UserID: user.ID}); err != nil {
				return err
			}
			if _, err := tx.Organizations.Update(ctx, "org", authdb.UpdateOrganizationParams{Name: authdb.Set("x")}); err != nil {
				return err
			}
			return tx.Sessions.DeleteByToken(ctx, "token")
		})
	}},
	"InTx in InTx": {again: alreadyDone, run: func(ctx context.Context, s *authdb.Store) (any, error) {
		return nil, s.InTx(ctx, func(tx *authdb.Store) error {
			if _, err := tx.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: "invitation", UserID: "joiner", AllowUnverified: true}); err != nil {
				return err
			}
			return tx.InTx(ctx, func(in *authdb.Store) error {
				_, err := in.Verifications.Consume(ctx, "proof")
				return err
			})
		})
	}},

	"InTxWith": {again: alreadyDone, run: func(ctx context.Context, s *authdb.Store) (any, error) {
		return nil, s.InTxWith(ctx, authdb.TxOptions{IsoLevel: pgx.Serializable}, func(tx *authdb.Store) error {
			return tx.Sessions.DeleteByToken(ctx, "token")
		})
	}},

	"Users.Create with a column": makes(func(ctx context.Context, s *authdb.Store) (user authdb.User, err error) {
		columns, err := authdb.NewColumns[profile](ctx, s, "user")
		if err != nil {
			return user, err
		}
		return s.Users.Create(columns.Write(ctx, profile{Phone: "1"}), authdb.CreateUserParams{Email: "new@example.com"})
	}),
	"Users.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.User, error) {
		return s.Users.Create(ctx, authdb.CreateUserParams{Email: "new@example.com"})
	}),
	"Users.CreateWithAccount": makes(func(ctx context.Context, s *authdb.Store) (authdb.UserWithAccount, error) {
		return s.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Email: "new@example.com"},
			Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(authdb.Secret("hash"))},
		})
	}),
	"Users.CreateMany": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.User, error) {
		return s.Users.CreateMany(ctx, []authdb.CreateUserParams{{Email: "new1@example.com"}, {Email: "new2@example.com"}})
	}),
	"Users.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.User, error) {
		return s.Users.Update(ctx, "owner", authdb.UpdateUserParams{Name: authdb.Set("x")})
	}),
	"Users.SetEmail": makes(func(ctx context.Context, s *authdb.Store) (authdb.User, error) {
		return s.Users.SetEmail(ctx, "owner", authdb.SetEmailParams{Email: "new@example.com", Verified: true})
	}),
	"Users.VerifyEmail": makes(func(ctx context.Context, s *authdb.Store) (authdb.User, error) {
		got, err := s.Users.VerifyEmail(ctx, "idle", authdb.VerifyEmailParams{Email: "idle@example.com"})
		return got.User, err
	}),
	"Users.Delete": takes(func(ctx context.Context, s *authdb.Store) (authdb.DeletedUser, error) {
		return s.Users.Delete(ctx, authdb.DeleteUserParams{UserID: "owner", SuccessorID: "heir"})
	}),

	"Sessions.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		return s.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: "owner"})
	}),
	"Sessions.CreateMany": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Session, error) {
		return s.Sessions.CreateMany(ctx, []authdb.CreateSessionParams{{UserID: "owner"}, {UserID: "guest"}})
	}),
	"Sessions.UpdateByToken": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		return s.Sessions.UpdateByToken(ctx, "token", authdb.UpdateSessionParams{IPAddress: authdb.Set("192.0.2.1")})
	}),
	"Sessions.Refresh": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		got, err := s.Sessions.Refresh(ctx, authdb.RefreshSessionParams{Token: "token"})
		return got.Session, err
	}),
	"Sessions.SetActiveOrganization": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		return s.Sessions.SetActiveOrganization(ctx, authdb.SetActiveOrganizationParams{
			UserID: "owner", Token: "other", OrganizationID: "org",
		})
	}),
	"Sessions.SetActiveTeam": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		return s.Sessions.SetActiveTeam(ctx, authdb.SetActiveTeamParams{UserID: "owner", Token: "half", TeamID: "team"})
	}),
	"Sessions.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Sessions.Delete(ctx, "owner", "session")
	}),
	"Sessions.DeleteByToken": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Sessions.DeleteByToken(ctx, "token")
	}),
	"Sessions.DeleteByTokens": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Sessions.DeleteByTokens(ctx, []authdb.Secret{"token", "guest"})
	}),
	"Sessions.DeleteByUser": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Session, error) {
		return s.Sessions.DeleteByUser(ctx, "owner")
	}),
	"Sessions.DeleteOthers": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Session, error) {
		return s.Sessions.DeleteOthers(ctx, "owner", "session")
	}),
	"Sessions.DeleteExpired": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Sessions.DeleteExpired(ctx, 1_000)
	}),

	"Accounts.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Account, error) {
		return s.Accounts.Create(ctx, authdb.CreateAccountParams{UserID: "owner", ProviderID: "gitlab", AccountID: "new"})
	}),
	"Accounts.Link": makes(func(ctx context.Context, s *authdb.Store) (authdb.Account, error) {
		return s.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: "owner", ProviderID: "gitlab", AccountID: "new"})
	}),
	"Accounts.Link again": makes(func(ctx context.Context, s *authdb.Store) (authdb.Account, error) {
		return s.Accounts.Link(ctx, authdb.CreateAccountParams{
			UserID: "owner", ProviderID: "github", AccountID: "identity", Scope: new("x"),
		})
	}),
	"Accounts.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.Account, error) {
		return s.Accounts.Update(ctx, "owner", "identity", authdb.UpdateAccountParams{Scope: authdb.Set("x")})
	}),
	"Accounts.SetPassword": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Accounts.SetPassword(ctx, "owner", "another hash")
	}),
	"Accounts.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Accounts.Delete(ctx, authdb.DeleteAccountParams{UserID: "owner", ID: "identity"})
	}),
	"Accounts.DeleteByUser": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Accounts.DeleteByUser(ctx, "owner")
	}),

	"Verifications.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Verification, error) {
		return s.Verifications.Create(ctx, authdb.CreateVerificationParams{Identifier: "new", ExpiresAt: today.Add(time.Hour)})
	}),
	"Verifications.Reserve": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Verifications.Reserve(ctx, authdb.CreateVerificationParams{Identifier: "new", ExpiresAt: today.Add(time.Hour)})
	}),
	"Verifications.Consume": takes(func(ctx context.Context, s *authdb.Store) (authdb.Verification, error) {
		return s.Verifications.Consume(ctx, "proof")
	}),
	"Verifications.ConsumeValue": takes(func(ctx context.Context, s *authdb.Store) (authdb.Verification, error) {
		return s.Verifications.ConsumeValue(ctx, "proof", "value")
	}),
	"Verifications.ConsumeCode": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "code", Code: "123456"})
	}),
	"Verifications.ConsumeCode wrongly": {
		again: sameRefusal, refusal: authdb.ErrWrongCode, // which is counted
		run: func(ctx context.Context, s *authdb.Store) (any, error) {
			return nil, s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "code", Code: "000000"})
		},
	},
	"Verifications.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.Verification, error) {
		return s.Verifications.Update(ctx, "proof", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))})
	}),
	"Verifications.UpdateByIdentifier": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Verifications.UpdateByIdentifier(ctx, "proof", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("x"))})
	}),
	"Verifications.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Verifications.Delete(ctx, "proof")
	}),
	"Verifications.DeleteByIdentifier": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Verifications.DeleteByIdentifier(ctx, "proof")
	}),
	"Verifications.DeleteExpired": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Verifications.DeleteExpired(ctx, 1_000)
	}),

	"Organizations.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Organization, error) {
		return s.Organizations.Create(ctx, authdb.CreateOrganizationParams{Slug: "new", OwnerID: "owner", DefaultTeam: true})
	}),
	"Organizations.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.Organization, error) {
		return s.Organizations.Update(ctx, "org", authdb.UpdateOrganizationParams{Name: authdb.Set("x")})
	}),
	"Organizations.Delete": takes(func(ctx context.Context, s *authdb.Store) (authdb.DeletedOrganization, error) {
		return s.Organizations.Delete(ctx, "org")
	}),

	"Members.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Member, error) {
		return s.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: "org", UserID: "stranger", MaxMembers: 1_000})
	}),
	"Members.CreateMany": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Member, error) {
		return s.Members.CreateMany(ctx, []authdb.CreateMemberParams{
			{OrganizationID: "org", UserID: "stranger"}, {OrganizationID: "org", UserID: "joiner"},
		})
	}),
	"Members.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.Member, error) {
		return s.Members.Update(ctx, "org", "owner", authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleAdmin)})
	}),
	"Members.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: "org", MemberID: "owner"})
	}),
	"Members.Leave": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Members.Leave(ctx, "org", "owner")
	}),

	"Teams.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Team, error) {
		return s.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: "org", MaxTeams: 1_000})
	}),
	"Teams.Update": makes(func(ctx context.Context, s *authdb.Store) (authdb.Team, error) {
		return s.Teams.Update(ctx, "org", "team", authdb.UpdateTeamParams{Name: authdb.Set("x")})
	}),
	"Teams.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: "org", TeamID: "team"})
	}),
	"Teams.RecountMembers": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Teams.RecountMembers(ctx, "org")
	}),

	"TeamMembers.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.TeamMember, error) {
		return s.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
			OrganizationID: "org", TeamID: "team", UserID: "idle", MaxMembers: 1_000,
		})
	}),
	"TeamMembers.CreateMany": makes(func(ctx context.Context, s *authdb.Store) ([]authdb.TeamMember, error) {
		return s.TeamMembers.CreateMany(ctx, []authdb.CreateTeamMemberParams{
			{OrganizationID: "org", TeamID: "team", UserID: "idle", MaxMembers: 1_000},
			{OrganizationID: "org", TeamID: "team", UserID: "heir", MaxMembers: 1_000},
		})
	}),
	"TeamMembers.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.TeamMembers.Delete(ctx, "org", "ownerseat")
	}),
	"TeamMembers.DeleteByUser": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.TeamMembers.DeleteByUser(ctx, "org", "team", "owner")
	}),

	"Invitations.Create": makes(func(ctx context.Context, s *authdb.Store) (authdb.Invitation, error) {
		return s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: "org", InviterID: "owner", Email: "new@example.com", TeamIDs: []string{"team"}, MaxPending: 1_000,
		})
	}),
	"Invitations.Create again": makes(func(ctx context.Context, s *authdb.Store) (authdb.Invitation, error) {
		return s.Invitations.Create(ctx, authdb.CreateInvitationParams{
			OrganizationID: "org", InviterID: "owner", Email: "joiner@example.com", Role: authdb.RoleAdmin,
		})
	}),
	"Invitations.Accept": makes(func(ctx context.Context, s *authdb.Store) ([]any, error) {
		got, err := s.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: "invitation", UserID: "joiner", MaxMembers: 1_000, MaxTeamMembers: 1_000})
		return []any{got.Invitation, got.Member}, err
	}),
	"Invitations.Reject": makes(func(ctx context.Context, s *authdb.Store) (authdb.Invitation, error) {
		return s.Invitations.Reject(ctx, authdb.RejectInvitationParams{InvitationID: "invitation", UserID: "joiner", AllowUnverified: true})
	}),
	"Invitations.Cancel": makes(func(ctx context.Context, s *authdb.Store) (authdb.Invitation, error) {
		return s.Invitations.Cancel(ctx, "org", "invitation")
	}),
	"Invitations.CancelExpired": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		return s.Invitations.CancelExpired(ctx, "org")
	}),
	"Invitations.Delete": ends(func(ctx context.Context, s *authdb.Store) error {
		return s.Invitations.Delete(ctx, "org", "invitation")
	}),

	"admin.Ban": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Session, error) {
		users, err := admins(ctx, s)
		if err != nil {
			return nil, err
		}
		return users.Ban(ctx, admin.BanParams{UserID: "guest", By: "owner"})
	}),
	"admin.Unban": ends(func(ctx context.Context, s *authdb.Store) error {
		users, err := admins(ctx, s)
		if err != nil {
			return err
		}
		return users.Unban(ctx, admin.UnbanParams{UserID: "stranger"})
	}),
	"admin.SetRole": ends(func(ctx context.Context, s *authdb.Store) error {
		users, err := admins(ctx, s)
		if err != nil {
			return err
		}
		return users.SetRole(ctx, admin.SetRoleParams{UserID: "guest", By: "owner", Roles: []string{"admin"}})
	}),
	"admin.Impersonate": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		users, err := admins(ctx, s)
		if err != nil {
			return authdb.Session{}, err
		}
		return users.Impersonate(ctx, admin.ImpersonateParams{UserID: "guest", By: "owner"})
	}),
	"admin.StopImpersonating": makes(func(ctx context.Context, s *authdb.Store) (authdb.Session, error) {
		users, err := admins(ctx, s)
		if err != nil {
			return authdb.Session{}, err
		}
		return users.StopImpersonating(ctx, admin.StopParams{Token: "borrowed", AdminToken: "token"})
	}),

	"apikey.Create": takes(func(ctx context.Context, s *authdb.Store) ([]any, error) {
		k, err := keys(ctx, s)
		if err != nil {
			return nil, err
		}
		made, err := k.Create(ctx, apikey.CreateParams{OwnerID: "owner"})
		return []any{made.Key, made.Secret == made.Key.Key}, err
	}),
	"apikey.Create of a configuration": takes(func(ctx context.Context, s *authdb.Store) ([]any, error) {
		k, err := apikey.New(ctx, s, apikey.Options{Plain: true, Prefix: madeMark + "__", ConfigID: "x"})
		if err != nil {
			return nil, err
		}
		made, err := k.Create(ctx, apikey.CreateParams{OwnerID: "owner"})
		return []any{made.Key, made.Secret == made.Key.Key}, err
	}),
	"apikey.Verify": takes(func(ctx context.Context, s *authdb.Store) (apikey.Key, error) {
		k, err := keys(ctx, s)
		if err != nil {
			return apikey.Key{}, err
		}
		return k.Verify(ctx, "key", nil)
	}),
	"apikey.Update": makes(func(ctx context.Context, s *authdb.Store) (apikey.Key, error) {
		k, err := keys(ctx, s)
		if err != nil {
			return apikey.Key{}, err
		}
		return k.Update(ctx, "owner", "key", apikey.UpdateParams{Name: authdb.Set("x")})
	}),
	"apikey.Revoke": ends(func(ctx context.Context, s *authdb.Store) error {
		k, err := keys(ctx, s)
		if err != nil {
			return err
		}
		return k.Revoke(ctx, "owner", "key")
	}),
	"apikey.RevokeAll": takes(func(ctx context.Context, s *authdb.Store) (int64, error) {
		k, err := keys(ctx, s)
		if err != nil {
			return 0, err
		}
		return k.RevokeAll(ctx, "owner")
	}),

	"signin.Password": takes(func(ctx context.Context, s *authdb.Store) (done signin.SignedIn, err error) {
		f, err := flows(s)
		if err != nil {
			return done, err
		}
		return f.Password(ctx, signin.PasswordParams{Email: "owner@example.com", Password: knownPassword})
	}),
	"signin.Password with a second factor": {
		again: sameRefusal, refusal: signin.ErrSecondFactor, // which makes a challenge
		run: func(ctx context.Context, s *authdb.Store) (any, error) {
			f, err := flows(s)
			if err != nil {
				return nil, err
			}
			return f.Password(ctx, signin.PasswordParams{Email: "guest@example.com", Password: knownPassword})
		},
	},
	"signin.SignUp": takes(func(ctx context.Context, s *authdb.Store) (done signin.SignedUp, err error) {
		f, err := flows(s)
		if err != nil {
			return done, err
		}
		return f.SignUp(ctx, signin.SignUpParams{Email: "new@example.com", Password: knownPassword})
	}),
	"signin.RequestPasswordReset": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.RequestPasswordReset(ctx, "owner@example.com")
	}),
	"signin.ResetPassword": takes(func(ctx context.Context, s *authdb.Store) ([]authdb.Secret, error) {
		f, err := flows(s)
		if err != nil {
			return nil, err
		}
		f.RevokeSessionsOnReset = true
		return f.ResetPassword(ctx, signin.ResetPasswordParams{Token: "reset", NewPassword: "another password"})
	}),
	"signin.ChangePassword": takes(func(ctx context.Context, s *authdb.Store) (done signin.SignedIn, err error) {
		f, err := flows(s)
		if err != nil {
			return done, err
		}
		return f.ChangePassword(ctx, signin.ChangePasswordParams{
			UserID: "owner", Current: knownPassword, New: "another password", RevokeOthers: true,
		})
	}),
	"signin.VerifyEmail": follows(betterauth.MailToken{Email: "idle@example.com", UserID: "idle"}),
	"signin.VerifyEmail of a change": follows(betterauth.MailToken{
		Email: "owner@example.com", UserID: "owner", UpdateTo: "new@example.com",
		RequestType: betterauth.ChangeEmailVerification,
	}),
	"signin.RequestEmailChange": ends(func(ctx context.Context, s *authdb.Store) error {
		f, err := flows(s)
		if err != nil {
			return err
		}
		return f.RequestEmailChange(ctx, signin.RequestEmailChangeParams{UserID: "idle", NewEmail: "new@example.com"})
	}),
	"signin.SendCode": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendCode(ctx, "owner@example.com")
	}),
	"signin.SendCode to nobody": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendCode(ctx, "new@example.com")
	}),
	"signin.SendVerificationCode": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendVerificationCode(ctx, "owner@example.com")
	}),
	"signin.SendResetCode": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendResetCode(ctx, "owner@example.com")
	}),
	"signin.SendEmailChangeCode": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendEmailChangeCode(ctx, signin.SendEmailChangeCodeParams{UserID: "owner", NewEmail: "new@example.com"})
	}),
	"signin.VerifyEmail with a session": takes(func(ctx context.Context, s *authdb.Store) (done signin.VerifiedEmail, err error) {
		f, err := flows(s)
		if err != nil {
			return done, err
		}
		f.SignInAfterVerification = true
		token, err := f.Cookies.SignMailToken(betterauth.MailToken{Email: "idle@example.com", UserID: "idle", IssuedAt: today})
		if err != nil {
			return done, err
		}
		return f.VerifyEmail(ctx, signin.VerifyEmailParams{Token: token})
	}),
	"signin.SendLink": mails(func(ctx context.Context, f *signin.Flows) error {
		return f.SendLink(ctx, signin.SendLinkParams{Email: "owner@example.com"})
	}),
}

// methodNames are the exported methods of the store and its repositories, and of what is beside them.
func methodNames(ctx context.Context, t *testing.T, s *authdb.Store) (names []string) {
	t.Helper()
	of := func(prefix string, of reflect.Type) {
		for i := range of.NumMethod() {
			names = append(names, prefix+of.Method(i).Name)
		}
	}
	store := reflect.TypeFor[authdb.Store]()
	of("", reflect.TypeFor[*authdb.Store]())
	for i := range store.NumField() {
		if field := store.Field(i); field.IsExported() {
			of(field.Name+".", field.Type)
		}
	}
	for name, handle := range beside {
		h, err := handle(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		of(name+".", reflect.TypeOf(h))
	}
	return names
}

// methodOf finds a method by its name.
func methodOf(ctx context.Context, t *testing.T, s *authdb.Store, name string) reflect.Value {
	t.Helper()
	owner, method, ok := strings.Cut(name, ".")
	switch {
	case !ok:
		return reflect.ValueOf(s).MethodByName(owner)
	case beside[owner] != nil:
		h, err := beside[owner](ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		return reflect.ValueOf(h).MethodByName(method)
	}
	if field := reflect.ValueOf(s).Elem().FieldByName(owner); field.IsValid() {
		return field.MethodByName(method)
	}
	return reflect.Value{}
}

// TestEveryMethod holds writes to the store: what is not in it must send no statement that a read-only transaction
// refuses. That those in it do change something is the first thing that the cuts look at.
func TestEveryMethod(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t, nil)
	if err := w.reset(ctx); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for name, write := range writes {
		method, _, _ := strings.Cut(name, " ")
		known[method] = true
		call := methodOf(ctx, t, authdb.New(w.admin), method)
		if !call.IsValid() {
			t.Errorf("there is no %s", method)
		} else if only := call.Type().NumOut() == 1; strings.Contains(method, ".") && !write.mails && write.again != sameRefusal && only == (write.again == sameResult || write.again == alreadyDone) {
			t.Errorf("%s: what it answers when it is repeated does not fit what it returns", name)
		}
	}
	for _, name := range methodNames(ctx, t, authdb.New(w.admin)) {
		if known[name] || slices.Contains(apart, name) {
			continue
		}
		tx, err := w.admin.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		if err != nil {
			t.Fatal(err)
		}
		if err := callBlindly(ctx, methodOf(ctx, t, authdb.New(tx), name)); err != nil && !errors.Is(err, authdb.ErrNotFound) {
			t.Errorf("%s is neither in writes nor apart, and as a read it fails: %v", name, err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// A package that writes beside the repositories goes by internal/bridge. So does betterauth, to compare options.
	files, err := filepath.Glob("../../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(filepath.Dir(file)); strings.Contains(string(text), `authdb/internal/bridge"`) && beside[name] == nil && name != "betterauth" {
			t.Errorf("what package %s writes is not in writes: see beside", name)
		}
	}
}

// callBlindly calls a method with arguments that it does not refuse, if it is a read, and returns its error.
func callBlindly(ctx context.Context, method reflect.Value) error {
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		arg := reflect.New(method.Type().In(i)).Elem()
		fill(arg)
		args = append(args, arg)
	}
	for _, out := range method.Call(args) {
		if err, ok := out.Interface().(error); ok {
			return err
		}
		if out.Kind() == reflect.Func { // an iterator
			for _, err := range out.Seq2() {
				if err, ok := err.Interface().(error); ok {
					return err
				}
			}
		}
	}
	return nil
}

// fill sets texts to a key that the estate knows, and asks for everything else that can be asked for.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[authdb.Rows]() {
		v.Set(reflect.ValueOf(authdb.All()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("org")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type().Field(i).Type != reflect.TypeFor[authdb.Cursor]() {
				fill(v.Field(i))
			}
		}
	}
}
