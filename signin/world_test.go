package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/betterauth"
	"github.com/zerostarter/authdb/db/plugins"
	"github.com/zerostarter/authdb/signin"
)

const (
	secret   = "example-secret-of-thirty-two-characters-or-more" // of the vectors
	password = "correct horse battery"
	agent    = "example/1.0"
)

var (
	plugged  = authdbtest.WithSchema(plugins.Admin, plugins.TwoFactor, plugins.Tables)
	versions = []string{"1.3.34", "1.4.22", "1.5.6", "1.6.34", "1.7.25"}
)

// world is a database, the flows on it, and the mails that they have sent.
type world struct {
	*signin.Flows
	t     *testing.T
	ctx   context.Context
	now   time.Time // of the store's clock; zero: the system's
	mails []signin.Mail
	users int
}

// newWorld has the flows of that version of the server.
func newWorld(t *testing.T, version string) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context()}
	store := plugged.New(t, authdb.WithClock(func() time.Time {
		if w.now.IsZero() {
			return time.Now()
		}
		return w.now
	}))
	cookies, err := betterauth.NewCookies(betterauth.CookieOptions{}, secret)
	w.must(err)
	w.Flows = &signin.Flows{Store: store, Cookies: cookies, Send: func(_ context.Context, m signin.Mail) error {
		w.mails = append(w.mails, m)
		return nil
	}}
	w.as(version)
	return w
}

// as makes the flows those of another version.
func (w *world) as(version string) {
	w.t.Helper()
	_, err := fmt.Sscanf(version, "%d.%d.%d", &w.Version[0], &w.Version[1], &w.Version[2])
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// is checks an error by its kind; nil wants none.
func (w *world) is(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (w *world) equal(what string, got, want any) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.Store.Pool().Exec(w.ctx, sql, args...)
	w.must(err)
}

// one is the one value that a query returns, as JSON has it.
func (w *world) one(sql string, args ...any) (value any) {
	w.t.Helper()
	w.must(w.Store.Pool().QueryRow(w.ctx, `SELECT to_jsonb(q.v) FROM (`+sql+`) q (v)`, args...).Scan(&value))
	return value
}

func (w *world) count(table, where string, args ...any) int {
	w.t.Helper()
	n, _ := w.one(`SELECT count(*) FROM `+table+` WHERE `+where, args...).(float64)
	return int(n)
}

// mail returns the one mail that was sent since it was called last.
func (w *world) mail(kind signin.MailKind, to string) signin.Mail {
	w.t.Helper()
	sent := w.mails
	w.mails = nil
	if len(sent) != 1 || sent[0].Kind != kind || sent[0].To != to || sent[0].Token == "" {
		w.t.Fatalf("mails %+v, want one of kind %s to %s", sent, kind, to)
	}
	return sent[0]
}

func (w *world) noMail() {
	w.t.Helper()
	if len(w.mails) > 0 {
		w.t.Errorf("mails %+v", w.mails)
	}
}

// hash is made once: it is dear.
var hash = func() authdb.Secret {
	h, err := betterauth.HashPassword(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return h
}()

// user makes a user with a password and returns its address.
func (w *world) user(verified bool) authdb.User {
	w.t.Helper()
	w.users++
	made, err := w.Store.Users.CreateWithAccount(w.ctx, authdb.CreateUserWithAccountParams{
		User:    authdb.CreateUserParams{Name: "Ada", Email: fmt.Sprintf("ada%d@example.com", w.users), EmailVerified: verified},
		Account: authdb.CreateAccountParams{ProviderID: authdb.ProviderCredential, Password: &hash},
	})
	w.must(err)
	return made.User
}

// session signs a user in beside the flows.
func (w *world) session(userID string) authdb.Session {
	w.t.Helper()
	s, err := w.Store.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: userID})
	w.must(err)
	return s
}

// sign is Password with the password of user.
func (w *world) sign(email string) (signin.SignedIn, error) {
	return w.Password(w.ctx, signin.PasswordParams{Email: email, Password: password, Client: signin.Client{UserAgent: agent}})
}

func readJSON(t *testing.T, name string, to any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what servers of those versions answered.
type answer struct {
	Versions      []string
	Status        int
	Code, Message string
	Lifetime      float64 `json:"lifetime_s"`
	IPAddress     *string `json:"ip_address"`
	Set           json.RawMessage
	SignIn        struct{ Status int }                 `json:"sign_in"`
	After         map[string]any                       `json:"user_afterwards"`
	Sessions      int                                  `json:"sessions_after"`
	TwoFactor     bool                                 `json:"two_factor"`
	Verification  []struct{ Identifier, Value string } `json:"verification"`
	Body          struct{ TwoFactorRedirect bool }     `json:"body"`
	Synthetic     *struct{ SameKeys bool }             `json:"synthetic"`
	User          [][]any                              `json:"user"`
	Row           map[string]any                       `json:"row"`
	Mails         [][]string                           `json:"mails"`
}

type vector struct {
	Name    string
	Answers []answer
}

// of returns the answer of a version.
func (v vector) of(t *testing.T, version string) answer {
	t.Helper()
	at := slices.IndexFunc(v.Answers, func(a answer) bool { return slices.Contains(a.Versions, version) })
	if at < 0 {
		t.Fatalf("%s: no answer of %s", v.Name, version)
	}
	return v.Answers[at]
}

func readFlows(t *testing.T) (flows map[string]json.RawMessage) {
	t.Helper()
	readJSON(t, "flows.json", &flows)
	return flows
}

// find returns the vectors of a section by their names.
func find(t *testing.T, section string) map[string]vector {
	t.Helper()
	var all []vector
	if err := json.Unmarshal(readFlows(t)[section], &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]vector{}
	for _, v := range all {
		byName[v.Name] = v
	}
	return byName
}

// statusOf is the status and the code with which the server says what an error says.
func statusOf(err error) (int, string) {
	if err == nil {
		return 200, ""
	}
	for _, known := range []struct {
		kind   error
		status int
		code   string
	}{
		{signin.ErrInvalidCredentials, 401, "INVALID_EMAIL_OR_PASSWORD"},
		{authdb.ErrEmailNotVerified, 403, "EMAIL_NOT_VERIFIED"},
		{authdb.ErrBanned, 403, "BANNED_USER"},
		{authdb.ErrEmailTaken, 422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"},
		{betterauth.ErrPasswordTooLong, 400, "PASSWORD_TOO_LONG"},
		{signin.ErrInvalidToken, 400, "INVALID_TOKEN"},
		{signin.ErrSecondFactor, 200, ""},
	} {
		if errors.Is(err, known.kind) {
			return known.status, known.code
		}
	}
	if e, ok := errors.AsType[*authdb.Error](err); ok && e.Field == "email" && errors.Is(err, authdb.ErrInvalidInput) {
		return 400, "INVALID_EMAIL"
	}
	return 500, err.Error()
}

// agrees checks an answer of Go against the server's.
func (w *world) agrees(name string, err error, want answer) {
	w.t.Helper()
	status, code := statusOf(err)
	if status != want.Status || code != want.Code {
		w.t.Errorf("%s, %v: %d %s (%v), want %d %s", name, w.Version, status, code, err, want.Status, want.Code)
	}
}

func upper(s string) string { return strings.ToUpper(s) }

func secondFactor(err error) *signin.SecondFactorError {
	second, _ := errors.AsType[*signin.SecondFactorError](err)
	return second
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}
