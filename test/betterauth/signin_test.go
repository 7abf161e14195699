//go:build betterauth

package betterauth_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/signin"
)

// signInChecks are the numbers of checks of TestSignIn.
var signInChecks = map[string]int{"1.3.34": 2754, "1.4.22": 2779, "1.5.6": 2918, "1.6.34": 2921, "1.7.25": 2962}

// TestSignIn: the flows of package signin and those of servers with the plugins agree, and one goes on with what the
// other began.
func TestSignIn(t *testing.T) {
	for _, v := range versions {
		t.Run(v.exact, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			s := newSides(t, v.exact)
			for _, run := range []func(){
				s.signInCases, s.bans, s.clients, s.signUps, s.resets, s.proofs, s.codes, s.mailTokens, s.changes, s.secondFactors,
			} {
				s.group(run)
			}
			for _, wrong := range s.wrong {
				t.Error(wrong)
			}
			if s.n != signInChecks[v.exact] {
				t.Errorf("%d checks, want %d", s.n, signInChecks[v.exact])
			}
			summary.Lock()
			defer summary.Unlock()
			summary.signIn = append(summary.signIn, fmt.Sprintf("sign-in beside better-auth %s: %d checks, %d failed, %.1f s",
				v.exact, s.n, len(s.wrong), time.Since(begin).Seconds()))
		})
	}
}

// sides are a server with plugins and the flows of Go on one database.
type sides struct {
	*world
	flows *signin.Flows
	mails []signin.Mail
	users int
}

func newSides(t *testing.T, exact string) *sides {
	t.Helper()
	s := &sides{world: newPluggedWorld(t, exact)}
	s.flows = &signin.Flows{
		Store: s.Store, Cookies: s.cookies, Version: s.version, SendOnSignIn: true, ConfirmEmailChange: true,
		Send: func(_ context.Context, m signin.Mail) error {
			s.mails = append(s.mails, m)
			return nil
		},
	}
	return s
}

// side is one of the two.
type side bool

const (
	there side = false
	here  side = true
)

func (d side) String() string { return map[side]string{there: "server", here: "go"}[d] }

// mail is what was sent to an address on that side, the one mail since it was asked last; the zero value if none was.
func (s *sides) mail(d side) (m signin.Mail) {
	var sent []signin.Mail
	if d == here {
		sent, s.mails = s.mails, nil
	} else {
		for _, row := range s.done("mails", s.browser().get("/test/mails")).list() {
			text := func(key string) string { v, _ := at(row, key).(string); return v }
			sent = append(sent, signin.Mail{Kind: signin.MailKind(text("kind")), To: text("to"), Token: authdb.Secret(text("token"))})
		}
	}
	if !s.ok(len(sent) <= 1, "%v sent %d mails", d, len(sent)) || len(sent) == 0 {
		return m
	}
	return sent[0]
}

// user makes a user, and what sql changes of it, whose id is $1.
func (s *sides) user(verified bool, sql string) authdb.User {
	s.users++
	made := one[authdb.UserWithAccount](s.check)(s.Users.CreateWithAccount(s.ctx, authdb.CreateUserWithAccountParams{
		User:    authdb.CreateUserParams{Name: "Ada", Email: fmt.Sprintf("ada%d@example.com", s.users), EmailVerified: verified},
		Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: new(s.hash())},
	}))
	if sql != "" {
		s.exec(sql, made.ID)
	}
	return made.User
}

var hashed = map[string]authdb.Secret{}

// hash is that of the password, made once.
func (s *sides) hash() authdb.Secret {
	summary.Lock()
	defer summary.Unlock()
	if hashed[password] == "" {
		h, err := betterauth.HashPassword(s.ctx, password)
		if err != nil {
			s.t.Error(err)
		}
		hashed[password] = h
	}
	return hashed[password]
}

var (
	randoms = regexp.MustCompile(`^(2fa-attempts-2fa-|2fa-|trust-device-|reset-password:|magic-link:)[\w-]+$`)
	bare    = regexp.MustCompile(`^[a-zA-Z]{32}$|^[a-zA-Z0-9]{32}$`)
)

