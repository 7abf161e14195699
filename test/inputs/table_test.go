package inputs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// arguments walks through the arguments of methods and lets fill set each leaf: a text, a time, a number, a duration.
// A leaf has the parameter's name and, in a struct, the field's: "userID", "p.Email". Where fill says no, an optional
// leaf stays unset.
type arguments struct {
	t     *testing.T
	names map[string][]string // of the parameters, by method
	fill  func(method, leaf string, at any) bool
}

func (a arguments) of(ctx context.Context, method string, f reflect.Value) []reflect.Value {
	a.t.Helper()
	in := []reflect.Value{reflect.ValueOf(ctx)}
	if len(a.names[method]) != f.Type().NumIn() {
		a.t.Fatalf("%s: parameters %v in the source", method, a.names[method])
	}
	for i := 1; i < f.Type().NumIn(); i++ {
		p := reflect.New(f.Type().In(i)).Elem()
		a.visit(method, a.names[method][i], p)
		in = append(in, p)
	}
	return in
}

func (a arguments) visit(method, leaf string, v reflect.Value) bool {
	switch at := v.Addr().Interface().(type) {
	case *string, *time.Time, *int, *time.Duration, *bool, *authdb.Rows:
		return a.fill(method, leaf, at)
	case *authdb.Secret:
		return a.fill(method, leaf, (*string)(at))
	case *authdb.Actor:
		var user string
		if a.fill(method, leaf, &user) {
			*at = authdb.By(user, permission.Rules{})
		}
		return true
	case *authdb.Cursor, *int32:
		return false
	case *authdb.Change[string]:
		return visitChange(a, method, leaf, at)
	case *authdb.Change[authdb.Secret]:
		return visitChange(a, method, leaf, at)
	case *authdb.Change[time.Time]:
		return visitChange(a, method, leaf, at)
	case *authdb.Change[[]string]:
		return visitChange(a, method, leaf, at)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice:
		elem := reflect.New(v.Type().Elem()).Elem()
		if !a.visit(method, leaf, elem) {
			return false
		}
		if v.Kind() == reflect.Pointer {
			v.Set(elem.Addr())
		} else {
			v.Set(reflect.Append(v, elem))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := leaf + "." + v.Type().Field(i).Name
			if v.Type().Field(i).Anonymous {
				name = leaf
			}
			a.visit(method, name, v.Field(i))
		}
	default:
		a.t.Fatalf("%s: %s is a %s, of which this test does not know", method, leaf, v.Type())
	}
	return true
}

func visitChange[T any](a arguments, method, leaf string, at *authdb.Change[T]) bool {
	var value T
	if a.visit(method, leaf, reflect.ValueOf(&value).Elem()) {
		*at = authdb.Set(value)
	}
	return true
}

// parameterNames reads from the source how the parameters of the repositories' methods are called.
func parameterNames(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	for _, file := range kit.Must[[]string](t)(filepath.Glob("../../*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, decl := range kit.Must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)).Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			repository, ok := strings.CutSuffix(types.ExprString(f.Recv.List[0].Type), "Repository")
			if !ok {
				continue
			}
			method := strings.TrimPrefix(repository, "*") + "s." + f.Name.Name
			for _, field := range f.Type.Params.List {
				for _, name := range field.Names {
					names[method] = append(names[method], name.Name)
				}
			}
		}
	}
	return names
}

// cast are rows with which every method can succeed: an organization with an owner, a plain member who is in one of its
// two teams with the owner, and a guest who is invited to it.
type cast struct {
	owner, plain, guest authdb.User
	org                 authdb.Organization
	member              authdb.Member // the plain one
	team, spare         authdb.Team
	teamMember          authdb.TeamMember // the plain member's
	session             authdb.Session    // the owner's, as the other two
	account, credential authdb.Account
	verification        authdb.Verification // a code
	invitation          authdb.Invitation   // to the guest
}

func newCast(t *testing.T, s *authdb.Store) (c cast) {
	t.Helper()
	c.owner, c.plain, c.guest = authdbtest.User(t, s), authdbtest.User(t, s), authdbtest.User(t, s)
	c.org = authdbtest.Organization(t, s, func(p *authdb.CreateOrganizationParams) { p.OwnerID = c.owner.ID })
	c.member = authdbtest.Member(t, s, func(p *authdb.CreateMemberParams) { p.OrganizationID, p.UserID = c.org.ID, c.plain.ID })
	c.team, c.spare = authdbtest.Team(t, s, kit.TeamOf(c.org.ID)), authdbtest.Team(t, s, kit.TeamOf(c.org.ID))
	c.teamMember = authdbtest.TeamMember(t, s, kit.TeamMemberOf(c.team, c.plain.ID))
	authdbtest.TeamMember(t, s, kit.TeamMemberOf(c.team, c.owner.ID))
	c.session = authdbtest.Session(t, s, func(p *authdb.CreateSessionParams) {
		p.UserID, p.ActiveOrganizationID, p.ActiveTeamID = c.owner.ID, &c.org.ID, &c.team.ID
	})
	c.account = authdbtest.Account(t, s, func(p *authdb.CreateAccountParams) { p.UserID = c.owner.ID })
	c.credential = authdbtest.Account(t, s, func(p *authdb.CreateAccountParams) {
		p.UserID, p.ProviderID, p.AccountID, p.Password = c.owner.ID, authdb.ProviderCredential, "", new(authdb.Secret("hash"))
	})
	c.verification = authdbtest.Verification(t, s, func(p *authdb.CreateVerificationParams) { p.Value = "4711:0" })
	c.invitation = authdbtest.Invitation(t, s, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID, p.Email, p.TeamIDs = c.org.ID, c.owner.ID, c.guest.Email, []string{c.team.ID}
	})
	return c
}

