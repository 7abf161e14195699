package answers_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
	"github.com/zerostarter/authdb/permission"
)

// answerIsGone are the writing methods whose second call under a key says that the first one's answer is gone.
var answerIsGone = strings.Fields(`Users.CreateMany Users.Delete Sessions.CreateMany
	Sessions.DeleteByTokens Sessions.DeleteByUser Sessions.DeleteOthers Sessions.DeleteExpired Accounts.DeleteByUser
	Verifications.Consume Verifications.ConsumeValue Verifications.UpdateByIdentifier Verifications.DeleteByIdentifier
	Verifications.DeleteExpired Organizations.Delete Members.CreateMany Teams.RecountMembers Invitations.CancelExpired`)

// TestOnce calls every method twice under one key: the second call changes nothing, and answers as Once says. Without a
// key, the same second calls change something.
func TestOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := authdbtest.New(t)
	writes, plainlyTwice := 0, 0
	for i, name := range kit.KeysOf(kit.MethodCalls) {
		n := fmt.Sprintf(".%d", i)
		w, err := kit.NewEstate(ctx, store.Pool(), n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		at := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return kit.Today }))
		before := kit.ReadTables(t, store)
		key := authdb.Once(ctx, "key of "+name)
		if err := kit.MethodCalls[name](key, at, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after := kit.ReadTables(t, store)
		marks := kit.Count(t, store, `SELECT count(*) FROM authdb.mark WHERE split_part(operation, ' ', 1) = $1`, name)
		if wrote := cmp.Diff(before, after) != ""; wrote && marks != 1 || marks > 1 {
			t.Errorf("%s: %d marks", name, marks)
		}
		if marks == 0 {
			continue
		}
		writes++
		err = kit.MethodCalls[name](key, authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return kit.Today })), w)
		isGone := strings.Contains(" "+strings.Join(answerIsGone, " ")+" ", " "+name+" ")
		if errors.Is(err, kit.ErrNone) && name == "Sessions.Refresh" {
			err = nil // it was due then
		}
		if isGone != errors.Is(err, authdb.ErrAlreadyDone) || !isGone && err != nil && !wentWithTheRow(name, err) {
			t.Errorf("%s again: %v", name, err)
		}
		if diff := cmp.Diff(after, kit.ReadTables(t, store)); diff != "" {
			t.Errorf("%s again changed (-before +after):\n%s", name, diff)
		}
		if _ = kit.MethodCalls[name](ctx, at, w); cmp.Diff(after, kit.ReadTables(t, store)) != "" {
			plainlyTwice++ // the control
		}
	}
	if writes < 45 || plainlyTwice < 3 {
		t.Errorf("only %d writes, of which %d change something without a key", writes, plainlyTwice)
	}
}

// wentWithTheRow: the row that the first call changed cannot be read by the key that this call has.
func wentWithTheRow(name string, err error) bool {
	return name == "Invitations.Create" && errors.Is(err, authdb.ErrNotFound)
}

// TestOnceAtOnce: of many calls under one key, one does it and all get its row.
func TestOnceAtOnce(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	key := authdb.Once(t.Context(), "sign-up")
	var ids sync.Map
	var ran atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			user, err := store.Users.Create(key, authdb.CreateUserParams{Email: "same@example.com"})
			if err != nil {
				t.Error(err)
			}
			ids.Store(user.ID, true)
			err = store.InTx(authdb.Once(t.Context(), "transaction"), func(*authdb.Store) error { ran.Add(1); return nil })
			if err != nil && !errors.Is(err, authdb.ErrAlreadyDone) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 || ran.Load() != 1 || kit.Count(t, store, `SELECT count(*) FROM "user"`) != 1 {
		t.Errorf("%d ids, %d runs", n, ran.Load())
	}
}

