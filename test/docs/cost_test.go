package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/admin"
	"github.com/zerostarter/authdb/apikey"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/permission"
	"github.com/zerostarter/authdb/signin"
)

// wire counts the round trips of its connections, and the statements that pgx is asked to send.
type wire struct{ trips, statements atomic.Int64 }

func (w *wire) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	w.statements.Add(1)
	return ctx
}

func (w *wire) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	w.statements.Add(int64(d.Batch.Len()))
	return ctx
}
func (w *wire) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (w *wire) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (w *wire) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// wireConn begins a trip where it writes for the first time or after it has read.
type wireConn struct {
	net.Conn
	trips *atomic.Int64
	waits atomic.Bool
}

func (c *wireConn) Write(p []byte) (int, error) {
	if !c.waits.Swap(true) {
		c.trips.Add(1)
	}
	return c.Conn.Write(p)
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.waits.Store(false)
	}
	return n, err
}

// costs is what the calls of pluginCalls are about.
type costs struct {
	t     *testing.T
	store *authdb.Store
	keys  *apikey.Keys
	teams *apikey.Keys // of another configuration
	users *admin.Users
	flows *signin.Flows
	token authdb.Secret // of the last mail, or of who impersonates
	other authdb.Secret // of the session of an impersonation

	admin authdb.User
	user  authdb.User // a new one for each call, with a password
	key   apikey.Created
}

const costsPassword = "analytical engine"

func (c *costs) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *costs) exec(sql string) {
	c.t.Helper()
	_, err := c.store.Pool().Exec(c.t.Context(), sql, c.user.ID)
	c.must(err)
}

// pluginCall succeeds, or fails as its name says. before makes what it is about.
type pluginCall struct {
	name   string
	before func(ctx context.Context, c *costs) error
	call   func(ctx context.Context, c *costs) error
}

func banOver(_ context.Context, c *costs) error {
	c.exec(`UPDATE "user" SET banned = true, ban_expires = '2020-01-01' WHERE id = $1`)
	return nil
}

func second[T any](_ T, err error) error { return err }

func signsIn(password authdb.Secret, want error) func(ctx context.Context, c *costs) error {
	return func(ctx context.Context, c *costs) error {
		_, err := c.flows.Password(ctx, signin.PasswordParams{Email: c.user.Email, Password: password})
		if errors.Is(err, want) {
			return nil
		}
		return err
	}
}