// reread reads the rows again, whose texts something has changed.
func (c *cast) reread(t *testing.T, s *authdb.Store) {
	t.Helper()
	ctx := t.Context()
	for _, user := range []*authdb.User{&c.owner, &c.plain, &c.guest} {
		*user = kit.Must[authdb.User](t)(s.Users.Get(ctx, user.ID))
	}
	c.org = kit.Must[authdb.Organization](t)(s.Organizations.Get(ctx, c.org.ID))
	c.member = kit.Must[authdb.Member](t)(s.Members.Get(ctx, c.org.ID, c.member.ID))
	for _, team := range []*authdb.Team{&c.team, &c.spare} {
		*team = kit.Must[authdb.Team](t)(s.Teams.Get(ctx, c.org.ID, team.ID))
	}
	c.session = kit.Must[authdb.Session](t)(s.Sessions.Get(ctx, c.owner.ID, c.session.ID))
	for _, account := range []*authdb.Account{&c.account, &c.credential} {
		*account = kit.Must[authdb.Account](t)(s.Accounts.Get(ctx, c.owner.ID, account.ID))
	}
	c.verification = kit.Must[authdb.Verification](t)(s.Verifications.Get(ctx, c.verification.ID))
	c.invitation = kit.Must[authdb.Invitation](t)(s.Invitations.Get(ctx, c.org.ID, c.invitation.ID))
}

// text is what a method needs in a leaf to succeed; "" where it needs none.
func (c *cast) text(method, leaf string) string {
	switch method + " " + leaf {
	case "Users.Delete p.UserID", "Members.Create p.UserID", "Members.CreateMany ps.UserID",
		"Invitations.Accept p.UserID", "Invitations.Reject p.UserID", "Invitations.GetByRecipient p.UserID",
		"Invitations.ListByRecipient p.UserID", "Invitations.AllByRecipient p.UserID":
		return c.guest.ID
	case "Members.GetByUser userID", "Members.Leave userID", "TeamMembers.GetByUser userID",
		"TeamMembers.DeleteByUser userID", "TeamMembers.Create p.UserID", "TeamMembers.CreateMany ps.UserID":
		return c.plain.ID
	case "Members.GetByEmail email":
		return c.plain.Email
	case "Invitations.GetPending email":
		return c.guest.Email
	case "Users.GetByEmail email", "Users.VerifyEmail p.Email":
		return c.owner.Email
	case "Users.Create p.Email", "Users.CreateMany ps.Email", "Users.CreateWithAccount p.User.Email", "Users.SetEmail p.Email",
		"Invitations.Create p.Email":
		return "new@example.com"
	case "Accounts.GetWithUserByProvider accountID":
		return c.account.AccountID
	case "Accounts.GetWithUserByProvider providerID":
		return c.account.ProviderID
	case "Accounts.Create p.AccountID", "Accounts.Link p.AccountID", "Users.CreateWithAccount p.Account.AccountID":
		return "42"
	case "Accounts.Create p.ProviderID", "Accounts.Link p.ProviderID", "Users.CreateWithAccount p.Account.ProviderID":
		return "gitlab"
	case "Accounts.Get id", "Accounts.Update id", "Accounts.Delete p.ID":
		return c.account.ID
	case "Verifications.Reserve p.ID", "Accounts.Link p.Password", "Users.CreateWithAccount p.Account.UserID", "Users.Delete p.SuccessorID",
		"Invitations.List p.TeamID", "Invitations.All p.TeamID", "Members.List p.Role", "Members.All p.Role",
		"Members.List p.Search", "Members.All p.Search", "Invitations.List p.Status", "Invitations.All p.Status":
		return ""
	case "Organizations.GetBySlug slug":
		return c.org.Slug
	case "Organizations.Create p.Slug", "Organizations.Update p.Slug":
		return "new"
	case "Organizations.Update p.Metadata", "Organizations.Create p.Metadata":
		return "{}"
	}
	switch _, field, _ := strings.Cut("."+leaf, "."); strings.ToLower(field[strings.LastIndex(field, ".")+1:]) {
	case "userid", "ownerid", "inviterid":
		return c.owner.ID
	case "organizationid", "activeorganizationid":
		return c.org.ID
	case "teamid", "teamids", "activeteamid":
		return c.team.ID
	case "memberid":
		return c.member.ID
	case "teammemberid":
		return c.teamMember.ID
	case "sessionid":
		return c.session.ID
	case "accountid":
		return c.account.ID
	case "verificationid":
		return c.verification.ID
	case "invitationid":
		return c.invitation.ID
	case "token", "tokens":
		return string(c.session.Token)
	case "identifier":
		return string(c.verification.Identifier)
	case "code":
		return strings.TrimSuffix(string(c.verification.Value), ":0")
	case "value":
		return string(c.verification.Value)
	case "role", "roles":
		return "guide"
	case "id":
		if !strings.Contains(method, ".Load") {
			return ""
		}
	}
	return "text"
}