// TestOnceRefusals: what was refused may be tried again under the same key, but what must be remembered is.
func TestOnceRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := authdbtest.New(t)
	taken := authdbtest.User(t, store)
	key := authdb.Once(ctx, "1")
	for range 2 {
		_, err := store.Users.Create(key, authdb.CreateUserParams{Email: taken.Email})
		if !errors.Is(err, authdb.ErrEmailTaken) {
			t.Error(err)
		}
	}
	if _, err := store.Users.Create(key, authdb.CreateUserParams{Email: "free@example.com"}); err != nil {
		t.Error(err)
	}
	if err := store.InTx(authdb.Once(ctx, "2"), func(*authdb.Store) error { return kit.ErrNone }); err != kit.ErrNone { //nolint:errorlint // the very error
		t.Error(err)
	}
	if err := store.InTx(authdb.Once(ctx, "2"), func(tx *authdb.Store) error {
		// Under the key of the transaction, not one of their own.
		inner := authdb.Once(ctx, "2")
		_, err := tx.Users.Update(inner, taken.ID, authdb.UpdateUserParams{Name: authdb.Set("a")})
		return errors.Join(err, tx.InTx(inner, func(*authdb.Store) error { return nil }))
	}); err != nil {
		t.Error(err)
	}
	authdbtest.Verification(t, store, func(p *authdb.CreateVerificationParams) { p.Identifier, p.Value = "code", "123456:0" })
	for range 5 {
		err := store.Verifications.ConsumeCode(authdb.Once(ctx, "3"), authdb.ConsumeCodeParams{Identifier: "code", Code: "0"})
		if !errors.Is(err, authdb.ErrWrongCode) {
			t.Error(err)
		}
		if _, err := store.Verifications.Consume(authdb.Once(ctx, "4"), "nothing"); !errors.Is(err, authdb.ErrNotFound) {
			t.Error(err)
		}
	}
	if n := kit.Count(t, store, `SELECT count(*) FROM verification WHERE value = '123456:1'`); n != 1 {
		t.Error("the guess was not counted once")
	}

	tx, err := store.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	for reason, call := range map[string]func() error{
		"empty": func() error {
			return store.Teams.Delete(authdb.Once(ctx, ""), authdb.DeleteTeamParams{OrganizationID: "a", TeamID: "b"})
		},
		"the key was used for another call": func() error { return store.InTx(key, func(*authdb.Store) error { return nil }) },
		"in a transaction without one":      func() error { return authdb.New(tx).Sessions.DeleteByToken(key, "x") },
		"handle of an unknown type": func() error {
			return authdb.New(struct{ authdb.DB }{store.Pool()}).Sessions.DeleteByToken(key, "x")
		},
	} {
		e, _ := errors.AsType[*authdb.Error](call())
		if e == nil || !errors.Is(e, authdb.ErrInvalidInput) || e.Field != "once" || e.Reason != reason {
			t.Errorf("%v, want %q", e, reason)
		}
	}
}

// TestOnceOnAConnection: a connection of the caller's and its savepoints will do.
func TestOnceOnAConnection(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn := kit.Must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
	defer func() { _ = conn.Close(ctx) }()
	store := authdb.New(conn)
	var ids []string
	for range 2 {
		user, err := store.Users.Create(authdb.Once(ctx, "x"), authdb.CreateUserParams{Email: "x@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, user.ID)
	}
	if ids[0] != ids[1] {
		t.Error(ids)
	}
}

// TestMarksExpire: a purge takes the old ones, the oldest first, and leaves what somebody holds.
func TestMarksExpire(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := authdbtest.New(t, authdb.WithOnce())
	var now time.Time
	at := authdb.New(store.Pool(), authdb.WithOnce(), authdb.WithClock(func() time.Time { return now }))
	for hour := range 5 {
		now = kit.Today.Add(time.Duration(hour) * time.Hour)
		if _, err := at.Users.Create(ctx, authdb.CreateUserParams{Email: fmt.Sprintf("%d@example.com", hour)}); err != nil {
			t.Fatal(err)
		}
	}
	purger := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return now }))
	now = kit.Today.Add(authdb.MarkLifetime + 3*time.Hour)
	for _, want := range []int64{2, 1, 0} {
		if n, err := purger.DeleteExpiredMarks(ctx, 2); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	if n := kit.Count(t, store, `SELECT count(*) FROM authdb.mark WHERE created_at >= $1`, kit.Today.Add(3*time.Hour)); n != 2 {
		t.Errorf("%d left", n)
	}
	if _, err := purger.DeleteExpiredMarks(ctx, 0); !errors.Is(err, authdb.ErrInvalidInput) {
		t.Error(err)
	}
}

