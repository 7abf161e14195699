package inputs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// seed is printed, and taken from AUTHDB_SEED to see a failure again.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if s := os.Getenv("AUTHDB_SEED"); s != "" {
		n = kit.Must[uint64](t)(strconv.ParseUint(s, 10, 64))
	}
	t.Logf("AUTHDB_SEED=%d", n)
	return n
}

// randomText makes strings of all kinds: valid and not, short, around a limit and far beyond it.
type randomText struct{ *rand.Rand }

func (r randomText) rune() rune {
	switch r.IntN(6) {
	case 0:
		return rune(r.IntN(0x80)) // NUL and controls too
	case 1:
		return rune(0x80 + r.IntN(0x800))
	case 2:
		return []rune("\u212a\u0131\u0130\u017fΣσς\u00df\u1e9e\u212b\u0345\u200b\u202e\ufeff\u0301")[r.IntN(15)]
	case 3:
		return rune(0x10000 + r.IntN(0x100000)) // of 4 bytes
	case 4:
		return rune('A' + r.IntN(58))
	}
	return []rune(string(rune(r.IntN(0x10000))))[0] // a surrogate becomes U+FFFD
}

func (r randomText) runes(n int) string {
	var b strings.Builder
	for range n {
		if c := r.rune(); c != 0 {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (r randomText) bytes(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// text makes one string for a place of that limit.
func (r randomText) text(limit int) string {
	switch r.IntN(50) {
	case 0:
		return r.bytes(1 + r.IntN(40)) // rarely UTF-8
	case 1: // one byte flipped
		b := []byte(r.runes(1 + r.IntN(40)))
		b[r.IntN(len(b))] = byte(r.Uint32())
		return string(b)
	case 2:
		return r.runes(1+r.IntN(20)) + "\x00" + r.runes(r.IntN(20))
	case 3, 4, 5: // around the limit
		return r.runes(max(0, min(limit, 2048)-3+r.IntN(6)))
	case 6: // beyond it
		return strings.Repeat("x", min(limit, 2048)*(2+r.IntN(3)))
	case 7, 8, 9, 10, 11, 12:
		special := hostileTexts[r.IntN(len(hostileTexts))].text
		return special + hostileTexts[r.IntN(len(hostileTexts))].text
	case 13, 14:
		return strconv.FormatUint(r.Uint64(), 36)
	}
	return r.runes(1 + r.IntN(60))
}

// email makes one address, mostly a possible one.
func (r randomText) email() string {
	local := r.text(250)
	if r.IntN(3) > 0 {
		local = strings.Map(func(c rune) rune {
			if unicode.IsSpace(c) || !unicode.IsGraphic(c) || c == '@' || c == utf8.RuneError {
				return 'X'
			}
			return c
		}, r.runes(1+r.IntN(30)))
	}
	return local + []string{"@X.io", "@x.io", "@EXAMPLE.com", "@Σ.gr", "", "@", "@a@b"}[r.IntN(20)%7]
}

// storable tells what PostgreSQL and the limits allow, in the test's own words.
func storable(s string, limit int) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\x00") && utf8.RuneCountInString(s) <= limit
}

// given is a value that goes in, in what column and with what limit.
type given struct {
	column   string
	text     string
	limit    int
	required bool
	bad      bool // for a reason of its own
}

func (g given) ok() bool { return storable(g.text, g.limit) && (!g.required || g.text != "") && !g.bad }

func (g given) String() string { return fmt.Sprintf("%s=%+.200q", g.column, g.text) }

// fuzzer sends random values through operations and counts what comes of them.
type fuzzer struct {
	randomText
	t    *testing.T
	s    *authdb.Store
	cast cast

	values, stored, refused, taken, reads int
}

func (f *fuzzer) optional(column string, limit int) given {
	return given{column: column, text: f.text(limit), limit: limit}
}

func (f *fuzzer) required(column string, limit int) given {
	return given{column: column, text: f.text(limit), limit: limit, required: true}
}

// address is an e-mail address to store, as what JavaScript's toLowerCase makes of it.
func (f *fuzzer) address() (g given, asGiven string) {
	asGiven = f.email()
	local, host, _ := strings.Cut(asGiven, "@")
	g = given{column: "email", text: lowered(asGiven), limit: 254, required: true}
	g.bad = local == "" || host == "" || strings.Contains(host, "@") || strings.ContainsFunc(asGiven, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Z)
	})
	return g, asGiven
}

// lowered is JavaScript's toLowerCase but for the Σ that ends a word: here every sigma is one.
func lowered(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return strings.NewReplacer("İ", "i\u0307", "ς", "σ").Replace(strings.ToLower(strings.ReplaceAll(s, "İ", "i\u0307")))
}

// roles are a list of roles to store, as Better Auth would write it, and as given.
func (f *fuzzer) roles() (g given, asGiven string) {
	g = f.required("role", 1024)
	asGiven = g.text + "x"
	g.text = asRoles(asGiven)
	return g, asGiven
}

// asRoles is a list of roles without what JavaScript's trim takes away, and without empty ones.
func asRoles(list string) string {
	var roles []string
	for role := range strings.SplitSeq(list, ",") {
		role = strings.Trim(role, "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"+
			"\u2028\u2029\u202f\u205f\u3000\ufeff")
		if role != "" {
			roles = append(roles, role)
		}
	}
	return strings.Join(roles, ",")
}

// sent judges an error against what went in: none unless one of the values is at fault, and never one that the server
// found. It reports whether the call went well.
func (f *fuzzer) sent(op string, err error, in ...given) bool {
	f.t.Helper()
	f.values += len(in)
	var faulty []string
	for _, g := range in {
		if !g.ok() {
			faulty = append(faulty, g.column)
		}
	}
	e, ok := errors.AsType[*authdb.Error](err)
	switch {
	case err == nil && faulty == nil:
		f.stored += len(in)
		return true
	case ok && errors.Is(err, authdb.ErrConflict) && faulty == nil && (e.SQLState == "" || e.SQLState == "23505"):
		f.taken += len(in)
	case ok && errors.Is(err, authdb.ErrInvalidInput) && slices.Contains(faulty, e.Field) && e.Reason != "" && e.SQLState == "":
		f.refused += len(in)
	default:
		f.t.Errorf("%s: %v, faulty %v, of %v", op, err, faulty, in)
	}
	return false
}

// same compares what came back with what went in.
func (f *fuzzer) same(op string, row any, err error, in ...given) {
	f.t.Helper()
	f.reads++
	if err != nil {
		f.t.Errorf("%s: %v, of %v", op, err, in)
		return
	}
	got := kit.AsRow(row)
	for _, g := range in {
		value, want := got[g.column], any(g.text)
		if g.column == "email" {
			value = lowered(got["email"].(string))
		}
		if value != want {
			f.t.Errorf("%s: %s is %+.200q, was %+.200q", op, g.column, value, g.text)
		}
	}
}

// users: an address is found by what was given and by what is stored, and storing that again changes nothing.
func (f *fuzzer) users(ctx context.Context) {
	name, image := f.optional("name", 255), f.optional("image", 2048)
	email, asGiven := f.address()
	user, err := f.s.Users.Create(ctx, authdb.CreateUserParams{Name: name.text, Email: asGiven, Image: &image.text})
	if !f.sent("Users.Create", err, name, image, email) {
		return
	}
	f.same("Users.Create", user, nil, name, image, email)
	for _, form := range []string{asGiven, user.Email} {
		found, err := f.s.Users.GetByEmail(ctx, form)
		f.same("Users.GetByEmail", found, err, name, image, email)
		again, err := f.s.Users.SetEmail(ctx, user.ID, authdb.SetEmailParams{Email: form, Verified: true})
		if err != nil || again.Email != user.Email {
			f.t.Errorf("Users.SetEmail: %+q becomes %+q, then %+q, %v", asGiven, user.Email, again.Email, err)
		}
	}
	name, image = f.optional("name", 255), f.optional("image", 2048)
	user, err = f.s.Users.Update(ctx, user.ID, authdb.UpdateUserParams{Name: authdb.Set(name.text), Image: authdb.Set(image.text)})
	if f.sent("Users.Update", err, name, image) {
		read, err := f.s.Users.Get(ctx, user.ID)
		f.same("Users.Get", read, err, name, image)
	}
}

func (f *fuzzer) sessions(ctx context.Context) {
	ip, agent := f.optional("ip_address", 255), f.optional("user_agent", 1024)
	org, team := f.required("active_organization_id", 255), f.required("active_team_id", 255)
	session, err := f.s.Sessions.Create(ctx, authdb.CreateSessionParams{
		UserID: f.cast.owner.ID, IPAddress: ip.text, UserAgent: agent.text, ActiveOrganizationID: &org.text, ActiveTeamID: &team.text,
	})
	if !f.sent("Sessions.Create", err, ip, agent, org, team) {
		return
	}
	read, err := f.s.Sessions.Authenticate(ctx, session.Token)
	f.same("Sessions.Authenticate", read.Session, err, ip, agent, org, team)
	if read.Member != nil || read.Team != nil {
		f.t.Errorf("a random id opens %v, %v", read.Member, read.Team)
	}
	ip, agent = f.optional("ip_address", 255), f.optional("user_agent", 1024)
	_, err = f.s.Sessions.UpdateByToken(ctx, session.Token, authdb.UpdateSessionParams{
		IPAddress: authdb.Set(ip.text), UserAgent: authdb.Set(agent.text),
	})
	if f.sent("Sessions.UpdateByToken", err, ip, agent) {
		read, err := f.s.Sessions.Get(ctx, f.cast.owner.ID, session.ID)
		f.same("Sessions.Get", read, err, ip, agent)
	}
	token := f.required("token", 2704)
	if _, err := f.s.Sessions.GetByToken(ctx, authdb.Secret(token.text)); errors.Is(err, authdb.ErrInvalidInput) == token.ok() || !errors.Is(err, authdb.ErrNotFound) {
		f.t.Errorf("Sessions.GetByToken(%+.200q): %v", token.text, err)
	}
	f.values++
}

// verifications: only the very value consumes one, and only the very code.
func (f *fuzzer) verifications(ctx context.Context) {
	identifier, value := f.required("identifier", 512), f.optional("value", 65_536)
	p := authdb.CreateVerificationParams{Identifier: authdb.Secret(identifier.text), Value: authdb.Secret(value.text), ExpiresAt: time.Now().Add(time.Hour)}
	v, err := f.s.Verifications.Create(ctx, p)
	if !f.sent("Verifications.Create", err, identifier, value) {
		return
	}
	read, err := f.s.Verifications.GetByIdentifier(ctx, authdb.Secret(identifier.text))
	f.same("Verifications.GetByIdentifier", read, err, identifier, value)
	other := f.optional("value", 65_536)
	if _, err := f.s.Verifications.ConsumeValue(ctx, authdb.Secret(identifier.text), authdb.Secret(other.text)); other.text != value.text &&
		(!errors.Is(err, authdb.ErrNotFound) && other.ok() || !errors.Is(err, authdb.ErrInvalidInput) && !other.ok()) {
		f.t.Errorf("Verifications.ConsumeValue(%+.200q) of %+.200q: %v", other.text, value.text, err)
	}
	f.values++
	read, err = f.s.Verifications.ConsumeValue(ctx, authdb.Secret(identifier.text), authdb.Secret(value.text))
	if v.ID != read.ID && other.text != value.text {
		f.same("Verifications.ConsumeValue", read, err, identifier, value)
	}

	code := f.required("code", 512)
	p.Value = authdb.Secret(code.text + ":0")
	if !code.ok() {
		err := f.s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(identifier.text), Code: authdb.Secret(code.text)})
		f.sent("Verifications.ConsumeCode", err, code)
		return
	}
	if _, err := f.s.Verifications.Create(ctx, p); err != nil {
		f.t.Errorf("Verifications.Create: %v", err)
	}
	guess := authdb.ConsumeCodeParams{Identifier: authdb.Secret(identifier.text), Code: authdb.Secret(code.text + "x")}
	if err := f.s.Verifications.ConsumeCode(ctx, guess); !errors.Is(err, authdb.ErrWrongCode) && storable(string(guess.Code), 512) {
		f.t.Errorf("Verifications.ConsumeCode(%+.200q) of %+.200q: %v", guess.Code, code.text, err)
	}
	guess.Code = authdb.Secret(code.text)
	f.sent("Verifications.ConsumeCode", f.s.Verifications.ConsumeCode(ctx, guess), code)
}