// rows are all that belongs to a user, or to an address that is nobody's, without what differs each time.
func (s *sides) rows(email string) string {
	var text string
	s.must(s.is("rows", s.Pool().QueryRow(s.ctx, `SELECT jsonb_build_object(
		'user', (SELECT to_jsonb(u.*) - '{id,email,created_at,updated_at,ban_expires,role}'::text[]
			|| jsonb_build_object('ban_expires', u.ban_expires IS NOT NULL) FROM "user" u WHERE email = $1),
		'accounts', (SELECT jsonb_agg(jsonb_build_object('provider', a.provider_id, 'own', a.account_id = a.user_id,
			'password', a.password IS NOT NULL, 'is_first', a.password = $2, 'others', coalesce(a.access_token, a.refresh_token,
			a.id_token, a.scope, ''))) FROM account a JOIN "user" u ON u.id = a.user_id WHERE u.email = $1),
		'sessions', (SELECT jsonb_agg(to_jsonb(s.*) - '{id,token,user_id,expires_at,created_at,updated_at}'::text[]
			|| jsonb_build_object('lifetime', round(extract(epoch FROM s.expires_at - s.created_at)), 'token', length(s.token),
			'id', length(s.id), 'updated', round(extract(epoch FROM s.updated_at - s.created_at)))) FROM session s JOIN "user" u ON u.id = s.user_id WHERE u.email = $1),
		'verifications', (SELECT jsonb_agg(jsonb_build_object('identifier', v.identifier, 'value', v.value, 'lifetime',
			round(extract(epoch FROM v.expires_at - v.created_at)))) FROM verification v
			LEFT JOIN "user" u ON u.email = $1
			WHERE v.value = u.id OR strpos(v.identifier, $1) > 0 OR strpos(v.value, $1) > 0 OR
			v.identifier IN (SELECT '2fa-attempts-' || w.identifier FROM verification w WHERE w.value = u.id))
		)::text`, email, string(s.hash())).Scan(&text), nil))
	var value map[string]any
	s.must(s.is("rows", json.Unmarshal([]byte(text), &value), nil))
	verifications, _ := value["verifications"].([]any)
	for i, row := range verifications {
		v := row.(map[string]any)
		id, _ := v["identifier"].(string)
		id = randoms.ReplaceAllStringFunc(id, func(s string) string { return randoms.FindStringSubmatch(s)[1] + fmt.Sprint(len(s)) })
		if bare.MatchString(id) {
			id = "token"
		}
		text, _ := v["value"].(string)
		switch {
		case bare.MatchString(text):
			text = "user"
		case regexp.MustCompile(`^\d{6}:0$`).MatchString(text):
			text = "code:0"
		}
		v["identifier"], v["value"] = strings.ReplaceAll(id, email, "<email>"), strings.ReplaceAll(text, email, "<email>")
		verifications[i] = v
	}
	for _, list := range value {
		if list, ok := list.([]any); ok {
			slices.SortFunc(list, func(a, b any) int {
				x, _ := json.Marshal(a)
				y, _ := json.Marshal(b)
				return bytes.Compare(x, y)
			})
		}
	}
	encoded, _ := json.MarshalIndent(value, "", " ")
	return string(encoded)
}

// same checks that the two sides answered the same and left the same rows of two users who were the same.
func (s *sides) same(what string, status int, err error, ofServer, ofGo string) {
	s.ok(status == statusOf(err), "%s: the server says %d, Go %v", what, status, err)
	diff := cmp.Diff(s.rows(ofServer), s.rows(ofGo))
	s.ok(diff == "", "%s: rows (-server +go):\n%s", what, diff)
}

// statusOf is the status with which the server says what an error says.
func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	e, isInput := errors.AsType[*authdb.Error](err)
	for kind, status := range map[error]int{
		signin.ErrInvalidCredentials: 401, authdb.ErrEmailNotVerified: 403, authdb.ErrBanned: 403, authdb.ErrEmailTaken: 422,
		signin.ErrSecondFactor: 200, betterauth.ErrInvalidPassword: 400, signin.ErrInvalidToken: 400, signin.ErrInvalidCode: 400,
		authdb.ErrTooManyAttempts: 403,
	} {
		if errors.Is(err, kind) {
			return status
		}
	}
	if isInput && errors.Is(e, authdb.ErrInvalidInput) {
		return 400
	}
	return 500
}

const area = "/api/plugged"

// headers are sent along with a request.
func (b *browser) with(headers map[string]string) *browser {
	b.http.Transport = headerTransport(headers)
	return b
}

type headerTransport map[string]string

func (h headerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for key, value := range h {
		r.Header.Set(key, value)
	}
	return transport.RoundTrip(r)
}

// client is who sends requests on both sides.
var client = signin.Client{UserAgent: "example/1.0"}

func (s *sides) agent() *browser {
	return s.browser().with(map[string]string{"User-Agent": client.UserAgent})
}

// signInBoth signs two users in who are the same.
func (s *sides) signInBoth(what, path string, verified bool, sql string, edit func(p *signin.PasswordParams)) {
	a, b := s.user(verified, sql), s.user(verified, sql)
	p := signin.PasswordParams{Email: a.Email, Password: password, Client: client}
	if edit != nil {
		edit(&p)
	}
	answer := s.agent().post(path+"/sign-in/email", object{"email": p.Email, "password": string(p.Password), "rememberMe": !p.DontRememberMe})
	p = signin.PasswordParams{Email: b.Email, Password: password, Client: client}
	if edit != nil {
		edit(&p)
	}
	_, err := s.flows.Password(s.ctx, p)
	s.same(what, answer.status, err, a.Email, b.Email)
	s.equal(what+": second factor", errors.Is(err, signin.ErrSecondFactor), answer.at("twoFactorRedirect") == true)
	s.equal(what+": mail", s.mail(there).Kind, s.mail(here).Kind)
}