// leaves says of each leaf of each method but Load: what it holds, the most characters that it takes, the field that
// an error names, and the column that stores it. "* Name" is any leaf of that last name which has no line of its own; $
// is the column of the field, in the table of the method.
//
//	key       a row is looked up by it: a faulty one is also ErrNotFound
//	required  not empty
//	actor     who acts: not empty, where anybody is named
//	text      may be empty
//	json      text that is JSON
//	role      roles; where it is empty or white space, a member's
//	roles     stored without the white space around them and without empty ones, and then not empty
//	teams     required, no comma, no white space
//	filter    one role, without white space around it, or none
//	email     an address to store
//	never     must be empty
//	own       the id of a new row; where it is empty, one is made
//	absent    must not be given
//	time      any; future, or zero for the usual one; usual: any, or zero for the usual one; given: not zero
//	page, max, batch, days: numbers and durations
const leaves = `
* ID own 255 id $
* Name text 255 name $
* Email email 254 email $
* Image text 2048 image $
* UserID key 2704 user_id -
* ProviderID required 255 provider_id $
* AccountID required 255 account_id $
* AccessToken text 16384 access_token $
* RefreshToken text 16384 refresh_token $
* IDToken text 16384 id_token $
* AccessTokenExpiresAt time 0 access_token_expires_at $
* RefreshTokenExpiresAt time 0 refresh_token_expires_at $
* Scope text 16384 scope $
* Password text 16384 password $
* userID key 2704 user_id -
* email key 2704 email -
* Limit page 0 limit -
* Prefix required 255 prefix -
* SuccessorID text 255 successor_id -
* ExpiresAt time 0 expires_at $
* IPAddress text 255 ip_address $
* UserAgent text 1024 user_agent $
* ActiveOrganizationID required 255 active_organization_id $
* ActiveTeamID required 255 active_team_id $
* sessionID key 2704 session_id -
* token key 2704 token -
* tokens required 2704 token -
* Token key 2704 token -
* Lifetime days 0 lifetime -
* UpdateAge days 0 update_age -
* OrganizationID key 2704 organization_id -
* TeamID key 2704 team_id -
* limit batch 0 limit -
* id key 2704 id -
* providerID key 2704 provider_id -
* accountID key 2704 account_id -
* hash required 16384 password $
* Identifier key 2704 identifier -
* Value text 65536 value $
* verificationID key 2704 verification_id -
* identifier key 2704 identifier -
* value text 65536 value -
* Code required 512 code -
* MaxAttempts max 0 max_attempts -
* Slug required 63 slug $
* Logo text 2048 logo $
* Metadata json 65536 metadata $
* OwnerID required 255 owner_id -
* organizationID key 2704 organization_id -
* slug key 2704 slug -
* teamID key 2704 team_id -
* Role role 1024 role $
* MaxMembers max 0 max_members -
* memberID key 2704 member_id -
* Search text 255 search -
* By actor 2704 by -
* MemberID key 2704 member_id -
* MaxTeams max 0 max_teams -
* teamMemberID key 2704 team_member_id -
* InviterID required 255 inviter_id -
* TeamIDs teams 255 team_id -
* MaxPending max 0 max_pending -
* invitationID key 2704 invitation_id -
* InvitationID key 2704 invitation_id -
* Status text 2704 status -
* MaxTeamMembers max 0 max_team_members -

Users.CreateWithAccount p.Account.UserID never 255 user_id -
Users.VerifyEmail p.Email key 2704 email -
Sessions.Create p.UserID required 255 user_id -
Sessions.Create p.ExpiresAt usual 0 expires_at session.expires_at
Sessions.CreateMany ps.UserID required 255 user_id -
Sessions.CreateMany ps.ExpiresAt usual 0 expires_at session.expires_at
Sessions.SetActiveOrganization p.OrganizationID text 255 organization_id -
Sessions.SetActiveTeam p.TeamID text 255 team_id -
Accounts.Create p.UserID required 255 user_id -
Accounts.Link p.UserID required 255 user_id -
Accounts.Link p.Password absent 16384 password -
Accounts.Delete p.ID key 2704 id -
Verifications.Create p.Identifier required 512 identifier verification.identifier
Verifications.Create p.ExpiresAt given 0 expires_at verification.expires_at
Verifications.Reserve p.ID never 255 id -
Verifications.Reserve p.Identifier required 512 identifier verification.identifier
Verifications.Reserve p.ExpiresAt given 0 expires_at verification.expires_at
Members.Create p.OrganizationID required 255 organization_id -
Members.Create p.UserID required 255 user_id -
Members.CreateMany ps.OrganizationID required 255 organization_id -
Members.CreateMany ps.UserID required 255 user_id -
Members.List p.Role filter 1024 role -
Members.Count p.Role filter 1024 role -
Members.Update p.Role roles 1024 role member.role
Teams.Create p.OrganizationID required 255 organization_id -
TeamMembers.Create p.ID own 255 id -
TeamMembers.Create p.UserID required 255 user_id -
TeamMembers.CreateMany ps.ID own 255 id -
TeamMembers.CreateMany ps.UserID required 255 user_id -
Invitations.Create p.OrganizationID required 255 organization_id -
Invitations.Create p.ExpiresAt future 0 expires_at invitation.expires_at
Invitations.List p.TeamID text 255 team_id -
Invitations.Count p.TeamID text 255 team_id -
`

type leaf struct {
	kind, field, column string
	limit               int
}

// leafLines are the lines of leaves by their first two words.
type leafLines map[string]leaf

func parseLeaves(t *testing.T) leafLines {
	t.Helper()
	all := leafLines{}
	for line := range strings.SplitSeq(strings.TrimSpace(leaves), "\n") {
		var method, name string
		var l leaf
		if line == "" {
			continue
		}
		if _, err := fmt.Sscan(line, &method, &name, &l.kind, &l.limit, &l.field, &l.column); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[method+" "+name] = l
	}
	return all
}

