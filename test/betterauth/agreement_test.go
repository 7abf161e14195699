//go:build betterauth

package betterauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// cookiesAgree: who is signed in on the server is signed in here, and nobody else, whatever the cookie.
func (w *world) cookiesAgree() {
	user := one[authdb.User](w.check)(w.Users.Create(w.ctx, authdb.CreateUserParams{Name: "Cookie", Email: "cookie@example.com"}))
	token := func() string {
		return string(one[authdb.Session](w.check)(w.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: user.ID})).Token)
	}
	name := w.cookies.Name()
	live := token()
	good := w.cookies.Sign(authdb.Secret(live))
	plain, err := url.PathUnescape(good)
	w.must(w.is("unescape", err, nil))

	// both asks the two sides, and returns who is signed in on each.
	client := http.Client{Timeout: time.Minute}
	both := func(header string) (server, here string) {
		r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.base+"/api/auth/get-session", nil)
		w.must(err == nil || w.is("request", err, nil))
		r.Header.Set("Cookie", header)
		response, err := client.Do(r)
		w.must(err == nil || w.is("get-session", err, nil))
		defer response.Body.Close()
		var body any
		if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&body) != nil {
			w.must(w.ok(false, "get-session of %q: %d", header, response.StatusCode))
		}
		if body != nil {
			server = fmt.Sprint(at(body, "session", "id"), " of ", at(body, "user", "id"))
		}
		in := httptest.NewRequest(http.MethodGet, "/", nil)
		in.Header.Set("Cookie", header)
		if found, err := w.auth.Authenticate(httptest.NewRecorder(), in); err == nil {
			here = fmt.Sprint(found.Session.ID, " of ", found.User.ID)
		} else {
			w.must(errors.Is(err, betterauth.ErrUnauthenticated) || !w.ok(false, "refusal: %v", err))
		}
		return server, here
	}
	agree := func(what, header string, signedIn bool) {
		server, here := both(header)
		w.ok(server == here && (here != "") == signedIn, "%s, %q: the server says %q, Go %q, want signed in: %v", what, header, server, here, signedIn)
	}

	agree("live", name+"="+good, true)
	agree("live, not encoded", name+"="+plain, true)
	agree("live, lower-case escapes", name+"="+live+lowerEscapes(good[len(live):]), true)
	agree("no cookie", "other=1", false)
	agree("empty", name+"=", false)
	agree("among others", "a=b; "+name+"="+good+"; c=d", true)
	agree("twice, the live one first", name+"="+good+"; "+name+"=x.y", true)
	agree("twice, the live one last", name+"=x.y; "+name+"="+good, false)
	agree("of another name", "__Secure-"+name+"="+good, false)
	agree("signed, unknown token", name+"="+w.cookies.Sign(authdb.Secret(betterauth.NewID())), false)
	agree("signed, empty token", name+"="+w.cookies.Sign(""), false)
	other, err := betterauth.NewCookies(betterauth.CookieOptions{}, "another secret of thirty-two characters")
	w.must(w.is("cookies", err, nil))
	agree("forged", name+"="+other.Sign(authdb.Secret(live)), false)
	agree("token alone", name+"="+live, false)
	agree("signature of another token", name+"="+live+w.cookies.Sign(authdb.Secret(token()))[len(live):], false)

	for what, end := range map[string]func(token string) error{
		"expired a second ago": func(token string) error {
			_, err := w.Pool().Exec(w.ctx, `UPDATE session SET expires_at = timezone('UTC', now()) - interval '1 second' WHERE token = $1`, token)
			return err
		},
		"expired long ago": func(token string) error {
			_, err := w.Pool().Exec(w.ctx, `UPDATE session SET expires_at = timezone('UTC', now()) - interval '1 year' WHERE token = $1`, token)
			return err
		},
		"revoked in Go": func(token string) error { return w.Sessions.DeleteByToken(w.ctx, authdb.Secret(token)) },
		"signed out on the server": func(token string) error {
			if a := w.with(token).post("/sign-out", object{}); a.status != http.StatusOK {
				return fmt.Errorf("sign out: %v", a)
			}
			return nil
		},
	} {
		ends := token()
		agree("live", name+"="+w.cookies.Sign(authdb.Secret(ends)), true)
		w.is(what, end(ends), nil)
		// Go first: the server deletes an expired session that it meets.
		_, _, err := w.authenticate(w.cookies.Sign(authdb.Secret(ends)))
		w.is(what, err, betterauth.ErrNoSession)
		agree(what, name+"="+w.cookies.Sign(authdb.Secret(ends)), false)
	}
	soon := token()
	w.exec(`UPDATE session SET expires_at = timezone('UTC', now()) + interval '1 minute' WHERE token = $1`, soon)
	agree("a minute before expiry", name+"="+w.cookies.Sign(authdb.Secret(soon))+"; "+name[:len(name)-len("session_token")]+"dont_remember="+w.cookies.Sign("true"), true)

	// Mutated: each character of the cookie changed, dropped, doubled. Their number depends on the signature.
	mutants, wrong := 0, []string{}
	decode := strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=")
	mutate := func(value string) {
		mutants++
		server, here := both(name + "=" + value)
		// The server takes the spare bits of the last digit for nothing.
		if (server != "") != slices.Contains(spare(plain), decode.Replace(value)) || here != "" {
			wrong = append(wrong, fmt.Sprintf("%q: the server says %q, Go %q", value, server, here))
		}
	}
	for i := range good {
		mutate(good[:i] + good[i+1:])
		mutate(good[:i] + string(good[i]) + good[i:])
		changed := []byte(good)
		changed[i] ^= 1
		if c := changed[i]; c > ' ' && c != ';' && c != ',' && c != '"' && c != '\\' {
			mutate(string(changed))
		}
	}
	for _, value := range spare(plain) {
		mutate(value)
		mutate(strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(value))
	}
	w.ok(mutants > 200 && len(wrong) == 0, "%d mutants, of which these disagree: %q", mutants, wrong)
	w.note("%d mutated cookies, on which both sides agree but for the spare bits of the last digit", mutants)
}