func (f *fuzzer) organizations(ctx context.Context) {
	name, slug := f.optional("name", 255), f.required("slug", 63)
	logo, metadata := f.optional("logo", 2048), f.optional("metadata", 65_536)
	metadata.text = kit.AsJSON(metadata.text)
	org, err := f.s.Organizations.Create(ctx, authdb.CreateOrganizationParams{
		Name: name.text, Slug: slug.text, Logo: &logo.text, Metadata: &metadata.text, OwnerID: f.cast.owner.ID, DefaultTeam: true,
	})
	if !f.sent("Organizations.Create", err, name, slug, logo, metadata) {
		return
	}
	read, err := f.s.Organizations.GetBySlug(ctx, slug.text)
	f.same("Organizations.GetBySlug", read, err, name, slug, logo, metadata)
	teams, err := f.s.Teams.List(ctx, authdb.ListTeamsParams{OrganizationID: org.ID})
	if err != nil || len(teams.Items) != 1 {
		f.t.Errorf("Teams.List: %d, %v", len(teams.Items), err)
		return
	}
	f.same("Teams.List", teams.Items[0], nil, name)
	name, slug = f.optional("name", 255), f.required("slug", 63)
	_, err = f.s.Organizations.Update(ctx, org.ID, authdb.UpdateOrganizationParams{Name: authdb.Set(name.text), Slug: authdb.Set(slug.text)})
	if f.sent("Organizations.Update", err, name, slug) {
		read, err := f.s.Organizations.Get(ctx, org.ID)
		f.same("Organizations.Get", read, err, name, slug)
	}
	name = f.optional("name", 255)
	_, err = f.s.Teams.Update(ctx, org.ID, teams.Items[0].ID, authdb.UpdateTeamParams{Name: authdb.Set(name.text)})
	if f.sent("Teams.Update", err, name) {
		read, err := f.s.Teams.Get(ctx, org.ID, teams.Items[0].ID)
		f.same("Teams.Get", read, err, name)
	}
	if _, err := f.s.Organizations.Delete(ctx, org.ID); err != nil {
		f.t.Errorf("Organizations.Delete: %v", err)
	}
}