// of returns what is said of a leaf of a method, and by which line.
func (all leafLines) of(method, name string) (l leaf, line string) {
	line = method + " " + name
	l, ok := all[line]
	if !ok {
		line = "* " + name[strings.LastIndex(name, ".")+1:]
		l = all[line]
	}
	table := strings.ToLower(strings.Split(name+"..", ".")[1]) // Account or User, in a method that takes both
	if table != "account" && table != "user" {
		repository, _, _ := strings.Cut(method, ".")
		table = kit.Column(strings.TrimSuffix(repository, "s"))
	}
	l.column = strings.Replace(l.column, "$", table+"."+l.field, 1)
	return l, line
}

// hostileText is what a text may hold that is hard on somebody, and why it is refused; "" if it is not.
type hostileText struct{ name, text, reason string }

var hostileTexts = []hostileText{
	{"empty", "", ""},
	{"NUL alone", "\x00", "NUL byte"},
	{"NUL first", "\x00a", "NUL byte"},
	{"NUL within", "a\x00b", "NUL byte"},
	{"NUL last", "a\x00", "NUL byte"},
	{"byte FF", "a\xffb", "not UTF-8"},
	{"byte FE", "\xfe", "not UTF-8"},
	{"Latin-1", "caf\xe9", "not UTF-8"},
	{"continuation alone", "a\x80", "not UTF-8"},
	{"cut after 1 of 2", "a\xc3", "not UTF-8"},
	{"cut after 2 of 3", "a\xe2\x82", "not UTF-8"},
	{"cut after 3 of 4", "a\xf0\x9f\x98", "not UTF-8"},
	{"overlong NUL", "a\xc0\x80", "not UTF-8"},
	{"overlong slash, 2", "\xc0\xaf", "not UTF-8"},
	{"overlong slash, 3", "\xe0\x80\xaf", "not UTF-8"},
	{"overlong slash, 4", "\xf0\x80\x80\xaf", "not UTF-8"},
	{"high surrogate", "\xed\xa0\x80", "not UTF-8"},
	{"low surrogate", "\xed\xb0\x80", "not UTF-8"},
	{"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", "not UTF-8"},
	{"above U+10FFFF", "\xf4\x90\x80\x80", "not UTF-8"},
	{"five bytes", "\xf8\x88\x80\x80\x80", "not UTF-8"},
	{"U+10FFFF", "\U0010ffff", ""},
	{"noncharacters", "\ufffe\uffff\ufdd0", ""},
	{"replacement", "\ufffd", ""},
	{"private use", "\ue000\U000f0000", ""},
	{"line feed", "a\nb", ""},
	{"CRLF and a header", "a\r\nBcc: b@c.d", ""},
	{"line separators", "a\u2028b\u2029c\u0085d", ""},
	{"tab, escape, bell", "\t\x1b[31m\x07", ""},
	{"delete", "\x7f", ""},
	{"spaces around", "  a  ", ""},
	{"a space alone", " ", ""},
	{"no-break space", "\u00a0a\u3000", ""},
	{"byte order mark", "\ufeffa", ""},
	{"zero width", "a\u200bb\u200cc\u200dd\u2060", ""},
	{"right to left", "a\u202egpj.exe", ""},
	{"isolates", "\u2066a\u2069", ""},
	{"variation selectors", "a\ufe0f\U000e0100", ""},
	{"tags", "a\U000e0041", ""},
	{"Cyrillic a", "\u0430dmin", ""},
	{"KELVIN SIGN", "\u212a", ""},
	{"ANGSTROM SIGN", "\u212b", ""},
	{"dotless i", "\u0131", ""},
	{"I with a dot", "\u0130", ""},
	{"long s", "\u017f", ""},
	{"sharp s", "\u1e9e\u00df", ""},
	{"final sigma", "ΟΔΟΣ", ""},
	{"composed", "caf\u00e9", ""},
	{"decomposed", "cafe\u0301", ""},
	{"many marks", "e" + strings.Repeat("\u0301", 40), ""},
	{"fullwidth", "ａ＠ｂ．ｃ", ""},
	{"emoji family", "👩‍👩‍👧‍👦🇩🇪", ""},
	{"percent and underscore", `%_\%`, ""},
	{"format verbs", "%s%d%n%[1]v", ""},
	{"quotes", `'"` + "`" + `''\'`, ""},
	{"SQL", `'; DROP TABLE "user"; --`, ""},
	{"comment", "/* a */ -- b", ""},
	{"parameters", "$1 $$ :a @b ?", ""},
	{"array", `{a,b,"c",NULL}`, ""},
	{"NULL", "NULL", ""},
	{"COPY", "\\N\t\\.\n", ""},
	{"escape", `E'\x00'`, ""},
	{"JSON", `{"a":"\u0000"}`, ""},
	{"comma", "a,b", ""},
	{"only commas", ",,", ""},
	{"colon and number", "a:999999", ""},
	{"markup", "<script>alert(1)</script>", ""},
}

// longText is n characters of so many bytes each that do not compress: an index takes no more than 2,704 bytes of them.
func longText(n, bytes int) string {
	base := map[int]rune{1: 'A', 2: 'Ѐ', 3: '一', 4: '𠀀'}[bytes]
	span := map[int]int{1: 26, 2: 200, 3: 20_000, 4: 40_000}[bytes]
	rng, text := rand.New(rand.NewPCG(uint64(n), uint64(bytes))), make([]rune, n)
	for i := range text {
		text[i] = base + rune(rng.IntN(span))
	}
	return string(text)
}