// TestWithoutMarksNothingIsNeeded: who uses neither Once nor WithOnce needs no table; who does is told what is missing.
func TestWithoutMarksNothingIsNeeded(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	kit.Exec(t, store, `DROP TABLE authdb.mark`)
	authdbtest.Organization(t, store)
	_, err := store.Users.Create(authdb.Once(t.Context(), "x"), authdb.CreateUserParams{Email: "x@example.com"})
	if err == nil || !strings.Contains(err.Error(), `relation "authdb.mark" does not exist`) {
		t.Error(err)
	}
}

// keyedCalls are the arguments of each writing method, behind the context, in an estate where it succeeds once.
func keyedCalls(w kit.Estate) map[string][]any {
	secret := func(s string) authdb.Secret { return authdb.Secret(w.Of(s)) }
	some := new(authdb.Secret("x"))
	return map[string][]any{
		"Users.Create": {authdb.CreateUserParams{Email: w.Mail("new")}},
		"Users.CreateWithAccount": {authdb.CreateUserWithAccountParams{
			User:    authdb.CreateUserParams{Email: w.Mail("new")},
			Account: authdb.CreateAccountParams{ProviderID: "gitlab", AccountID: w.Of("new"), Password: some, AccessToken: some},
		}},
		"Users.CreateMany":  {[]authdb.CreateUserParams{{Email: w.Mail("new")}}},
		"Users.Update":      {w.Owner, authdb.UpdateUserParams{Name: authdb.Set("x")}},
		"Users.SetEmail":    {w.Owner, authdb.SetEmailParams{Email: w.Mail("new")}},
		"Users.VerifyEmail": {w.Owner, authdb.VerifyEmailParams{Email: w.Email}},
		"Users.Delete":      {authdb.DeleteUserParams{UserID: w.Owner, SuccessorID: w.Of("heir")}},

		"Sessions.Create":                {authdb.CreateSessionParams{UserID: w.Owner}},
		"Sessions.CreateMany":            {[]authdb.CreateSessionParams{{UserID: w.Owner}}},
		"Sessions.UpdateByToken":         {secret("token"), authdb.UpdateSessionParams{ExpiresAt: authdb.Set(kit.Today)}},
		"Sessions.Refresh":               {authdb.RefreshSessionParams{Token: secret("token")}},
		"Sessions.SetActiveOrganization": {authdb.SetActiveOrganizationParams{UserID: w.Owner, Token: secret("token"), OrganizationID: w.Org}},
		"Sessions.SetActiveTeam":         {authdb.SetActiveTeamParams{UserID: w.Owner, Token: secret("token"), TeamID: w.Of("team")}},
		"Sessions.Delete":                {w.Owner, w.Of("session")},
		"Sessions.DeleteByToken":         {secret("token")},
		"Sessions.DeleteByTokens":        {[]authdb.Secret{secret("token"), secret("guest")}},
		"Sessions.DeleteByUser":          {w.Owner},
		"Sessions.DeleteOthers":          {w.Owner, w.Of("session")},
		"Sessions.DeleteExpired":         {1_000},

		"Accounts.Create": {authdb.CreateAccountParams{UserID: w.Owner, ProviderID: "gitlab", AccountID: w.Of("new"), RefreshToken: some}},
		"Accounts.Link":   {authdb.CreateAccountParams{UserID: w.Owner, ProviderID: "github", AccountID: w.Of("identity"), IDToken: some}},
		"Accounts.Update": {w.Owner, w.Of("identity"), authdb.UpdateAccountParams{
			AccessToken: authdb.Set(*some), RefreshTokenExpiresAt: authdb.Set(kit.Today),
		}},
		"Accounts.SetPassword":  {w.Owner, *some},
		"Accounts.Delete":       {authdb.DeleteAccountParams{UserID: w.Owner, ID: w.Of("identity")}},
		"Accounts.DeleteByUser": {w.Owner},

		"Verifications.Create":             {authdb.CreateVerificationParams{Identifier: secret("new"), ExpiresAt: kit.Today.Add(time.Hour)}},
		"Verifications.Reserve":            {authdb.CreateVerificationParams{Identifier: secret("new"), ExpiresAt: kit.Today.Add(time.Hour)}},
		"Verifications.Consume":            {secret("proof")},
		"Verifications.ConsumeValue":       {secret("proof"), authdb.Secret("value")},
		"Verifications.ConsumeCode":        {authdb.ConsumeCodeParams{Identifier: secret("code"), Code: "123456"}},
		"Verifications.Update":             {w.Of("proof"), authdb.UpdateVerificationParams{Value: authdb.Set(*some)}},
		"Verifications.UpdateByIdentifier": {secret("proof"), authdb.UpdateVerificationParams{Value: authdb.Set(*some)}},
		"Verifications.Delete":             {w.Of("proof")},
		"Verifications.DeleteByIdentifier": {secret("proof")},
		"Verifications.DeleteExpired":      {1_000},

		"Organizations.Create": {authdb.CreateOrganizationParams{Slug: w.Of("new"), OwnerID: w.Owner}},
		"Organizations.Update": {w.Org, authdb.UpdateOrganizationParams{Logo: authdb.SetNull[string]()}},
		"Organizations.Delete": {w.Org},

		"Members.Create":     {authdb.CreateMemberParams{OrganizationID: w.Org, UserID: w.Of("stranger")}},
		"Members.CreateMany": {[]authdb.CreateMemberParams{{OrganizationID: w.Org, UserID: w.Of("stranger")}}},
		"Members.Update":     {w.Org, w.Member, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleAdmin)}},
		"Members.Delete":     {authdb.DeleteMemberParams{OrganizationID: w.Org, MemberID: w.Member}},
		"Members.Leave":      {w.Org, w.Owner},

		"Teams.Create":         {authdb.CreateTeamParams{OrganizationID: w.Org}},
		"Teams.Update":         {w.Org, w.Of("team"), authdb.UpdateTeamParams{Name: authdb.Set("x")}},
		"Teams.Delete":         {authdb.DeleteTeamParams{OrganizationID: w.Org, TeamID: w.Of("team")}},
		"Teams.RecountMembers": {w.Org},

		"TeamMembers.Create":       {authdb.CreateTeamMemberParams{OrganizationID: w.Org, TeamID: w.Of("team"), UserID: w.Of("idle")}},
		"TeamMembers.CreateMany":   {[]authdb.CreateTeamMemberParams{{OrganizationID: w.Org, TeamID: w.Of("team"), UserID: w.Of("idle")}}},
		"TeamMembers.Delete":       {w.Org, w.Of("seat")},
		"TeamMembers.DeleteByUser": {w.Org, w.Of("team"), w.Owner},

		"Invitations.Create": {authdb.CreateInvitationParams{
			OrganizationID: w.Org, InviterID: w.Owner, Email: w.Mail("new"), TeamIDs: []string{w.Of("team")}, ExpiresAt: kit.Today.Add(time.Hour),
		}},
		"Invitations.Accept":        {authdb.AcceptInvitationParams{InvitationID: w.Of("invitation"), UserID: w.Of("joiner")}},
		"Invitations.Reject":        {authdb.RejectInvitationParams{InvitationID: w.Of("invitation"), UserID: w.Of("joiner")}},
		"Invitations.Cancel":        {w.Org, w.Of("invitation")},
		"Invitations.CancelExpired": {w.Org},
		"Invitations.Delete":        {w.Org, w.Of("invitation")},
	}
}