var pluginCalls = []pluginCall{
	{"`apikey.Keys.Verify`", nil, func(ctx context.Context, c *costs) error {
		return second(c.keys.Verify(ctx, c.key.Secret, permission.Set{"files": {"read"}}))
	}},
	{"`apikey.Keys.Create`", nil, func(ctx context.Context, c *costs) error {
		return second(c.keys.Create(ctx, apikey.CreateParams{OwnerID: c.user.ID}))
	}},
	{"`apikey.Keys.Create`, of a configuration but \"default\"", nil, func(ctx context.Context, c *costs) error {
		return second(c.teams.Create(ctx, apikey.CreateParams{OwnerID: c.user.ID}))
	}},
	{"`apikey.Keys.Get`", nil, func(ctx context.Context, c *costs) error { return second(c.keys.Get(ctx, c.user.ID, c.key.ID)) }},
	{"`apikey.Keys.List`", nil, func(ctx context.Context, c *costs) error {
		return second(c.keys.List(ctx, apikey.ListParams{OwnerID: c.user.ID}))
	}},
	{"`apikey.Keys.Update`", nil, func(ctx context.Context, c *costs) error {
		return second(c.keys.Update(ctx, c.user.ID, c.key.ID, apikey.UpdateParams{}))
	}},
	{"`apikey.Keys.Revoke`", nil, func(ctx context.Context, c *costs) error { return c.keys.Revoke(ctx, c.user.ID, c.key.ID) }},
	{"`apikey.Keys.RevokeAll`", nil, func(ctx context.Context, c *costs) error { return second(c.keys.RevokeAll(ctx, c.user.ID)) }},

	{"`admin.Users.Ban`", nil, func(ctx context.Context, c *costs) error {
		return second(c.users.Ban(ctx, admin.BanParams{UserID: c.user.ID, By: c.admin.ID}))
	}},
	{"`admin.Users.Unban`", nil, func(ctx context.Context, c *costs) error {
		return c.users.Unban(ctx, admin.UnbanParams{UserID: c.user.ID, By: c.admin.ID})
	}},
	{"`admin.Users.SetRole`", nil, func(ctx context.Context, c *costs) error {
		return c.users.SetRole(ctx, admin.SetRoleParams{UserID: c.user.ID, By: c.admin.ID, Roles: []string{"user"}})
	}},
	{"`admin.Users.Get`", nil, func(ctx context.Context, c *costs) error { return second(c.users.Get(ctx, c.user.ID)) }},
	{"`admin.Users.List`", nil, func(ctx context.Context, c *costs) error {
		return second(c.users.List(ctx, authdb.ListUsersParams{}))
	}},
	{"`admin.Users.Search`", nil, func(ctx context.Context, c *costs) error {
		return second(c.users.Search(ctx, authdb.SearchUsersParams{Prefix: c.user.Email}))
	}},
	{"`admin.Users.Impersonate`", nil, func(ctx context.Context, c *costs) error {
		return second(c.users.Impersonate(ctx, admin.ImpersonateParams{UserID: c.user.ID, By: c.admin.ID}))
	}},
	{"`admin.Users.StopImpersonating`", func(ctx context.Context, c *costs) error {
		own, err := c.store.Sessions.Create(ctx, authdb.CreateSessionParams{UserID: c.admin.ID})
		c.must(err)
		other, err := c.users.Impersonate(ctx, admin.ImpersonateParams{UserID: c.user.ID, By: c.admin.ID})
		c.token, c.other = own.Token, other.Token
		return err
	}, func(ctx context.Context, c *costs) error {
		return second(c.users.StopImpersonating(ctx, admin.StopParams{Token: c.other, AdminToken: c.token}))
	}},

	{"`signin.Flows.Password`", nil, signsIn(costsPassword, nil)},
	{"`signin.Flows.Password`, a wrong one", nil, signsIn("wrong", signin.ErrInvalidCredentials)},
	{"`signin.Flows.Password`, a second factor", func(_ context.Context, c *costs) error {
		c.exec(`UPDATE "user" SET two_factor_enabled = true WHERE id = $1`)
		return nil
	}, signsIn(costsPassword, signin.ErrSecondFactor)},
	{"`signin.Flows.Password`, a ban that is over", banOver, signsIn(costsPassword, nil)},
	{"`signin.Flows.SignUp`", nil, func(ctx context.Context, c *costs) error {
		return second(c.flows.SignUp(ctx, signin.SignUpParams{Email: "new-" + c.user.Email, Password: costsPassword}))
	}},
	{"`signin.Flows.RequestPasswordReset`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.RequestPasswordReset(ctx, c.user.Email)
	}},
	{"`signin.Flows.ResetPassword`", func(ctx context.Context, c *costs) error {
		return c.flows.RequestPasswordReset(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.ResetPassword(ctx, signin.ResetPasswordParams{Token: c.token, NewPassword: costsPassword}))
	}},
	{"`signin.Flows.ChangePassword`", nil, func(ctx context.Context, c *costs) error {
		return second(c.flows.ChangePassword(ctx, signin.ChangePasswordParams{
			UserID: c.user.ID, Current: costsPassword, New: costsPassword,
		}))
	}},
	{"`signin.Flows.SendCode`", nil, func(ctx context.Context, c *costs) error { return c.flows.SendCode(ctx, c.user.Email) }},
	{"`signin.Flows.SignInByCode`", func(ctx context.Context, c *costs) error {
		return c.flows.SendCode(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.SignInByCode(ctx, signin.CodeParams{Email: c.user.Email, Code: c.token}))
	}},
	{"`signin.Flows.SendVerificationCode`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.SendVerificationCode(ctx, c.user.Email)
	}},
	{"`signin.Flows.VerifyEmailByCode`", func(ctx context.Context, c *costs) error {
		return c.flows.SendVerificationCode(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.VerifyEmailByCode(ctx, signin.CodeParams{Email: c.user.Email, Code: c.token}))
	}},
	{"`signin.Flows.SendResetCode`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.SendResetCode(ctx, c.user.Email)
	}},
	{"`signin.Flows.ResetPasswordByCode`", func(ctx context.Context, c *costs) error {
		return c.flows.SendResetCode(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.ResetPasswordByCode(ctx, signin.ResetPasswordByCodeParams{
			Email: c.user.Email, Code: c.token, NewPassword: costsPassword,
		}))
	}},
	{"`signin.Flows.SendLink`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.SendLink(ctx, signin.SendLinkParams{Email: c.user.Email})
	}},
	{"`signin.Flows.SignInByLink`", func(ctx context.Context, c *costs) error {
		return c.flows.SendLink(ctx, signin.SendLinkParams{Email: c.user.Email})
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.SignInByLink(ctx, signin.LinkParams{Token: c.token}))
	}},
	{"`signin.Flows.SendVerification`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.SendVerification(ctx, c.user.Email)
	}},
	{"`signin.Flows.VerifyEmail`", func(ctx context.Context, c *costs) error {
		return c.flows.SendVerification(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.VerifyEmail(ctx, signin.VerifyEmailParams{Token: c.token}))
	}},
	{"`signin.Flows.VerifyEmail`, with a session", func(ctx context.Context, c *costs) error {
		return c.flows.SendVerification(ctx, c.user.Email)
	}, func(ctx context.Context, c *costs) error {
		c.flows.SignInAfterVerification = true
		defer func() { c.flows.SignInAfterVerification = false }()
		return second(c.flows.VerifyEmail(ctx, signin.VerifyEmailParams{Token: c.token}))
	}},
	{"`signin.Flows.RequestEmailChange`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.RequestEmailChange(ctx, signin.RequestEmailChangeParams{UserID: c.user.ID, NewEmail: "new-" + c.user.Email})
	}},
	{"`signin.Flows.SendEmailChangeCode`", nil, func(ctx context.Context, c *costs) error {
		return c.flows.SendEmailChangeCode(ctx, signin.SendEmailChangeCodeParams{UserID: c.user.ID, NewEmail: "new-" + c.user.Email})
	}},
	{"`signin.Flows.ChangeEmailByCode`", func(ctx context.Context, c *costs) error {
		return c.flows.SendEmailChangeCode(ctx, signin.SendEmailChangeCodeParams{UserID: c.user.ID, NewEmail: "new-" + c.user.Email})
	}, func(ctx context.Context, c *costs) error {
		return second(c.flows.ChangeEmailByCode(ctx, signin.ChangeEmailByCodeParams{
			UserID: c.user.ID, NewEmail: "new-" + c.user.Email, Code: c.token,
		}))
	}},
}