var tenMegabytes = strings.Repeat("a", 10<<20)

// sizes are texts around a limit.
func sizes(limit int) (texts []hostileText) {
	for bytes := 1; bytes <= utf8.UTFMax; bytes++ {
		for i, reason := range []string{"", "", "too long"} {
			n := limit - 1 + i
			texts = append(texts, hostileText{fmt.Sprintf("%d characters of %d bytes", n, bytes), longText(n, bytes), reason})
		}
	}
	return append(texts, hostileText{"4 bytes for each character", strings.Repeat("a", 4*limit), "too long"},
		hostileText{"10 MB", tenMegabytes, "too long"})
}

// hostileEmails are addresses, and as what they are stored or why they are refused.
var hostileEmails = []struct{ name, text, stored, reason string }{
	{"plain", "ada@example.com", "ada@example.com", ""},
	{"upper case", "ADA+Tag@EXAMPLE.com", "ada+tag@example.com", ""},
	{"other scripts", "ПОЧТА@пример.рф", "почта@пример.рф", ""},
	{"Cyrillic a", "\u0430da@example.com", "\u0430da@example.com", ""},
	{"KELVIN SIGN", "\u212a@x.io", "k@x.io", ""}, // as JavaScript's toLowerCase, so as the other side stores it
	{"ANGSTROM SIGN", "\u212b@x.io", "\u00e5@x.io", ""},
	{"dotless i", "\u0131@x.io", "\u0131@x.io", ""},
	{"I with a dot", "\u0130@x.io", "i\u0307@x.io", ""},
	{"long s", "\u017f@x.io", "\u017f@x.io", ""},
	{"capital sharp s", "\u1e9e@x.io", "\u00df@x.io", ""},
	{"final sigma", "ΟΔΟΣ@x.io", "οδος@x.io", ""},
	{"composed", "caf\u00e9@x.io", "caf\u00e9@x.io", ""},
	{"decomposed", "cafe\u0301@x.io", "cafe\u0301@x.io", ""},
	{"quotes", `o'neil"@x.io`, `o'neil"@x.io`, ""},
	{"SQL", `';drop/**/table"user";--@x.io`, `';drop/**/table"user";--@x.io`, ""},
	{"wildcards", `%_\@x.io`, `%_\@x.io`, ""},
	{"emoji", "😀@x.io", "😀@x.io", ""},
	{"254 characters", strings.Repeat("A", 249) + "@x.io", strings.Repeat("a", 249) + "@x.io", ""},
	{"254 characters of 4 bytes", strings.Repeat("😀", 249) + "@x.io", strings.Repeat("😀", 249) + "@x.io", ""},
	{"254 that lower case shortens", strings.Repeat("\u212a", 249) + "@x.io", strings.Repeat("k", 249) + "@x.io", ""},
	{"255 characters", strings.Repeat("a", 250) + "@x.io", "", "too long"},
	{"255 characters of 4 bytes", strings.Repeat("😀", 250) + "@x.io", "", "too long"},
	{"254 that lower case lengthens", strings.Repeat("\u0130", 249) + "@x.io", "", "too long"},
	{"10 MB", tenMegabytes + "@x.io", "", "too long"},
	{"empty", "", "", "empty"},
	{"no @", "example.com", "", "malformed"},
	{"two @", "a@b@c", "", "malformed"},
	{"no name", "@x.io", "", "malformed"},
	{"no host", "ada@", "", "malformed"},
	{"fullwidth @", "ada＠x.io", "", "malformed"},
	{"small @", "ada﹫x.io", "", "malformed"},
	{"space behind", "ada@x.io ", "", "malformed"},
	{"space before", " ada@x.io", "", "malformed"},
	{"space within", "a da@x.io", "", "malformed"},
	{"no-break space", "ada\u00a0@x.io", "", "malformed"},
	{"ideographic space", "ada@x.io\u3000", "", "malformed"},
	{"tab", "\tada@x.io", "", "malformed"},
	{"line feed", "ada@x.io\n", "", "malformed"},
	{"CRLF and a header", "ada@x.io\r\nBcc: b@c.d", "", "malformed"},
	{"CRLF alone", "ada@x.io\r\nb", "", "malformed"},
	{"next line", "ada\u0085@x.io", "", "malformed"},
	{"line separator", "ada\u2028@x.io", "", "malformed"},
	{"delete", "ada\x7f@x.io", "", "malformed"},
	{"zero width space", "a\u200bda@x.io", "", "malformed"},
	{"zero width joiner", "a\u200dda@x.io", "", "malformed"},
	{"soft hyphen", "a\u00adda@x.io", "", "malformed"},
	{"byte order mark", "\ufeffada@x.io", "", "malformed"},
	{"right to left", "a\u202eda@x.io", "", "malformed"},
	{"tag", "a\U000e0041da@x.io", "", "malformed"},
	{"NUL", "a\x00da@x.io", "", "NUL byte"},
	{"Latin-1", "caf\xe9@x.io", "", "not UTF-8"},
	{"surrogate", "a\xed\xa0\x80@x.io", "", "not UTF-8"},
	{"overlong @", "a\xc1\x80x.io", "", "not UTF-8"},
}