func (s *sides) signInCases() {
	for what, edit := range map[string]func(p *signin.PasswordParams){
		"right":               nil,
		"upper case":          func(p *signin.PasswordParams) { p.Email = strings.ToUpper(p.Email) },
		"blanks":              func(p *signin.PasswordParams) { p.Email = " " + p.Email },
		"no address":          func(p *signin.PasswordParams) { p.Email = "ada" },
		"no domain":           func(p *signin.PasswordParams) { p.Email = "ada@example" },
		"two dots":            func(p *signin.PasswordParams) { p.Email = "a..da@example.com" },
		"a dot before the @":  func(p *signin.PasswordParams) { p.Email = "ada.@example.com" },
		"letters of others":   func(p *signin.PasswordParams) { p.Email = "ädа@example.com" },
		"a quote":             func(p *signin.PasswordParams) { p.Email = "o'neil@example.com" },
		"a tag":               func(p *signin.PasswordParams) { p.Email = "ada+tag@example.com" },
		"unknown":             func(p *signin.PasswordParams) { p.Email = "nobody@example.com" },
		"a long address":      func(p *signin.PasswordParams) { p.Email = strings.Repeat("a", 300) + "@example.com" },
		"wrong":               func(p *signin.PasswordParams) { p.Password = "another password" },
		"empty":               func(p *signin.PasswordParams) { p.Password = "" },
		"other compatibility": func(p *signin.PasswordParams) { p.Password = "correct horse battery fish" },
		"128":                 func(p *signin.PasswordParams) { p.Password = authdb.Secret(strings.Repeat("a", 128)) },
		"129":                 func(p *signin.PasswordParams) { p.Password = authdb.Secret(strings.Repeat("a", 129)) },
		"not remembered":      func(p *signin.PasswordParams) { p.DontRememberMe = true },
	} {
		s.signInBoth(what, area, true, "", edit)
	}
	for what, sql := range map[string]string{
		"no account":          `DELETE FROM account WHERE user_id = $1`,
		"no password":         `UPDATE account SET password = NULL WHERE user_id = $1`,
		"another account id":  `UPDATE account SET account_id = 'x' || account_id WHERE user_id = $1`,
		"of another provider": `UPDATE account SET provider_id = 'github' WHERE user_id = $1`,
		"second factor":       `UPDATE "user" SET two_factor_enabled = true WHERE id = $1`,
		"no word of a factor": `UPDATE "user" SET two_factor_enabled = NULL WHERE id = $1`,
		"factor, no password": `WITH a AS (DELETE FROM account WHERE user_id = $1) UPDATE "user" SET two_factor_enabled = true WHERE id = $1`,
		"another spelling":    `UPDATE account SET provider_id = 'Credential' WHERE user_id = $1`,
	} {
		s.signInBoth(what, area, true, sql, nil)
	}
	// A deliberate difference.
	other := s.user(true, `UPDATE account SET password = '$2b$10$abcdefghijklmnopqrstuv' WHERE user_id = $1`)
	_, err := s.flows.Password(s.ctx, signin.PasswordParams{Email: other.Email, Password: password})
	s.is("a hash of another kind", err, signin.ErrInvalidCredentials)
	s.refused("a hash of another kind", s.browser().post(area+"/sign-in/email", object{"email": other.Email, "password": password}), 500)
	s.signInBoth("not remembered, with a factor", area, true, `UPDATE "user" SET two_factor_enabled = true WHERE id = $1`,
		func(p *signin.PasswordParams) { p.DontRememberMe = true })
	s.flows.RequireEmailVerification = true
	for what, sql := range map[string]string{
		"unverified": "", "unverified, banned": `UPDATE "user" SET banned = true WHERE id = $1`,
		"unverified, with a factor": `UPDATE "user" SET two_factor_enabled = true WHERE id = $1`,
	} {
		s.signInBoth(what, "/api/strict", false, sql, nil)
	}
	s.signInBoth("unverified, wrong", "/api/strict", false, "", func(p *signin.PasswordParams) { p.Password = "another password" })
	s.signInBoth("verified", "/api/strict", true, "", nil)
	s.flows.RequireEmailVerification = false
}

// bans: each state of the columns of a ban, alone and with a second factor.
func (s *sides) bans() {
	expiries := []string{"NULL", "'2020-01-01'", "'2050-01-01'", "timezone('UTC', now()) - interval '1 second'", "timezone('UTC', now()) + interval '1 minute'"}
	for _, banned := range []string{"NULL", "false", "true"} {
		for _, expires := range expiries {
			for _, factor := range []string{"false", "true"} {
				set := fmt.Sprintf("banned = %s, ban_expires = %s, ban_reason = 'spam', two_factor_enabled = %s", banned, expires, factor)
				s.signInBoth(set, area, true, `UPDATE "user" SET `+set+` WHERE id = $1`, nil)
			}
		}
	}
	s.signInBoth("banned, wrong password", area, true, `UPDATE "user" SET banned = true WHERE id = $1`,
		func(p *signin.PasswordParams) { p.Password = "another password" })
}