// TestPluginCosts counts the round trips of each operation of the plugins' packages at the wire, and its statements,
// where the connection has prepared them, and writes the table of docs/cost.md with UPDATE_DOCS=1. Its last column is
// kept.
func TestPluginCosts(t *testing.T) {
	t.Parallel()
	ctx, sent := t.Context(), &wire{}
	store, err := authdb.Open(ctx, authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables).DSN(t),
		authdb.WithTracer(sent), authdb.WithPoolConfig(func(cfg *pgxpool.Config) {
			cfg.MaxConns = 1
			network, address := pgconn.NetworkAddress(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
			cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return &wireConn{Conn: conn, trips: &sent.trips}, err
			}
		}))
	c := &costs{t: t, store: store}
	c.must(err)
	t.Cleanup(store.Close)
	c.keys, err = apikey.New(ctx, store, apikey.Options{})
	c.must(err)
	c.teams, err = apikey.New(ctx, store, apikey.Options{ConfigID: "teams"})
	c.must(err)
	c.users, err = admin.New(ctx, store, admin.Options{})
	c.must(err)
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, strings.Repeat("a secret of it", 3))
	c.must(err)
	c.flows = &signin.Flows{Store: store, Cookies: cookies, Send: func(_ context.Context, m signin.Mail) error {
		c.token = m.Token
		return nil
	}}
	hash, err := betterauth.HashPassword(ctx, costsPassword)
	c.must(err)
	newUser := func(name string) authdb.User {
		made, err := store.Users.CreateWithAccount(ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Email: name + "@example.com"},
			Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: &hash},
		})
		c.must(err)
		return made.User
	}
	c.admin = newUser("admin")
	c.must(c.users.SetRole(ctx, admin.SetRoleParams{UserID: c.admin.ID, Roles: []string{"admin"}}))

	doc := file(t, "docs/cost.md")
	row := regexp.MustCompile("(?m)^\\| (`(?:apikey|admin|signin)\\.[^|]+) \\| \\d+ \\| \\d+ \\| (.*?) ?\\|$")
	known := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(doc, -1) {
		known[m[1]] = m[2]
	}
	var rows []string
	for i, p := range pluginCalls {
		var trips, statements int64
		for _, run := range []string{"cold", "warm"} {
			c.user = newUser(fmt.Sprint(run, i))
			c.key, err = c.keys.Create(ctx, apikey.CreateParams{OwnerID: c.user.ID, Permissions: permission.Set{"files": {"read"}}})
			c.must(err)
			if p.before != nil {
				c.must(p.before(ctx, c))
			}
			sent.trips.Store(0)
			sent.statements.Store(0)
			if err := p.call(ctx, c); err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			trips, statements = sent.trips.Load(), sent.statements.Load()
		}
		rows = append(rows, strings.TrimSuffix(fmt.Sprintf("| %s | %d | %d | %s", p.name, trips, statements, known[p.name]), " ")+" |")
	}
	at := row.FindAllStringIndex(doc, -1)
	same(t, "cost.md", doc[:at[0][0]]+strings.Join(rows, "\n")+doc[at[len(at)-1][1]:])
}