// other is an argument that differs in one thing, which is at path.
type other struct {
	path  string
	value reflect.Value
}

// others are what may stand in place of v.
func others(path string, v reflect.Value) (all []other) {
	add := func(path string, value any) { all = append(all, other{path, reflect.ValueOf(value)}) }
	switch change := v.Interface().(type) {
	case authdb.Change[string]:
		add(path, authdb.Set(`"other"`))
		return all
	case authdb.Change[authdb.Secret]:
		if change.IsZero() {
			path += " or not"
		}
		add(path, authdb.Set(authdb.Secret("other")))
		return all
	case authdb.Change[time.Time]:
		if path += ".time"; change.IsZero() {
			path += " or not"
		}
		add(path, authdb.Set(kit.Today.Add(time.Hour)))
		return all
	case authdb.Actor:
		add(path+".user", authdb.By("other", permission.Rules{}))
		add(path+".rules", authdb.By("other", permission.Rules{Roles: permission.Roles{}}))
		return all
	case time.Time:
		add(path+".time", change.Add(time.Hour))
		return all
	}
	within := func(path string, set func(c, v reflect.Value), inner ...other) {
		for _, o := range inner {
			c := reflect.New(v.Type()).Elem()
			c.Set(v)
			set(c, o.value)
			all = append(all, other{path + o.path, c})
		}
	}
	switch v.Kind() {
	case reflect.String:
		text := "1" + v.String() // which by itself is JSON, too
		if strings.HasSuffix(path, "Metadata") {
			text = kit.AsJSON(text)
		}
		add(path, reflect.ValueOf(text).Convert(v.Type()).Interface())
	case reflect.Bool:
		add(path, !v.Bool())
	case reflect.Int, reflect.Int64:
		add(path, reflect.ValueOf(v.Int()+1).Convert(v.Type()).Interface())
	case reflect.Pointer:
		point := func(c, to reflect.Value) { c.Set(reflect.New(to.Type())); c.Elem().Set(to) }
		if v.IsNil() {
			within(path+" or not", point, others("", reflect.Zero(v.Type().Elem()))...)
		} else {
			all = append(all, other{path + " or not", reflect.Zero(v.Type())})
			within(path, point, others("", v.Elem())...)
		}
	case reflect.Struct:
		for i, field := range reflect.VisibleFields(v.Type()) {
			within(path, func(c, to reflect.Value) { c.Field(i).Set(to) }, others("."+field.Name, v.Field(i))...)
		}
	case reflect.Slice:
		first := func(c, to reflect.Value) { c.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), to)) }
		if v.Len() == 0 {
			within(path, first, other{"", reflect.Zero(v.Type().Elem())})
		} else {
			within(path, first, others("", v.Index(0))...)
		}
	default:
		panic(path)
	}
	return all
}