// clients: what is written of who signs in.
func (s *sides) clients() {
	ada := s.user(true, "")
	for _, c := range []struct{ forwarded, agent string }{
		{"192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64)"},
		{"203.0.113.7, 10.0.0.1", ""},
		{" 192.0.2.1 ", strings.Repeat("a", 1500)},
		{"192.0.2.1,", "x"},
		{",192.0.2.1", "x"},
		{"192.0.2.1:8080", "x"},
		{"garbage", "x"},
		{"192.0.2.01", "x"},
		{"1.2.3", "x"},
		{"2001:DB8:1:2:3:4:5:6", "x"},
		{"::1", "x"},
		{"::", "x"},
		{"::ffff:192.0.2.1", "x"},
		{"::ffff:c000:201", "x"},
		{"2001:db8::192.0.2.1", "x"},
		{"fe80::1%eth0", "x"},
		{"[::1]", "x"},
		{"0:0:0:0:0:ffff:192.0.2.1", "x"},
		{"1:2:3:4:5:6:7:8:9", "x"},
	} {
		headers := map[string]string{"X-Forwarded-For": c.forwarded, "User-Agent": c.agent}
		a := s.browser().with(headers).post(area+"/sign-in/email", object{"email": ada.Email, "password": password})
		s.done("sign in", a)
		theirs := one[authdb.Session](s.check)(s.Sessions.GetByToken(s.ctx, authdb.Secret(a.text("token"))))
		ours := one[signin.SignedIn](s.check)(s.flows.Password(s.ctx, signin.PasswordParams{
			Email: ada.Email, Password: password,
			Client: signin.Client{IPAddress: s.flows.ClientIP(c.forwarded), UserAgent: c.agent},
		})).Session
		s.equal("address of "+c.forwarded, *ours.IPAddress, *theirs.IPAddress)
		s.equal("agent with "+c.forwarded, *ours.UserAgent, *theirs.UserAgent)
	}
}

func (s *sides) signUps() {
	for path, set := range map[string]*bool{
		area: new(bool), "/api/strict": &s.flows.RequireEmailVerification, "/api/quiet": &s.flows.DisableAutoSignIn,
	} {
		*set = true
		name := strings.TrimPrefix(path, "/api/")
		a, b := name+"a@example.com", name+"b@example.com"
		for _, what := range []string{"sign up", "sign up again", "short", "long", "no address"} {
			p := signin.SignUpParams{Name: "Ada", Password: password, Client: client}
			form := func(email string) string { return email }
			switch what {
			case "sign up again":
				form = strings.ToUpper
			case "short":
				p.Password = "1234567"
			case "long":
				p.Password = authdb.Secret(strings.Repeat("a", 129))
			case "no address":
				form = func(email string) string { return "@" + email }
			}
			theirs := s.agent().post(path+"/sign-up/email", object{"name": p.Name, "email": form(a), "password": string(p.Password)})
			p.Email = form(b)
			ours, err := s.flows.SignUp(s.ctx, p)
			s.same(path+": "+what, theirs.status, err, a, b)
			s.equal(path+": "+what+": session", ours.Session != nil, theirs.at("token") != nil)
			s.equal(path+": "+what+": mail", s.mail(here).Kind, s.mail(there).Kind)
			if err == nil {
				s.equal(path+": "+what+": address", ours.User.Email, b)
				s.equal(path+": "+what+": address there", theirs.text("user", "email"), a)
				s.equal(path+": "+what+": name", ours.User.Name, theirs.text("user", "name"))
			}
		}
		*set = false
		s.done("the server signs in whom Go signed up", s.browser().post(area+"/sign-in/email", object{"email": b, "password": password}))
		one[signin.SignedIn](s.check)(s.flows.Password(s.ctx, signin.PasswordParams{Email: a, Password: password}))
	}
}