var hostileTimes = []struct {
	name string
	at   time.Time
	bad  bool
}{
	{"zero", time.Time{}, false},
	{"its first millisecond", time.Date(1, 1, 1, 0, 0, 0, 1_000_000, time.UTC), false},
	{"year 0", time.Date(0, 12, 31, 23, 59, 59, 999_999_999, time.UTC), true},
	{"year 0 in UTC", time.Date(1, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), true},
	{"year 1 in UTC", time.Date(0, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), false},
	{"before PostgreSQL's first", time.Date(-4713, 1, 1, 0, 0, 0, 0, time.UTC), true},
	{"as far back as Go goes", time.Unix(math.MinInt64>>1, 0), true},
	{"before 1970", time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), false},
	{"the Gregorian gap", time.Date(1582, 10, 10, 0, 0, 0, 0, time.UTC), false},
	{"a leap day", time.Date(2400, 2, 29, 12, 0, 0, 123_456_789, time.UTC), false},
	{"in an odd zone", time.Date(2500, 1, 1, 0, 0, 0, 999_999_999, time.FixedZone("", 13*3600+1)), false},
	{"the end of 32 bits", time.Unix(math.MaxInt32+1, 0), false},
	{"the last millisecond", time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), false},
	{"year 10000", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), true},
	{"year 10000 in UTC", time.Date(9999, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), true},
	{"after PostgreSQL's last", time.Date(294_277, 1, 1, 0, 0, 0, 0, time.UTC), true},
	{"as far as Go goes", time.Unix(math.MaxInt64>>1, 0), true},
}

// hostileCase puts one value into one leaf. A reason means that it is refused; stored is what the column holds else.
type hostileCase struct {
	name   string
	value  any // string, time.Time, int or time.Duration
	reason string
	stored any
}

func (l leaf) cases() (cases []hostileCase) {
	add := func(name string, value any, reason string, stored any) {
		cases = append(cases, hostileCase{name, value, reason, stored})
	}
	refused := func(bad bool, reason string) string {
		if bad {
			return reason
		}
		return ""
	}
	const century = 100 * 365 * 24 * time.Hour
	switch l.kind {
	case "email":
		for _, e := range hostileEmails {
			add(e.name, e.text, e.reason, e.stored)
		}
	case "time", "given", "usual", "future":
		for _, at := range hostileTimes {
			reason, stored := refused(at.bad, "out of range"), any(at.at.UTC().Truncate(time.Millisecond))
			switch {
			case at.at.IsZero() && l.kind == "given":
				reason = "empty"
			case at.at.IsZero() && l.kind != "time":
				stored = nil
			case at.at.Before(time.Now()) && l.kind == "future":
				reason = "out of range"
			}
			add(at.name, at.at, reason, stored)
		}
	case "page":
		for _, n := range []int{0, 1, 10_000, -1, math.MinInt, 10_001, math.MaxInt32, math.MaxInt} {
			add(fmt.Sprint(n), n, refused(n < 0 || n > 10_000, "out of range"), nil)
		}
	case "batch":
		for _, n := range []int{1, 10_000, 0, -1, math.MinInt, 10_001, math.MaxInt} {
			add(fmt.Sprint(n), n, refused(n < 1 || n > 10_000, "out of range"), nil)
		}
	case "max":
		for _, n := range []int{0, 1, 100, math.MaxInt32, math.MaxInt32 + 1, math.MaxInt, -1, math.MinInt32 - 1, math.MinInt} {
			add(fmt.Sprint(n), n, refused(n < 0, "out of range"), nil)
		}
	case "days":
		for _, d := range []time.Duration{0, 1, time.Hour, century, -1, -century, math.MinInt64, century + 1, math.MaxInt64} {
			add(fmt.Sprint(d), d, refused(d < 0 || d > century, "out of range"), nil)
		}
	default:
		for _, h := range slices.Concat(hostileTexts, sizes(l.limit)) {
			stored := h.text
			switch {
			case l.kind == "never" && h.text != "" || l.kind == "absent":
				h.reason = "malformed"
			case l.kind == "teams" && strings.ContainsAny(h.text, ","+repo.Spaces),
				l.kind == "filter" && h.reason == "" && (asRoles(h.text) != h.text || strings.Contains(h.text, ",")):
				h.reason = "malformed"
			case l.kind == "role" || l.kind == "roles":
				stored = asRoles(h.text)
				switch {
				case stored == "" && l.kind == "role" && !strings.Contains(h.text, ","):
					stored, h.reason = authdb.RoleMember, ""
				case stored == "":
					h.reason = "empty"
				}
			case l.kind == "json" && h.reason == "":
				if quoted := kit.AsJSON(h.text); utf8.RuneCountInString(quoted) <= l.limit {
					add(h.name+", in quotes", quoted, "", quoted)
				}
				h.reason = refused(!json.Valid([]byte(h.text)), "not JSON")
			case l.kind == "own" && h.text == "":
				add(h.name, h.text, "", nil)
				continue
			case l.kind != "text" && l.kind != "filter" && l.kind != "never" && l.kind != "own" && h.text == "":
				h.reason = "empty"
			}
			add(h.name, h.text, h.reason, stored)
		}
	}
	return cases
}