// mayDiffer is what another call may be given and yet be the same.
var mayDiffer = regexp.MustCompile(`^[^ ]*\.time$|\.(Password|AccessToken|RefreshToken|IDToken)$|^Accounts\.SetPassword 1$`)

// refusedAnyway are arguments that the method takes of nobody.
var refusedAnyway = strings.Fields(`Users.CreateWithAccount.Account.UserID Users.Delete.DeleteOrganizations
	Accounts.Link.Password Verifications.Reserve.ID`)

// TestKeyIsOfEveryArgument: under the key of a call, no other call of its method is taken for it, whatever it was given.
func TestKeyIsOfEveryArgument(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := authdbtest.New(t)
	at := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return kit.Today }))
	call := func(ctx context.Context, name string, args []reflect.Value) error {
		repository, method, _ := strings.Cut(name, ".")
		results := reflect.ValueOf(at).Elem().FieldByName(repository).MethodByName(method).
			Call(append([]reflect.Value{reflect.ValueOf(ctx)}, args...))
		err, _ := results[len(results)-1].Interface().(error)
		return err
	}
	reads := regexp.MustCompile(`\.(Get|List|All|Count|Load|Search|Authenticate)`)
	calls, same := 0, 0
	for i, name := range kit.KeysOf(kit.MethodCalls) {
		if reads.MatchString(name) {
			continue
		}
		n := fmt.Sprintf(".%d", i)
		w, err := kit.NewEstate(ctx, store.Pool(), n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		var args []reflect.Value
		for _, arg := range keyedCalls(w)[name] {
			args = append(args, reflect.ValueOf(arg))
		}
		if len(args) == 0 {
			t.Errorf("%s has no arguments here", name)
			continue
		}
		key := authdb.Once(ctx, "key of "+name)
		if err := call(key, name, args); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range args {
			path := name
			if args[i].Kind() != reflect.Struct && args[i].Kind() != reflect.Slice {
				path += fmt.Sprint(" ", i)
			}
			for _, o := range others(path, args[i]) {
				calls++
				err := call(key, name, slices.Replace(slices.Clone(args), i, i+1, o.value))
				e, _ := errors.AsType[*authdb.Error](err)
				isOther := e != nil && e.Field == "once" && e.Reason == "the key was used for another call"
				switch {
				case slices.Contains(refusedAnyway, strings.TrimSuffix(o.path, " or not")):
					isOther = !errors.Is(err, authdb.ErrInvalidInput)
				case mayDiffer.MatchString(o.path):
					same++
				default:
					isOther = !isOther
				}
				if isOther {
					t.Errorf("%s: %v", o.path, err)
				}
			}
		}
	}
	if calls < 200 || same < 12 {
		t.Errorf("only %d calls, of which %d are the same", calls, same)
	}
	t.Logf("%d calls, %d of them the same as the first", calls, same)
}