// reset asks one side for a reset, and the other to do it.
func (s *sides) resets() {
	for _, path := range []string{area, "/api/strict"} {
		s.flows.RevokeSessionsOnReset = path == "/api/strict"
		for _, sql := range []string{"", `DELETE FROM account WHERE user_id = $1`, `UPDATE "user" SET banned = true WHERE id = $1`} {
			for _, asks := range []side{there, here} {
				var emails []string
				var statuses []int
				for _, does := range []side{there, here} {
					u := s.user(true, "")
					one[authdb.Session](s.check)(s.Sessions.Create(s.ctx, authdb.CreateSessionParams{UserID: u.ID}))
					if sql != "" {
						s.exec(sql, u.ID)
					}
					if asks == there {
						s.done("request", s.browser().post(path+"/request-password-reset", object{"email": strings.ToUpper(u.Email), "redirectTo": "/"}))
					} else {
						s.is("request", s.flows.RequestPasswordReset(s.ctx, strings.ToUpper(u.Email)), nil)
					}
					emails = append(emails, u.Email)
					s.equal("rows of a request", strings.Contains(s.rows(u.Email), `"reset-password:39"`), true)
					m := s.mail(asks)
					s.equal("to", m.To, u.Email)
					for _, next := range []string{"1234567", "a new password", "a newer password"} {
						if does == there {
							statuses = append(statuses, s.browser().post(path+"/reset-password", object{"token": string(m.Token), "newPassword": next}).status)
						} else {
							_, err := s.flows.ResetPassword(s.ctx, signin.ResetPasswordParams{Token: m.Token, NewPassword: authdb.Secret(next)})
							statuses = append(statuses, statusOf(err))
						}
					}
				}
				s.equal(fmt.Sprintf("resets of %v, %s, %s", asks, path, sql), statuses, []int{400, 200, 400, 400, 200, 400})
				s.equal("rows", s.rows(emails[1]), s.rows(emails[0]))
			}
		}
		before := s.number(`SELECT count(*) FROM verification`)
		s.done("request for nobody", s.browser().post(path+"/request-password-reset", object{"email": "nobody@example.com", "redirectTo": "/"}))
		s.is("request for nobody", s.flows.RequestPasswordReset(s.ctx, "nobody@example.com"), nil)
		s.equal("rows", s.number(`SELECT count(*) FROM verification`), before)
		s.equal("mails", []signin.MailKind{s.mail(there).Kind, s.mail(here).Kind}, []signin.MailKind{"", ""})
	}
	s.flows.RevokeSessionsOnReset = false
}

// proofs: links and codes of one side, followed on the other, by users in each state.
func (s *sides) proofs() {
	states := map[string]string{
		"": "", "banned": `UPDATE "user" SET banned = true WHERE id = $1`,
		"ban over":           `UPDATE "user" SET banned = true, ban_expires = '2020-01-01' WHERE id = $1`,
		"with a factor":      `UPDATE "user" SET two_factor_enabled = true WHERE id = $1`,
		"without a password": `DELETE FROM account WHERE user_id = $1`,
	}
	for _, kind := range []signin.MailKind{signin.MailLink, signin.MailCode} {
		for state, sql := range states {
			for _, verified := range []bool{true, false} {
				for _, asks := range []side{there, here} {
					var emails []string
					var statuses []int
					for _, does := range []side{there, here} {
						u := s.user(verified, "")
						one[authdb.Session](s.check)(s.Sessions.Create(s.ctx, authdb.CreateSessionParams{UserID: u.ID}))
						one[authdb.Account](s.check)(s.Accounts.Link(s.ctx, authdb.CreateAccountParams{UserID: u.ID, ProviderID: "github", AccountID: u.ID}))
						if sql != "" {
							s.exec(sql, u.ID)
						}
						emails = append(emails, u.Email)
						statuses = append(statuses, s.prove(kind, asks, does, u.Email)...)
					}
					what := fmt.Sprintf("%s of %v, verified %v, %s", kind, asks, verified, state)
					s.equal(what+": statuses", statuses[2:], statuses[:2])
					diff := cmp.Diff(s.rows(emails[0]), s.rows(emails[1]))
					s.ok(diff == "", "%s: rows (-server +go):\n%s", what, diff)
				}
			}
		}
		for _, asks := range []side{there, here} {
			var emails []string
			for i, does := range []side{there, here} {
				email := fmt.Sprintf("new-%s-%v-%d@example.com", kind, asks, i)
				emails = append(emails, email)
				s.prove(kind, asks, does, email)
			}
			diff := cmp.Diff(s.rows(emails[0]), s.rows(emails[1]))
			s.ok(diff == "", "%s of %v, nobody yet: rows (-server +go):\n%s", kind, asks, diff)
		}
	}
	// Guesses at a code of the server.
	for _, does := range []side{there, here} {
		u := s.user(true, "")
		s.done("send", s.browser().post(area+"/email-otp/send-verification-otp", object{"email": u.Email, "type": "sign-in"}))
		code := s.mail(there).Token
		wrong := authdb.Secret("000000")
		if wrong == code {
			wrong = "000001"
		}
		statuses := []int{}
		for _, guess := range []authdb.Secret{wrong, wrong, wrong, code} {
			statuses = append(statuses, s.follow(signin.MailCode, does, u.Email, guess))
		}
		s.equal(fmt.Sprint("guesses on ", does), statuses, []int{400, 400, 400, 403})
	}
}

// prove asks one side for a proof of an address and shows it twice to the other.
func (s *sides) prove(kind signin.MailKind, asks, does side, email string) (statuses []int) {
	switch {
	case asks == there && kind == signin.MailLink:
		s.done("send", s.browser().post(area+"/sign-in/magic-link", object{"email": email}))
	case asks == there:
		s.done("send", s.browser().post(area+"/email-otp/send-verification-otp", object{"email": email, "type": "sign-in"}))
	case kind == signin.MailLink:
		s.is("send", s.flows.SendLink(s.ctx, signin.SendLinkParams{Email: email}), nil)
	default:
		s.is("send", s.flows.SendCode(s.ctx, email), nil)
	}
	m := s.mail(asks)
	s.must(s.equal("to", m.To, email))
	for range 2 {
		statuses = append(statuses, s.follow(kind, does, email, m.Token))
	}
	return statuses
}