func lowerEscapes(s string) string {
	return regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(s, strings.ToLower)
}

// spare are the three other spellings of a signature: its last digit has two bits that encode nothing.
func spare(plain string) (others []string) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(digits, plain[len(plain)-2])
	for i := last &^ 3; i <= last|3; i++ {
		if i != last && i < len(digits) && i&^3 == last&^3 {
			others = append(others, plain[:len(plain)-2]+digits[i:i+1]+"=")
		}
	}
	return others
}

// pair is the same state made by one side or the other, and what to call its ids.
type pair struct {
	owner, mate, guest *browser
	org                string
	names              map[string]string
}

// sameAnswers: what the server says of a state that Go made, it says of that state made by itself.
func (w *world) sameAnswers() {
	server, here := w.byServer(), w.byGo()
	for _, q := range []struct {
		who  func(p *pair) *browser
		path string
	}{
		{func(p *pair) *browser { return p.owner }, "/get-session"},
		{func(p *pair) *browser { return p.mate }, "/get-session"},
		{func(p *pair) *browser { return p.guest }, "/get-session"},
		{func(p *pair) *browser { return p.owner }, "/list-sessions"},
		{func(p *pair) *browser { return p.owner }, "/list-accounts"},
		{func(p *pair) *browser { return p.owner }, "/organization/list"},
		{func(p *pair) *browser { return p.mate }, "/organization/list"},
		{func(p *pair) *browser { return p.owner }, "/organization/get-full-organization"},
		{func(p *pair) *browser { return p.mate }, "/organization/get-full-organization"},
		{func(p *pair) *browser { return p.guest }, "/organization/get-full-organization?organizationId=ORG"},
		{func(p *pair) *browser { return p.owner }, "/organization/get-active-member"},
		{func(p *pair) *browser { return p.mate }, "/organization/get-active-member"},
		{func(p *pair) *browser { return p.mate }, "/organization/get-active-member-role"},
		{func(p *pair) *browser { return p.owner }, "/organization/list-members"},
		{func(p *pair) *browser { return p.owner }, "/organization/list-teams"},
		{func(p *pair) *browser { return p.owner }, "/organization/list-user-teams"},
		{func(p *pair) *browser { return p.mate }, "/organization/list-user-teams"},
		{func(p *pair) *browser { return p.owner }, "/organization/list-team-members"},
		{func(p *pair) *browser { return p.mate }, "/organization/list-team-members"},
		{func(p *pair) *browser { return p.owner }, "/organization/list-invitations"},
		{func(p *pair) *browser { return p.mate }, "/organization/list-invitations"},
		{func(p *pair) *browser { return p.guest }, "/organization/list-user-invitations"},
		{func(p *pair) *browser { return p.guest }, "/organization/get-invitation?id=INVITATION"},
	} {
		ask := func(p *pair) any {
			path := q.path
			for value, name := range p.names {
				path = strings.ReplaceAll(path, strings.ToUpper(name), value)
			}
			a := q.who(p).get(path)
			w.ok(a.err == nil && a.status < 500, "%s: %v", path, a)
			return object{"status": a.status, "body": p.plain(a.body, "")}
		}
		want, got := ask(server), ask(here)
		w.ok(cmp.Equal(want, got), "%s says of Go's state (-its own +Go's):\n%s", q.path, cmp.Diff(want, got))
	}
	// Two states that differ are not the same.
	role := "member"
	m := one[authdb.Member](w.check)(w.Members.GetByEmail(w.ctx, here.org, "mate-go@example.com"))
	one[authdb.Member](w.check)(w.Members.Update(w.ctx, here.org, m.ID, authdb.UpdateMemberParams{Role: authdb.Set(role)}))
	path := "/organization/get-full-organization"
	w.ok(!cmp.Equal(server.plain(server.owner.get(path).body, ""), here.plain(here.owner.get(path).body, "")), "control: a role that differs is not noticed")
}