// TestPrintedContextShowsNoKey: whoever knows a key can read its answer.
func TestPrintedContextShowsNoKey(t *testing.T) {
	t.Parallel()
	ctx := authdb.Once(t.Context(), "canary")
	for _, text := range []string{fmt.Sprint(ctx), fmt.Sprintf("%+v %#v", ctx, ctx)} {
		if strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
}

// TestKeysOfRowsWithAnID: with an id of the caller's, a second call returns the row as a first one does, and another
// call is none.
func TestKeysOfRowsWithAnID(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	key := authdb.Once(t.Context(), "key")
	user := authdb.CreateUserParams{ID: "mine", Email: "a@x.io"}
	first := kit.Must[authdb.User](t)(s.Users.Create(key, user))
	kit.Returns(t, first)(s.Users.Create(key, user))
	kit.Fails(t, kit.ErrOf(s.Users.Create(key, authdb.CreateUserParams{ID: "mine", Email: "b@x.io"})), authdb.ErrInvalidInput, "Users.Create", "once")
	kit.Fails(t, kit.ErrOf(s.Organizations.Create(key, authdb.CreateOrganizationParams{ID: "mine", Slug: "x", OwnerID: "mine"})),
		authdb.ErrInvalidInput, "Organizations.Create", "once")
	many := []authdb.CreateUserParams{{ID: "m 0", Email: "m0@x.io"}, {ID: "refused: wrong code", Email: "m1@x.io"}}
	key = authdb.Once(t.Context(), "many")
	kit.Must[[]authdb.User](t)(s.Users.CreateMany(key, many))
	kit.Fails(t, kit.ErrOf(s.Users.CreateMany(key, many)), authdb.ErrAlreadyDone, "Users.CreateMany", "")
	kit.Fails(t, kit.ErrOf(s.Users.CreateMany(key, many[1:])), authdb.ErrInvalidInput, "Users.CreateMany", "once")

	signIn := authdb.CreateSessionParams{ID: "session", UserID: "mine"}
	key = authdb.Once(t.Context(), "sign in")
	tokens := make([]authdb.Secret, 8)
	if errs := kit.AtOnce(len(tokens), func(i int) error {
		row, err := s.Sessions.Create(key, signIn)
		tokens[i] = row.Token
		return err
	}); kit.Succeeded(t, errs) != len(tokens) {
		t.Error("not all succeeded")
	}
	if slices.Sort(tokens); tokens[0] == "" || tokens[0] != tokens[7] {
		t.Error("not the same session for all")
	}
}

// TestKeyInsideAnother: a transaction has one key; what is done in it under another would be done again.
func TestKeyInsideAnother(t *testing.T) {
	t.Parallel()
	s := kit.NewFixture(t)
	org, _ := kit.Owned(t, s)
	outer, inner := authdb.Once(t.Context(), "job"), authdb.Once(t.Context(), "message")
	create := func(ctx context.Context) func(tx *authdb.Store) error {
		return func(tx *authdb.Store) error {
			return kit.ErrOf(tx.Teams.Create(ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "x"}))
		}
	}
	kit.Fails(t, s.InTx(outer, create(inner)), authdb.ErrInvalidInput, "Teams.Create", "once")
	kit.Fails(t, s.InTx(outer, func(tx *authdb.Store) error { return tx.InTx(inner, create(t.Context())) }), authdb.ErrInvalidInput, "InTx", "once")
	if err := s.InTx(outer, func(tx *authdb.Store) error {
		return errors.Join(create(outer)(tx), tx.InTx(outer, create(t.Context())), create(t.Context())(tx.WithTx(tx.Tx())))
	}); err != nil {
		t.Error(err)
	}
	if n := kit.Count(t, s.Store, "SELECT count(*) FROM team"); n != 3 {
		t.Errorf("%d teams", n)
	}
}