// follow shows a proof to one side and returns the status, 400 for what the server says by a redirect.
func (s *sides) follow(kind signin.MailKind, does side, email string, token authdb.Secret) int {
	b := s.agent()
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	switch {
	case does == there && kind == signin.MailLink:
		a := b.get(area + "/magic-link/verify?token=" + url.QueryEscape(string(token)))
		if a.status == http.StatusFound {
			return 400
		}
		return a.status
	case does == there:
		return b.post(area+"/sign-in/email-otp", object{"email": email, "otp": string(token)}).status
	case kind == signin.MailLink:
		_, err := s.flows.SignInByLink(s.ctx, signin.LinkParams{Token: token, Client: client})
		return statusOf(err)
	}
	_, err := s.flows.SignInByCode(s.ctx, signin.CodeParams{Email: email, Code: token, Client: client})
	return statusOf(err)
}

// codes for other purposes than to sign in: of one side, used on the other, and encrypted where who proves an address is
// signed in.
func (s *sides) codes() {
	encrypted := func(text authdb.Secret) (authdb.Secret, error) {
		letters := []byte(text)
		slices.Reverse(letters)
		return authdb.Secret(letters), nil
	}
	for _, path := range []string{area, "/api/quiet"} {
		if path == "/api/quiet" {
			s.flows.SignInAfterVerification, s.flows.EncryptCode, s.flows.DecryptCode = true, encrypted, encrypted
		}
		for _, of := range []betterauth.OTPType{betterauth.OTPEmailVerification, betterauth.OTPForgetPassword, betterauth.OTPChangeEmail} {
			if of == betterauth.OTPChangeEmail && s.version[1] < 5 {
				continue
			}
			for _, verified := range []bool{true, false} {
				for _, asks := range []side{there, here} {
					var emails []string
					var statuses []int
					for _, does := range []side{there, here} {
						u := s.user(verified, "")
						to, b := u.Email, s.agent()
						if of == betterauth.OTPChangeEmail {
							s.done("sign in", b.post(path+"/sign-in/email", object{"email": u.Email, "password": password}))
							to = "next-" + u.Email
						}
						s.askCode(path, of, asks, b, u, to)
						m := s.mail(asks)
						s.must(s.equal("to", m.To, to))
						for _, code := range []authdb.Secret{m.Token[1:] + "x", m.Token, m.Token} {
							statuses = append(statuses, s.useCode(path, of, does, b, u, to, code))
						}
						emails = append(emails, to)
					}
					what := fmt.Sprintf("code of %v for %s, %s, verified %v", asks, of, path, verified)
					s.equal(what, statuses, []int{400, 200, 400, 400, 200, 400})
					diff := cmp.Diff(s.rows(emails[0]), s.rows(emails[1]))
					s.ok(diff == "", "%s: rows (-server +go):\n%s", what, diff)
				}
			}
		}
		// Who proves an address by a token.
		for _, asks := range []side{there, here} {
			if asks == there && !s.is17() { // without the user's id
				continue
			}
			var emails []string
			for _, does := range []side{there, here} {
				u := s.user(false, "")
				if asks == there {
					s.done("send", s.browser().post(path+"/send-verification-email", object{"email": u.Email}))
				} else {
					s.is("send", s.flows.SendVerification(s.ctx, u.Email), nil)
				}
				token := s.mail(asks).Token
				for range min(2, s.version[1]-2) { // 1.3 signs in each time
					s.equal("verify", s.verifyAt(path, does, token), true)
				}
				emails = append(emails, u.Email)
			}
			diff := cmp.Diff(s.rows(emails[0]), s.rows(emails[1]))
			s.ok(diff == "", "token of %v, %s: rows (-server +go):\n%s", asks, path, diff)
		}
	}
	s.flows.SignInAfterVerification, s.flows.EncryptCode, s.flows.DecryptCode = false, nil, nil
}

// askCode asks one side for a code, to change to an address for the browser of a user.
func (s *sides) askCode(path string, of betterauth.OTPType, asks side, b *browser, u authdb.User, to string) {
	switch {
	case asks == there && of == betterauth.OTPChangeEmail:
		s.done("send", b.post(path+"/email-otp/request-email-change", object{"newEmail": to}))
	case asks == there:
		s.done("send", s.browser().post(path+"/email-otp/send-verification-otp", object{"email": u.Email, "type": string(of)}))
	case of == betterauth.OTPChangeEmail:
		s.is("send", s.flows.SendEmailChangeCode(s.ctx, signin.SendEmailChangeCodeParams{UserID: u.ID, NewEmail: to}), nil)
	case of == betterauth.OTPForgetPassword:
		s.is("send", s.flows.SendResetCode(s.ctx, u.Email), nil)
	default:
		s.is("send", s.flows.SendVerificationCode(s.ctx, u.Email), nil)
	}
}