// plain replaces what differs between two equal states: ids and names by what they are, times by how far off they are.
// Rows come in no order.
func (p *pair) plain(value any, key string) any {
	switch value := value.(type) {
	case map[string]any:
		out := object{}
		for k, v := range value {
			out[k] = p.plain(v, k)
		}
		return out
	case []any:
		rows := make([]string, len(value))
		for i, v := range value {
			text, _ := json.Marshal(p.plain(v, ""))
			rows[i] = string(text)
		}
		slices.Sort(rows)
		return rows
	case string:
		if name, ok := p.names[value]; ok {
			return "<" + name + ">"
		}
		if at, err := time.Parse(time.RFC3339, value); err == nil && strings.HasSuffix(key, "At") {
			return fmt.Sprintf("<in %d h>", int(time.Until(at).Round(time.Hour).Hours()))
		}
		if regexp.MustCompile(`^[a-zA-Z0-9]{32}$`).MatchString(value) {
			return "<id>"
		}
		return value
	}
	return value
}

func (p *pair) named(name, value string) string {
	p.names[value] = name
	return value
}

func (w *world) byServer() *pair {
	p := &pair{names: map[string]string{}}
	person := func(name string) (*browser, string) {
		address := p.named(name+" address", name+"-server@example.com")
		b := w.browser()
		a := w.done("sign up", b.post("/sign-up/email", object{"name": name, "email": address, "password": password}))
		w.exec(`UPDATE "user" SET email_verified = true WHERE email = $1`, address)
		w.exec(`UPDATE session SET ip_address = '', user_agent = '' WHERE token = $1`, b.token())
		return b, p.named(name, a.text("user", "id"))
	}
	p.owner, _ = person("owner")
	p.mate, _ = person("mate")
	p.guest, _ = person("guest")
	p.org = p.named("org", w.done("create", p.owner.post("/organization/create",
		object{"name": "Same", "slug": p.named("slug", "same-server"), "metadata": object{"plan": "pro"}})).text("id"))
	team := p.named("team", w.done("create team", p.owner.post("/organization/create-team", object{"name": "Two", "organizationId": p.org})).text("id"))
	id := w.done("invite", p.owner.post("/organization/invite-member",
		object{"email": "mate-server@example.com", "role": "admin", "organizationId": p.org, "teamId": team})).text("id")
	w.done("accept", p.mate.post("/organization/accept-invitation", object{"invitationId": id}))
	m := one[authdb.Member](w.check)(w.Members.GetByEmail(w.ctx, p.org, "mate-server@example.com"))
	w.done("update role", p.owner.post("/organization/update-member-role", object{"memberId": m.ID, "role": []string{"admin", "member"}, "organizationId": p.org}))
	p.named("invitation", w.done("invite", p.owner.post("/organization/invite-member",
		object{"email": "guest-server@example.com", "role": "member", "organizationId": p.org, "teamId": []string{team}})).text("id"))
	return p
}