// TestHostileTable puts every hostile value into every leaf of every method. What is refused is refused before anything
// is sent, by an error that names field and reason; what is accepted is stored as it was given, and the server is not
// the one that complains.
func TestHostileTable(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	n, counts, found := 0, map[string]int{}, map[string]bool{}
	// Beside other tests, one in six of what is sent, so that each value meets each table.
	share, turn := kit.Hard(t, 6, 1), 0
	kit.Methods(h.store, func(method string, f reflect.Value) {
		if strings.Contains(method, ".Load") {
			return // rows, not input; TestRefusedRows has their limits
		}
		for _, name := range h.leavesOf(method, f) {
			l, line := h.leaves.of(method, name)
			if l.kind == "" {
				t.Errorf("%s %s is not in the table", method, name)
				continue
			}
			n, found[line] = n+1, true
			for _, c := range l.cases() {
				switch {
				case c.reason != "":
					counts["refused"]++
					h.refuses(method, name, l, c)
				case turn%share == 0:
					counts["accepted"]++
					h.accepts(method, name, l, c)
					turn++
				default:
					turn++
				}
			}
		}
	})
	for name := range h.leaves {
		if !found[name] {
			t.Errorf("%s is in the table only", name)
		}
	}
	t.Logf("%d leaves, %d values refused before a byte was sent, %d of %d accepted ones sent, %d of them read back",
		n, counts["refused"], counts["accepted"], turn, h.readBack)
	if counts["refused"] < 2_000 || counts["accepted"] < 400 || h.readBack < 200 {
		t.Errorf("only %v, %d read back", counts, h.readBack)
	}
}

type hostile struct {
	t        *testing.T
	store    *authdb.Store
	trips    *atomic.Int64
	cast     cast
	leaves   leafLines
	names    map[string][]string
	readBack int
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	store, trips := kit.CountingStore(t, authdbtest.DSN(t), pgx.QueryExecModeCacheStatement)
	return &hostile{
		t: t, store: store, trips: trips, cast: newCast(t, store), leaves: parseLeaves(t), names: parameterNames(t),
	}
}

func (h *hostile) leavesOf(method string, f reflect.Value) (names []string) {
	arguments{h.t, h.names, func(_, leaf string, at any) bool {
		switch at.(type) {
		case *bool, *authdb.Rows:
		default:
			names = append(names, leaf)
		}
		return true
	}}.of(h.t.Context(), method, f)
	return names
}

// call calls a method of a store with some leaves set and all else as it must be.
func (h *hostile) call(s *authdb.Store, method string, set map[string]any) []reflect.Value {
	h.t.Helper()
	repository, name, _ := strings.Cut(method, ".")
	f := reflect.ValueOf(s).Elem().FieldByName(repository).MethodByName(name)
	args := arguments{h.t, h.names, func(method, l string, at any) bool {
		if value, ok := set[l]; ok {
			reflect.ValueOf(at).Elem().Set(reflect.ValueOf(value))
			return true
		}
		switch at := at.(type) {
		case *string:
			*at = h.cast.text(method, l)
			return *at != "" && !strings.HasSuffix(l, ".By")
		case *time.Time:
			*at = time.Now().Add(time.Hour)
		case *int:
			if strings.HasSuffix(method, ".DeleteExpired") {
				*at = 10
			}
		case *time.Duration, *bool, *authdb.Rows:
			return false
		}
		return true
	}}.of(h.t.Context(), method, f)
	return f.Call(args)
}

func (h *hostile) refuses(method, name string, l leaf, c hostileCase) {
	h.t.Helper()
	before := h.trips.Load()
	err := kit.LastError(h.call(h.store, method, map[string]any{name: c.value}))
	sent := h.trips.Load() - before
	e, ok := errors.AsType[*authdb.Error](err)
	if !ok || !errors.Is(err, authdb.ErrInvalidInput) || e.Op != method ||
		e.Field != l.field || e.Reason != c.reason || e.SQLState != "" || errors.Is(err, authdb.ErrNotFound) != (l.kind == "key") {
		h.t.Errorf("%s %s, %s: %v, want %s: %s", method, name, c.name, err, l.field, c.reason)
	}
	if sent != 0 {
		h.t.Errorf("%s %s, %s: %d round trips", method, name, c.name, sent)
	}
}

func (h *hostile) accepts(method, name string, l leaf, c hostileCase) {
	h.t.Helper()
	tx := kit.Must[pgx.Tx](h.t)(h.store.Pool().Begin(h.t.Context()))
	defer func() { _ = tx.Rollback(context.WithoutCancel(h.t.Context())) }()
	err := kit.LastError(h.call(authdb.New(tx), method, map[string]any{name: c.value}))
	e, ok := errors.AsType[*authdb.Error](err)
	switch {
	case err != nil && (!ok || errors.Is(err, authdb.ErrInvalidInput)),
		e != nil && e.SQLState != "" && e.SQLState != "23503" && e.SQLState != "23505",
		err != nil && l.column != "-":
		h.t.Errorf("%s %s, %s: %v", method, name, c.name, err)
	case err == nil && l.column != "-" && c.stored != nil:
		h.stored(tx, method+" "+name+", "+c.name, l.column, c.stored)
	}
}