// useCode shows a code to one side and returns the status.
func (s *sides) useCode(path string, of betterauth.OTPType, does side, b *browser, u authdb.User, to string, code authdb.Secret) int {
	var err error
	switch {
	case does == there && of == betterauth.OTPChangeEmail:
		return b.post(path+"/email-otp/change-email", object{"newEmail": to, "otp": string(code)}).status
	case does == there && of == betterauth.OTPForgetPassword:
		return b.post(path+"/email-otp/reset-password", object{"email": u.Email, "otp": string(code), "password": "a new password"}).status
	case does == there:
		return b.post(path+"/email-otp/verify-email", object{"email": u.Email, "otp": string(code)}).status
	case of == betterauth.OTPChangeEmail:
		_, err = s.flows.ChangeEmailByCode(s.ctx, signin.ChangeEmailByCodeParams{UserID: u.ID, NewEmail: to, Code: code})
	case of == betterauth.OTPForgetPassword:
		_, err = s.flows.ResetPasswordByCode(s.ctx, signin.ResetPasswordByCodeParams{Email: u.Email, Code: code, NewPassword: "a new password"})
	default:
		_, err = s.flows.VerifyEmailByCode(s.ctx, signin.CodeParams{Email: u.Email, Code: code, Client: client})
	}
	return statusOf(err)
}

// mailTokens: a token of Go is good on the server, and one of the server here if it names the user, as from 1.7 on.
func (s *sides) mailTokens() {
	for _, asks := range []side{there, here} {
		var emails []string
		for _, does := range []side{there, here} {
			u := s.user(false, "")
			one[authdb.Session](s.check)(s.Sessions.Create(s.ctx, authdb.CreateSessionParams{UserID: u.ID}))
			emails = append(emails, u.Email)
			if asks == there {
				s.done("send", s.browser().post(area+"/send-verification-email", object{"email": u.Email}))
			} else {
				s.is("send", s.flows.SendVerification(s.ctx, strings.ToUpper(u.Email)), nil)
			}
			token := s.mail(asks).Token
			for range 2 {
				s.equal(fmt.Sprintf("token of %v on %v", asks, does), s.verify(does, token), asks == here || does == there || s.is17())
			}
			forged := token[:len(token)-2] + "AA"
			s.equal(fmt.Sprint("forged, on ", does), s.verify(does, forged), false)
		}
		if asks == here || s.is17() {
			s.equal("rows", s.rows(emails[1]), s.rows(emails[0]))
		}
	}
}

// verify shows a mail token to one side.
func (s *sides) verify(does side, token authdb.Secret) bool { return s.verifyAt(area, does, token) }

func (s *sides) verifyAt(path string, does side, token authdb.Secret) bool {
	if does == here {
		_, err := s.flows.VerifyEmail(s.ctx, signin.VerifyEmailParams{Token: token, Client: client})
		return err == nil
	}
	a := s.agent().get(path + "/verify-email?token=" + url.QueryEscape(string(token)))
	return a.status == http.StatusOK
}

// changes of an address and of a password.
func (s *sides) changes() {
	for _, revoke := range []bool{false, true} {
		for _, current := range []string{password, "wrong password"} {
			a, b := s.user(true, ""), s.user(true, "")
			browser := s.agent()
			s.done("sign in", browser.post(area+"/sign-in/email", object{"email": a.Email, "password": password}))
			one[signin.SignedIn](s.check)(s.flows.Password(s.ctx, signin.PasswordParams{Email: b.Email, Password: password, Client: client}))
			theirs := browser.post(area+"/change-password", object{"currentPassword": current, "newPassword": "a new password", "revokeOtherSessions": revoke})
			_, err := s.flows.ChangePassword(s.ctx, signin.ChangePasswordParams{
				UserID: b.ID, Current: authdb.Secret(current), New: "a new password", RevokeOthers: revoke, Client: client,
			})
			s.equal("refused", err != nil, theirs.status != http.StatusOK)
			diff := cmp.Diff(s.rows(a.Email), s.rows(b.Email))
			s.ok(diff == "", "change of a password, %v: rows (-server +go):\n%s", revoke, diff)
		}
	}
	// Go's token of the first mail on the server, and its second one here: from 1.4 on, where there are two.
	for _, first := range []side{there, here} {
		if s.version[1] < 4 {
			continue
		}
		u := s.user(true, "")
		next := fmt.Sprintf("next%d@example.com", s.users)
		s.is("request", s.flows.RequestEmailChange(s.ctx, signin.RequestEmailChangeParams{UserID: u.ID, NewEmail: strings.ToUpper(next)}), nil)
		m := s.mail(here)
		s.equal("first mail", []string{string(m.Kind), m.To}, []string{"change", u.Email})
		s.equal("first token", s.verify(first, m.Token), true)
		m = s.mail(first)
		s.equal("second mail", []string{string(m.Kind), m.To}, []string{"verification", next})
		s.equal("second token", s.verify(!first, m.Token), first == here || s.is17())
		changed := one[authdb.User](s.check)(s.Users.Get(s.ctx, u.ID))
		if first == here || s.is17() {
			s.equal("address", []any{changed.Email, changed.EmailVerified}, []any{next, true})
			s.equal("second token again", s.verify(!first, m.Token), false)
		}
	}
}