// members: an empty role means the usual one.
func (f *fuzzer) members(ctx context.Context) {
	role, given := f.roles()
	_, err := f.s.Members.Update(ctx, f.cast.org.ID, f.cast.member.ID, authdb.UpdateMemberParams{Role: authdb.Set(given)})
	if f.sent("Members.Update", err, role) {
		read, err := f.s.Members.Get(ctx, f.cast.org.ID, f.cast.member.ID)
		f.same("Members.Get", read, err, role)
	}
}

func (f *fuzzer) invitations(ctx context.Context) {
	email, asGiven := f.address()
	role, given := f.roles()
	invitation, err := f.s.Invitations.Create(ctx, authdb.CreateInvitationParams{
		OrganizationID: f.cast.org.ID, InviterID: f.cast.owner.ID, Email: asGiven, Role: given, TeamIDs: []string{f.cast.team.ID},
	})
	if !f.sent("Invitations.Create", err, email, role) {
		return
	}
	read, err := f.s.Invitations.GetPending(ctx, f.cast.org.ID, asGiven)
	f.same("Invitations.GetPending", read, err, email, role)
	recipient, err := f.s.Users.Create(ctx, authdb.CreateUserParams{Email: asGiven})
	if errors.Is(err, authdb.ErrEmailTaken) {
		recipient, err = f.s.Users.GetByEmail(ctx, asGiven)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	received, err := f.s.Invitations.GetByRecipient(ctx,
		authdb.GetInvitationByRecipientParams{InvitationID: invitation.ID, UserID: recipient.ID, AllowUnverified: true})
	f.same("Invitations.GetByRecipient", received.Invitation, err, email, role)
	if _, err := f.s.Invitations.Cancel(ctx, f.cast.org.ID, invitation.ID); err != nil {
		f.t.Errorf("Invitations.Cancel: %v", err)
	}
}

func (f *fuzzer) accounts(ctx context.Context) {
	provider, account := f.required("provider_id", 255), f.required("account_id", 255)
	access, refresh := f.optional("access_token", 16_384), f.optional("refresh_token", 16_384)
	idToken, scope := f.optional("id_token", 16_384), f.optional("scope", 16_384)
	p := authdb.CreateAccountParams{
		UserID: f.cast.owner.ID, ProviderID: provider.text, AccountID: account.text, AccessToken: (*authdb.Secret)(&access.text),
		RefreshToken: (*authdb.Secret)(&refresh.text), IDToken: (*authdb.Secret)(&idToken.text), Scope: &scope.text,
	}
	row, err := f.s.Accounts.Link(ctx, p)
	if f.sent("Accounts.Link", err, provider, account, access, refresh, idToken, scope) {
		read, err := f.s.Accounts.GetWithUserByProvider(ctx, provider.text, account.text)
		f.same("Accounts.GetWithUserByProvider", read.Account, err, provider, account, access, refresh, idToken, scope)
		access, scope = f.optional("access_token", 16_384), f.optional("scope", 16_384)
		row, err = f.s.Accounts.Update(ctx, f.cast.owner.ID, row.ID, authdb.UpdateAccountParams{
			AccessToken: authdb.Set(authdb.Secret(access.text)), Scope: authdb.Set(scope.text),
		})
		if f.sent("Accounts.Update", err, access, scope) {
			read, err := f.s.Accounts.Get(ctx, f.cast.owner.ID, row.ID)
			f.same("Accounts.Get", read, err, access, scope)
		}
	}
	hash := f.required("password", 16_384)
	if f.sent("Accounts.SetPassword", f.s.Accounts.SetPassword(ctx, f.cast.owner.ID, authdb.Secret(hash.text)), hash) {
		read, err := f.s.Accounts.GetCredential(ctx, f.cast.owner.ID)
		f.same("Accounts.GetCredential", read, err, hash)
	}
}

// TestRandomValues: whatever text goes in comes back as it was, or is refused for what is wrong with it before the
// server sees it.
func TestRandomValues(t *testing.T) {
	t.Parallel()
	n, first := kit.Hard(t, 3_000, 100_000), seed(t)
	store := authdbtest.New(t)
	const workers = 4
	fuzzers := make([]*fuzzer, workers)
	var done sync.WaitGroup
	for i := range fuzzers {
		rng := randomText{rand.New(rand.NewPCG(first, uint64(i)))}
		f := &fuzzer{randomText: rng, t: t, s: store, cast: newCast(t, store)}
		fuzzers[i] = f
		operations := []func(context.Context){
			f.users, f.sessions, f.verifications, f.organizations, f.members, f.invitations, f.accounts,
		}
		done.Go(func() {
			for f.values < n/workers && !t.Failed() {
				operations[f.IntN(len(operations))](t.Context())
			}
		})
	}
	done.Wait()
	var sum fuzzer
	for _, f := range fuzzers {
		sum.values, sum.stored, sum.refused = sum.values+f.values, sum.stored+f.stored, sum.refused+f.refused
		sum.taken, sum.reads = sum.taken+f.taken, sum.reads+f.reads
	}
	t.Logf("%d random values: %d stored and equal in %d rows read back, %d in calls refused, %d in calls that met a conflict",
		sum.values, sum.stored, sum.reads, sum.refused, sum.taken)
	if sum.stored < n/10 || sum.refused < n/10 {
		t.Error("too few of a kind")
	}
}