func (w *world) byGo() *pair {
	p := &pair{names: map[string]string{}}
	users := map[string]authdb.User{}
	person := func(name string) *browser {
		hash := one[authdb.Secret](w.check)(betterauth.HashPassword(w.ctx, password))
		user := one[authdb.UserWithAccount](w.check)(w.Users.CreateWithAccount(w.ctx, authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Name: name, Email: p.named(name+" address", name+"-go@example.com"), EmailVerified: true},
			Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: (*authdb.Secret)(&hash)},
		})).User
		session := one[authdb.Session](w.check)(w.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: user.ID}))
		p.named(name, user.ID)
		users[name] = user
		return w.with(string(session.Token))
	}
	p.owner, p.mate, p.guest = person("owner"), person("mate"), person("guest")
	metadata := `{"plan":"pro"}`
	org := one[authdb.Organization](w.check)(w.Organizations.Create(w.ctx, authdb.CreateOrganizationParams{
		Name: "Same", Slug: p.named("slug", "same-go"), Metadata: &metadata, OwnerID: users["owner"].ID, DefaultTeam: true,
	}))
	p.org = p.named("org", org.ID)
	activate := func(b *browser, user authdb.User, team string) {
		one[authdb.Session](w.check)(w.Sessions.SetActiveOrganization(w.ctx, authdb.SetActiveOrganizationParams{UserID: user.ID, Token: authdb.Secret(b.token()), OrganizationID: org.ID}))
		one[authdb.Session](w.check)(w.Sessions.SetActiveTeam(w.ctx, authdb.SetActiveTeamParams{UserID: user.ID, Token: authdb.Secret(b.token()), TeamID: team}))
	}
	activate(p.owner, users["owner"], w.team(org.ID).ID)
	team := one[authdb.Team](w.check)(w.Teams.Create(w.ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Two"}))
	p.named("team", team.ID)
	invite := func(name, role string) authdb.Invitation {
		return one[authdb.Invitation](w.check)(w.Invitations.Create(w.ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: users["owner"].ID, Email: users[name].Email, Role: role, TeamIDs: []string{team.ID},
		}))
	}
	accepted := one[authdb.AcceptedInvitation](w.check)(w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: invite("mate", "admin").ID, UserID: users["mate"].ID, AllowUnverified: true}))
	activate(p.mate, users["mate"], team.ID)
	role := "admin,member"
	one[authdb.Member](w.check)(w.Members.Update(w.ctx, org.ID, accepted.Member.ID, authdb.UpdateMemberParams{Role: authdb.Set(role)}))
	p.named("invitation", invite("guest", "member").ID)
	return p
}