// secondFactors: the two sides hand one another over.
func (s *sides) secondFactors() {
	u := s.user(true, "")
	b := s.agent()
	s.done("sign in", b.post(area+"/sign-in/email", object{"email": u.Email, "password": password}))
	enabled := s.done("enable", b.post(area+"/two-factor/enable", object{"password": password}))
	uri, err := url.Parse(enabled.text("totpURI"))
	s.must(s.is("uri", err, nil))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(uri.Query().Get("secret"), "="))
	s.must(s.is("secret", err, nil))
	s.done("first code", b.post(area+"/two-factor/verify-totp", object{"code": totp(key)}))
	s.equal("flag", s.number(`SELECT count(*) FROM "user" WHERE id = $1 AND two_factor_enabled`, u.ID), 1)

	p := signin.PasswordParams{Email: u.Email, Password: password, Client: client}
	at, err := url.Parse(s.base)
	s.must(s.is("base", err, nil))
	for _, brief := range []bool{false, true} {
		p.DontRememberMe = brief
		_, err := s.flows.Password(s.ctx, p)
		second, ok := errors.AsType[*signin.SecondFactorError](err)
		s.must(s.ok(ok, "sign in: %v", err))
		cookies := []*http.Cookie{s.cookies.SecondFactorCookie(second.Challenge, second.Lifetime)}
		if brief {
			cookies = append(cookies, s.cookies.DontRememberCookie())
		}
		b := s.agent()
		b.http.Jar.SetCookies(at, cookies)
		s.refused("wrong code", b.post(area+"/two-factor/verify-totp", object{"code": "abcdef"}), 401)
		a := s.done("right code", b.post(area+"/two-factor/verify-totp", object{"code": totp(key), "trustDevice": !brief}))
		session := one[authdb.Session](s.check)(s.Sessions.GetByToken(s.ctx, authdb.Secret(a.text("token"))))
		s.equal("user", session.UserID, u.ID)
		want := authdb.SessionLifetime
		if brief {
			want = 24 * time.Hour
		}
		s.ok(within(session.ExpiresAt, want), "expires at %v", session.ExpiresAt)
		_, _, err = s.authenticate(b.cookie())
		s.is("authenticate", err, nil)
		if brief {
			continue
		}
		// The device that the server trusts is trusted here, and the one of Go there.
		device := ""
		for _, c := range b.http.Jar.Cookies(at) {
			if strings.HasSuffix(c.Name, ".trust_device") {
				device = c.Value
			}
		}
		s.must(s.ok(device != "", "no device"))
		r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.base, nil)
		s.must(s.is("request", err, nil))
		r.AddCookie(&http.Cookie{Name: "better-auth.trust_device", Value: device})
		p.Device = s.cookies.TrustedDevice(r)
		in := one[signin.SignedIn](s.check)(s.flows.Password(s.ctx, p))
		s.ok(in.Device != "" && in.Device != p.Device, "device")
		_, err = s.flows.Password(s.ctx, p)
		s.equal("the device before", errors.Is(err, signin.ErrSecondFactor), s.version[1] >= 4)
		again := s.agent()
		again.http.Jar.SetCookies(at, []*http.Cookie{s.cookies.TrustedDeviceCookie(in.Device, signin.DeviceLifetime)})
		a = s.done("sign in with Go's device", again.post(area+"/sign-in/email", object{"email": u.Email, "password": password}))
		s.equal("redirect", a.at("twoFactorRedirect"), nil)
		s.ok(slices.ContainsFunc(again.http.Jar.Cookies(at), func(c *http.Cookie) bool { return c.Name == s.cookies.Name() }), "no session")
		p.Device = ""
	}
	// Five wrong codes end a challenge from 1.6 on, as they do the server's own.
	_, err = s.flows.Password(s.ctx, p)
	second, ok := errors.AsType[*signin.SecondFactorError](err)
	s.must(s.ok(ok, "sign in: %v", err))
	guesses := s.agent()
	guesses.http.Jar.SetCookies(at, []*http.Cookie{s.cookies.SecondFactorCookie(second.Challenge, second.Lifetime)})
	for range 5 {
		s.refused("wrong code", guesses.post(area+"/two-factor/verify-totp", object{"code": "abcdef"}), 401)
	}
	last := guesses.post(area+"/two-factor/verify-totp", object{"code": totp(key)})
	s.equal("right code after five", last.status, map[bool]int{true: 400, false: 200}[s.version[1] >= 6])
}

// totp is the code of this half minute (RFC 6238).
func totp(key []byte) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(time.Now().Unix()/30))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff)%1_000_000)
}