// stored reads a value back twice: by SQL, which compares bytes, and by the method that reads such a row.
func (h *hostile) stored(tx pgx.Tx, what, at string, want any) {
	h.t.Helper()
	table, column, _ := strings.Cut(at, ".")
	condition, arg := ` WHERE convert_to(`+column+`, 'UTF8') = $1`, any(nil)
	switch v := want.(type) {
	case string:
		arg = []byte(v)
	case time.Time:
		condition, arg = ` WHERE `+column+` = $1::text::timestamp`, v.Format("2006-01-02T15:04:05.999999")
	}
	owner := map[string]string{
		"session": "user_id", "account": "user_id", "member": "organization_id", "team": "organization_id",
		"invitation": "organization_id",
	}[table]
	if owner == "" {
		owner = "''"
	}
	var id, ownerID string
	row := tx.QueryRow(h.t.Context(),
		`SELECT id, `+owner+` FROM `+pgx.Identifier{table}.Sanitize()+condition+` ORDER BY ctid DESC LIMIT 1`, arg)
	if err := row.Scan(&id, &ownerID); err != nil {
		h.t.Errorf("%s: %s does not hold it: %v", what, at, err)
		return
	}
	got, err := readRow(h.t.Context(), authdb.New(tx), table, ownerID, id)
	if err != nil {
		h.t.Errorf("%s: %v", what, err)
		return
	}
	if at, ok := want.(time.Time); ok {
		want = at.Format("2006-01-02T15:04:05.999999")
	}
	if value := kit.AsRow(got)[column]; value != want {
		h.t.Errorf("%s: %s reads %.80q, want %.80q", what, at, value, want)
	}
	h.readBack++
}

func readRow(ctx context.Context, s *authdb.Store, table, owner, id string) (row any, err error) {
	switch table {
	case "user":
		return s.Users.Get(ctx, id)
	case "session":
		return s.Sessions.Get(ctx, owner, id)
	case "account":
		return s.Accounts.Get(ctx, owner, id)
	case "verification":
		return s.Verifications.Get(ctx, id)
	case "organization":
		return s.Organizations.Get(ctx, id)
	case "member":
		return s.Members.Get(ctx, owner, id)
	case "team":
		return s.Teams.Get(ctx, owner, id)
	case "invitation":
		return s.Invitations.Get(ctx, owner, id)
	}
	return nil, fmt.Errorf("no method reads table %s", table)
}

// TestEveryLimitAtOnce writes the longest value to all columns of a method together, in characters of 4 bytes: indexes
// of two columns take them too.
func TestEveryLimitAtOnce(t *testing.T) {
	t.Parallel()
	h, written := newHostile(t), 0
	kit.Methods(h.store, func(method string, f reflect.Value) {
		if strings.Contains(method, ".Load") {
			return
		}
		set := map[string]any{}
		for _, leaf := range h.leavesOf(method, f) {
			if l, _ := h.leaves.of(method, leaf); l.column != "-" && l.limit > 0 {
				set[leaf] = longText(l.limit, utf8.UTFMax)
				if l.kind == "email" {
					set[leaf] = longText(l.limit-2, utf8.UTFMax) + "@x"
				}
				if l.kind == "json" {
					set[leaf] = kit.AsJSON(longText(l.limit-2, utf8.UTFMax))
				}
				if l.kind == "teams" {
					delete(set, leaf)
				}
			}
		}
		if len(set) == 0 {
			return
		}
		written += len(set)
		tx := kit.Must[pgx.Tx](t)(h.store.Pool().Begin(t.Context()))
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		if err := kit.LastError(h.call(authdb.New(tx), method, set)); err != nil {
			t.Errorf("%s: %v", method, err)
			return
		}
		for leaf, value := range set {
			l, _ := h.leaves.of(method, leaf)
			h.stored(tx, method+" "+leaf, l.column, value)
		}
	})
	t.Logf("%d values written, %d read back", written, h.readBack)
	if h.readBack < 60 {
		t.Errorf("only %d", h.readBack)
	}
}

// TestRefusedRows: how many rows of a relation a Load may bring, and of which parents.
func TestRefusedRows(t *testing.T) {
	t.Parallel()
	h, refused := newHostile(t), 0
	kit.Methods(h.store, func(method string, f reflect.Value) {
		repository, name, _ := strings.Cut(method, ".")
		if !strings.HasPrefix(name, "Load") && !strings.HasPrefix(name, "GetFull") {
			return
		}
		hasMany := slices.Contains([]string{"Users", "Organizations", "Teams"}, repository)
		refuse := func(leaf string, value any) {
			t.Helper()
			refused++
			before := h.trips.Load()
			err := kit.LastError(h.call(h.store, method, map[string]any{leaf: value}))
			e, ok := errors.AsType[*authdb.Error](err)
			field := kit.Column(leaf[strings.LastIndex(leaf, ".")+1:])
			if !ok || !errors.Is(err, authdb.ErrInvalidInput) || e.Field != field || e.Reason == "" || e.SQLState != "" {
				t.Errorf("%s %s = %.20v: %v", method, leaf, value, err)
			}
			if sent := h.trips.Load() - before; sent != 0 {
				t.Errorf("%s %s = %.20v: %d round trips", method, leaf, value, sent)
			}
		}
		arguments{t, h.names, func(_, leaf string, at any) bool {
			if _, ok := at.(*authdb.Rows); ok {
				for _, rows := range []authdb.Rows{
					authdb.Oldest(0), authdb.Oldest(-1), authdb.Newest(0), authdb.Newest(math.MinInt), authdb.Oldest(math.MaxInt),
				} {
					refuse(leaf, rows)
				}
			}
			if _, ok := at.(*string); ok && hasMany && strings.HasSuffix(leaf, ".ID") {
				for _, id := range []string{"", "a\x00b", "\xff", longText(2705, 1), tenMegabytes} {
					refuse(leaf, id)
				}
			}
			return true
		}}.of(t.Context(), method, f)
	})
	t.Logf("%d refused", refused)
	if refused < 100 {
		t.Errorf("only %d", refused)
	}
}
