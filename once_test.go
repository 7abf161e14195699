package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
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
	for i, name := range keysOf(methodCalls) {
		n := fmt.Sprintf(".%d", i)
		w, err := newEstate(ctx, store.Pool(), n, "org"+n, "user"+n)
		if err != nil {
			t.Fatal(err)
		}
		at := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return today }))
		before := readTables(t, store)
		key := authdb.Once(ctx, "key of "+name)
		if err := methodCalls[name](key, at, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after := readTables(t, store)
		marks := count(t, store, `SELECT count(*) FROM authdb.mark WHERE split_part(operation, ' ', 1) = $1`, name)
		if wrote := cmp.Diff(before, after) != ""; wrote && marks != 1 || marks > 1 {
			t.Errorf("%s: %d marks", name, marks)
		}
		if marks == 0 {
			continue
		}
		writes++
		err = methodCalls[name](key, authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return today })), w)
		isGone := strings.Contains(" "+strings.Join(answerIsGone, " ")+" ", " "+name+" ")
		if errors.Is(err, errNone) && name == "Sessions.Refresh" {
			err = nil // it was due then
		}
		if isGone != errors.Is(err, authdb.ErrAlreadyDone) || !isGone && err != nil && !wentWithTheRow(name, err) {
			t.Errorf("%s again: %v", name, err)
		}
		if diff := cmp.Diff(after, readTables(t, store)); diff != "" {
			t.Errorf("%s again changed (-before +after):\n%s", name, diff)
		}
		if _ = methodCalls[name](ctx, at, w); cmp.Diff(after, readTables(t, store)) != "" {
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

func count(t *testing.T, s *authdb.Store, sql string, args ...any) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOnceAtOnce: of many calls under one key, one does it and all get its row.
func TestOnceAtOnce(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	key := authdb.Once(t.Context(), "sign-up")
	var ids sync.Map
	var ran atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			user, err := store.Users.Create(key, authdb.CreateUserParams{Name: fmt.Sprint(i), Email: "same@example.com"})
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
	if n != 1 || ran.Load() != 1 || count(t, store, `SELECT count(*) FROM "user"`) != 1 {
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
	if err := store.InTx(authdb.Once(ctx, "2"), func(*authdb.Store) error { return errNone }); err != errNone { //nolint:errorlint // the very error
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
	if n := count(t, store, `SELECT count(*) FROM verification WHERE value = '123456:1'`); n != 1 {
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
		"of another call":              func() error { return store.InTx(key, func(*authdb.Store) error { return nil }) },
		"in a transaction without one": func() error { return authdb.New(tx).Sessions.DeleteByToken(key, "x") },
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
	conn := must[*pgx.Conn](t)(pgx.Connect(ctx, authdbtest.DSN(t)))
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
		now = today.Add(time.Duration(hour) * time.Hour)
		if _, err := at.Users.Create(ctx, authdb.CreateUserParams{Email: fmt.Sprintf("%d@example.com", hour)}); err != nil {
			t.Fatal(err)
		}
	}
	purger := authdb.New(store.Pool(), authdb.WithClock(func() time.Time { return now }))
	now = today.Add(authdb.MarkLifetime + 3*time.Hour)
	for _, want := range []int64{2, 1, 0} {
		if n, err := purger.DeleteExpiredMarks(ctx, 2); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
	}
	if n := count(t, store, `SELECT count(*) FROM authdb.mark WHERE created_at >= $1`, today.Add(3*time.Hour)); n != 2 {
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
	exec(t, store, `DROP TABLE authdb.mark`)
	authdbtest.Organization(t, store)
	_, err := store.Users.Create(authdb.Once(t.Context(), "x"), authdb.CreateUserParams{Email: "x@example.com"})
	if err == nil || !strings.Contains(err.Error(), `relation "authdb.mark" does not exist`) {
		t.Error(err)
	}
}