// cancels ends a context when the first flight of a call is through.
type cancels struct {
	cancel atomic.Pointer[context.CancelFunc]
}

func (*cancels) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*cancels) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*cancels) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (*cancels) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *cancels) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {
	if cancel := c.cancel.Swap(nil); cancel != nil {
		(*cancel)()
	}
}

// TestKeyGivenUpBetweenTrips: a call that ends between its statements and its COMMIT leaves no transaction open, in
// which the next write would be, to be lost.
func TestKeyGivenUpBetweenTrips(t *testing.T) {
	t.Parallel()
	store, tracer := authdbtest.New(t), &cancels{}
	cfg := store.Pool().Config().ConnConfig
	cfg.Tracer = tracer
	conn := kit.Must[*pgx.Conn](t)(pgx.ConnectConfig(t.Context(), cfg))
	defer func() { _ = conn.Close(context.Background()) }()
	db := authdb.New(conn)
	kit.Must[authdb.User](t)(db.Users.Create(authdb.Once(t.Context(), "warm"), authdb.CreateUserParams{Email: "warm@x.io"}))
	ctx, cancel := context.WithCancel(t.Context())
	tracer.cancel.Store(&cancel)
	_, err := db.Users.Create(authdb.Once(ctx, "key"), authdb.CreateUserParams{Email: "a@x.io"})
	if e, _ := errors.AsType[*authdb.Error](err); e == nil || e.Outcome != authdb.OutcomeNotApplied {
		t.Errorf("given up: %v", err)
	}
	if tracer.cancel.Load() != nil || !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		t.Errorf("status %c, closed %v", conn.PgConn().TxStatus(), conn.IsClosed())
	}
}
