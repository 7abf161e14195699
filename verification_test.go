package authdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
)

func TestVerifications(t *testing.T) {
	t.Parallel()
	runTests(t, []subTest{
		{"Create", testVerificationCreate},
		{"NewestWins", testVerificationNewest},
		{"Expiry", testVerificationExpiry},
		{"NotFound", testVerificationNotFound},
		{"Reserve", testVerificationReserve},
		{"Consume", testVerificationConsume},
		{"ConsumeValue", testVerificationConsumeValue},
		{"ConsumeCode", testVerificationConsumeCode},
		{"ConsumeCodeFormats", testVerificationCodeFormats},
		{"Update", testVerificationUpdate},
		{"UpdateByIdentifier", testVerificationUpdateByIdentifier},
		{"Delete", testVerificationDelete},
		{"DeleteExpired", testVerificationDeleteExpired},
		{"List", testVerificationList},
	})
}

func newVerification(t *testing.T, s *fixture, identifier string, lifetime time.Duration) authdb.Verification {
	t.Helper()
	return must[authdb.Verification](t)(s.Verifications.Create(t.Context(), authdb.CreateVerificationParams{
		Identifier: authdb.Secret(identifier), Value: "123456:0", ExpiresAt: s.now.Add(lifetime),
	}))
}

func testVerificationCreate(t *testing.T, s *fixture) {
	ctx := t.Context()
	want := readTables(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		s.now = s.now.Add(time.Minute)
		v := authdb.Verification{
			ID: s.id(1), Identifier: "create", Value: `{"a":1}`, ExpiresAt: s.now.Add(lifetime),
			CreatedAt: s.now, UpdatedAt: s.now,
		}
		returns(t, v)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: v.Identifier, Value: v.Value, ExpiresAt: v.ExpiresAt.Add(999 * time.Microsecond),
		}))
		returns(t, v)(s.Verifications.Get(ctx, v.ID))
		want["verification"][v.ID] = asRow(v)
	}
	s.holds(t, want)
}

func testVerificationNewest(t *testing.T, s *fixture) {
	ctx := t.Context()
	newVerification(t, s, "another", time.Hour)
	first, second := newVerification(t, s, "newest", time.Hour), newVerification(t, s, "newest", time.Hour)
	returns(t, second)(s.Verifications.GetByIdentifier(ctx, "newest"))
	first.CreatedAt = s.now.Add(2 * time.Millisecond)
	exec(t, s.Store, `UPDATE verification SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	returns(t, first)(s.Verifications.GetByIdentifier(ctx, "newest"))
	s.now = s.now.Add(time.Second)
	third := newVerification(t, s, "newest", -time.Millisecond)
	_, err := s.Verifications.GetByIdentifier(ctx, "newest")
	fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
	if err := s.Verifications.Delete(ctx, third.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Verifications.GetByIdentifier(ctx, "newest") // what it had replaced went along
	fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
}

func testVerificationExpiry(t *testing.T, s *fixture) {
	ctx := t.Context()
	v := newVerification(t, s, "expiry", time.Hour)
	end := v.ExpiresAt
	for _, s.now = range []time.Time{end.Add(-time.Hour), end.Add(-time.Millisecond)} {
		returns(t, v)(s.Verifications.GetByIdentifier(ctx, "expiry"))
	}
	for _, s.now = range []time.Time{end, end.Add(time.Millisecond)} {
		_, err := s.Verifications.GetByIdentifier(ctx, "expiry")
		fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
	}
	returns(t, v)(s.Verifications.Get(ctx, v.ID))
}

func testVerificationNotFound(t *testing.T, s *fixture) {
	ctx := t.Context()
	newVerification(t, s, "some", time.Hour)
	want := readTables(t, s.Store)
	notFound(t, map[string]error{
		"Verifications.Get":             errOf(s.Verifications.Get(ctx, "none")),
		"Verifications.GetByIdentifier": errOf(s.Verifications.GetByIdentifier(ctx, "none")),
		"Verifications.Update":          errOf(s.Verifications.Update(ctx, "none", authdb.UpdateVerificationParams{})),
		"Verifications.Delete":          s.Verifications.Delete(ctx, "none"),
		"Verifications.Consume":         errOf(s.Verifications.Consume(ctx, "none")),
		"Verifications.ConsumeValue":    errOf(s.Verifications.ConsumeValue(ctx, "none", "")),
		"Verifications.ConsumeCode":     s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "none", Code: "1"}),
	})
	returns(t, int64(0))(s.Verifications.UpdateByIdentifier(ctx, "none", authdb.UpdateVerificationParams{}))
	returns(t, int64(0))(s.Verifications.DeleteByIdentifier(ctx, "none"))
	s.holds(t, want)
}

func testVerificationReserve(t *testing.T, s *fixture) {
	ctx := t.Context()
	want := readTables(t, s.Store)
	p := authdb.CreateVerificationParams{Identifier: "message 1", Value: "v", ExpiresAt: s.now.Add(1999 * time.Microsecond)}
	reserve := func(p authdb.CreateVerificationParams) error { return s.Verifications.Reserve(ctx, p) }
	if err := reserve(p); err != nil {
		t.Fatal(err)
	}
	v := authdb.Verification{
		// What Better Auth 1.7 makes of it: base64url(sha256("reserve:message 1")).
		ID: "icGj8IHyq30AZm_E8CdpD05SKRN1-IYQpAsizpnp0_I", Identifier: p.Identifier, Value: "v",
		ExpiresAt: s.now.Add(time.Millisecond), CreatedAt: s.now, UpdatedAt: s.now,
	}
	want["verification"][v.ID] = asRow(v)
	s.holds(t, want)
	p.Value = "other"
	for range 2 { // also when it has expired
		fails(t, reserve(p), authdb.ErrConflict, "Verifications.Reserve", "identifier")
		s.now = s.now.Add(time.Hour)
	}
	s.holds(t, want)
	fails(t, reserve(authdb.CreateVerificationParams{ExpiresAt: s.now}), authdb.ErrInvalidInput, "Verifications.Reserve", "identifier")
	fails(t, reserve(authdb.CreateVerificationParams{Identifier: "x"}), authdb.ErrInvalidInput, "Verifications.Reserve", "expires_at")
	s.holds(t, want)
	if err := reserve(authdb.CreateVerificationParams{Identifier: "message 2", ExpiresAt: s.now}); err != nil {
		t.Error(err)
	}
	returns(t, int64(1))(s.Verifications.DeleteByIdentifier(ctx, "message 1"))
	if err := reserve(p); err != nil {
		t.Errorf("after the deletion: %v", err)
	}
}

func testVerificationConsume(t *testing.T, s *fixture) {
	ctx := t.Context()
	consume := func() (authdb.Verification, error) { return s.Verifications.Consume(ctx, "consume") }
	newVerification(t, s, "consume 2", time.Hour)
	want := readTables(t, s.Store)
	newVerification(t, s, "consume", -time.Hour)
	newVerification(t, s, "consume", time.Hour)
	newest := newVerification(t, s, "consume", time.Millisecond)
	returns(t, newest)(consume())
	s.holds(t, want) // the older ones went along
	notFound(t, map[string]error{"Verifications.Consume": errOf(consume())})

	first := newVerification(t, s, "consume", time.Hour)
	newVerification(t, s, "consume", time.Hour)
	first.CreatedAt = s.now.Add(2 * time.Millisecond)
	exec(t, s.Store, `UPDATE verification SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	returns(t, first)(consume())
	s.holds(t, want)

	newVerification(t, s, "consume", time.Hour)
	s.now = s.now.Add(time.Second)
	newVerification(t, s, "consume", 0) // replaces the one before, though it has expired
	notFound(t, map[string]error{"Verifications.Consume": errOf(consume())})
	s.holds(t, want)
}

func testVerificationConsumeValue(t *testing.T, s *fixture) {
	ctx := t.Context()
	consume := func(value string) (authdb.Verification, error) {
		return s.Verifications.ConsumeValue(ctx, "value", authdb.Secret(value))
	}
	newVerification(t, s, "value 2", time.Hour)
	without := readTables(t, s.Store)
	old := newVerification(t, s, "value", time.Hour)
	exec(t, s.Store, `UPDATE verification SET value = 'old', created_at = created_at - interval '1 s' WHERE id = $1`, old.ID)
	v := newVerification(t, s, "value", time.Hour)
	want := readTables(t, s.Store)
	for _, value := range []string{"", "old", "123456", "123456:0 "} {
		notFound(t, map[string]error{"Verifications.ConsumeValue": errOf(consume(value))})
	}
	s.holds(t, want)
	returns(t, v)(consume(string(v.Value)))
	s.holds(t, without)
	notFound(t, map[string]error{"Verifications.ConsumeValue": errOf(consume(string(v.Value)))})
	expired := newVerification(t, s, "value", 0)
	notFound(t, map[string]error{"Verifications.ConsumeValue": errOf(consume(string(expired.Value)))})
	s.holds(t, without)
}

func testVerificationConsumeCode(t *testing.T, s *fixture) {
	ctx := t.Context()
	const op = "Verifications.ConsumeCode"
	p := authdb.ConsumeCodeParams{Identifier: "code", Code: "123456"}
	guess := func(code string) error {
		p := p
		p.Code = authdb.Secret(code)
		return s.Verifications.ConsumeCode(ctx, p)
	}
	newVerification(t, s, "code 2", time.Hour)
	without := readTables(t, s.Store)
	fresh := func(lifetime time.Duration) authdb.Verification {
		newVerification(t, s, "code", time.Hour) // goes along
		return newVerification(t, s, "code", lifetime)
	}
	fresh(time.Hour)
	if err := guess("123456"); err != nil {
		t.Error(err)
	}
	s.holds(t, without)
	fails(t, guess("123456"), authdb.ErrNotFound, op, "")

	for _, p.MaxAttempts = range []int{0, 1, 5, 2000} {
		allowed := max(p.MaxAttempts, 3*(1-min(p.MaxAttempts, 1)))
		v := fresh(time.Hour)
		want := readTables(t, s.Store)
		for i := range min(allowed, 10) {
			s.now = s.now.Add(time.Second)
			fails(t, guess("12345"), authdb.ErrWrongCode, op, "")
			want.set("verification", v.ID, map[string]any{"value": fmt.Sprint("123456:", i+1), "updated_at": jsonTime(s.now)})
			s.holds(t, want)
		}
		if allowed < 10 {
			for range 2 {
				for _, code := range []string{"123456", "12345"} {
					fails(t, guess(code), authdb.ErrTooManyAttempts, op, "")
				}
			}
			s.holds(t, want)
		}
		returns(t, int64(2))(s.Verifications.DeleteByIdentifier(ctx, "code"))
	}
	p.MaxAttempts = 3
	fresh(time.Hour)
	for range 2 {
		fails(t, guess("x"), authdb.ErrWrongCode, op, "")
	}
	if err := guess("123456"); err != nil { // the last of three guesses
		t.Error(err)
	}
	s.holds(t, without)

	v := fresh(time.Millisecond)
	s.now = v.ExpiresAt
	want := readTables(t, s.Store)
	for _, code := range []string{"123456", "x"} {
		fails(t, guess(code), authdb.ErrNotFound, op, "")
	}
	fails(t, guess(""), authdb.ErrInvalidInput, op, "code")
	p.MaxAttempts = -1
	fails(t, guess("1"), authdb.ErrInvalidInput, op, "max_attempts")
	s.holds(t, want)
}

// testVerificationCodeFormats: what is behind the last colon is the count, if it is one.
func testVerificationCodeFormats(t *testing.T, s *fixture) {
	ctx := t.Context()
	for _, test := range []struct{ value, code, after string }{ // after one wrong guess
		{"abc:2", "abc", "abc:3"},
		{"abc", "abc", "abc:1"},
		{"abc:", "abc:", "abc::1"},
		{"a:b:1", "a:b", "a:b:2"},
		{"n4bQgYhMfWWaL+qgxVrQFaO/:0", "n4bQgYhMfWWaL+qgxVrQFaO/", "n4bQgYhMfWWaL+qgxVrQFaO/:1"},
		{"salt:hash", "salt:hash", "salt:hash:1"},
		{"1:2:0", "1:2", "1:2:1"},
		{"code:-1", "code:-1", "code:-1:1"},
		{"code: 1", "code: 1", "code: 1:1"},
		{":0", "x", ""}, // no code: nothing proves it
	} {
		t.Run(test.value, func(t *testing.T) {
			p := authdb.ConsumeCodeParams{Identifier: "format", Code: "wrong", MaxAttempts: 5}
			create := func() authdb.Verification {
				return must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
					Identifier: "format", Value: authdb.Secret(test.value), ExpiresAt: s.now.Add(time.Hour),
				}))
			}
			v := create()
			fails(t, s.Verifications.ConsumeCode(ctx, p), authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
			if v = must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)); test.after != "" && string(v.Value) != test.after {
				t.Errorf("after a wrong guess: %q, want %q", v.Value, test.after)
			}
			p.Code = authdb.Secret(test.code)
			err := s.Verifications.ConsumeCode(ctx, p)
			if test.after != "" && err != nil || test.after == "" && !errors.Is(err, authdb.ErrWrongCode) {
				t.Errorf("the code %q of %q: %v", p.Code, test.value, err)
			}
			must[int64](t)(s.Verifications.DeleteByIdentifier(ctx, "format"))
		})
	}
}

func testVerificationUpdate(t *testing.T, s *fixture) {
	type params = authdb.UpdateVerificationParams
	newVerification(t, s, "update", time.Hour)
	v := newVerification(t, s, "update", time.Hour)
	end := s.now.Add(-time.Hour)
	checkUpdates(t, s, "verification", v,
		func(p params) (authdb.Verification, error) { return s.Verifications.Update(t.Context(), v.ID, p) },
		[]step[params, authdb.Verification]{
			{"nothing", params{}, func(*authdb.Verification) {}},
			{"value", params{Value: authdb.Set(authdb.Secret("123456:1"))}, func(v *authdb.Verification) { v.Value = "123456:1" }},
			{"end", params{ExpiresAt: authdb.Set(end)}, func(v *authdb.Verification) { v.ExpiresAt = end }},
			{"both", params{authdb.Set(authdb.Secret("")), authdb.Set(end.Add(time.Microsecond))}, func(v *authdb.Verification) { v.Value = "" }},
		})
}

func testVerificationUpdateByIdentifier(t *testing.T, s *fixture) {
	type params = authdb.UpdateVerificationParams
	newVerification(t, s, "other", time.Hour)
	rows := []authdb.Verification{
		newVerification(t, s, "all", -time.Hour), newVerification(t, s, "all", time.Hour), newVerification(t, s, "all", time.Minute),
	}
	end := s.now.Add(2 * time.Hour)
	for _, step := range []step[params, authdb.Verification]{
		{"nothing", params{}, func(*authdb.Verification) {}},
		{"value", params{Value: authdb.Set(authdb.Secret("v"))}, func(v *authdb.Verification) { v.Value = "v" }},
		{"end", params{ExpiresAt: authdb.Set(end)}, func(v *authdb.Verification) { v.ExpiresAt = end }},
	} {
		t.Run(step.name, func(t *testing.T) {
			want := readTables(t, s.Store)
			s.now = s.now.Add(time.Minute)
			for i := range rows {
				rows[i].UpdatedAt = s.now
				step.change(&rows[i])
				want["verification"][rows[i].ID] = asRow(rows[i])
			}
			returns(t, int64(3))(s.Verifications.UpdateByIdentifier(t.Context(), "all", step.params))
			s.holds(t, want)
		})
	}
}

func testVerificationDelete(t *testing.T, s *fixture) {
	ctx := t.Context()
	newVerification(t, s, "kept", time.Hour)
	before := readTables(t, s.Store)
	newVerification(t, s, "delete", time.Hour)
	newVerification(t, s, "delete", -time.Hour)
	v := newVerification(t, s, "delete", time.Hour)
	s.deletes(t, before, "Verifications.Delete", func() error { return s.Verifications.Delete(ctx, v.ID) })
	newVerification(t, s, "delete", time.Hour)
	newVerification(t, s, "delete", -time.Hour)
	returns(t, int64(2))(s.Verifications.DeleteByIdentifier(ctx, "delete"))
	s.holds(t, before)
}

func testVerificationDeleteExpired(t *testing.T, s *fixture) {
	ctx := t.Context()
	exec(t, s.Store, `DELETE FROM verification WHERE expires_at <= $1`, s.now)
	newVerification(t, s, "purge", time.Millisecond)
	want := readTables(t, s.Store)
	last := newVerification(t, s, "purge 3", 0)
	newVerification(t, s, "purge 1", -time.Hour)
	newVerification(t, s, "purge 2", -time.Millisecond)
	returns(t, int64(2))(s.Verifications.DeleteExpired(ctx, 2)) // the oldest first
	returns(t, last)(s.Verifications.Get(ctx, last.ID))
	returns(t, int64(1))(s.Verifications.DeleteExpired(ctx, 10_000))
	returns(t, int64(0))(s.Verifications.DeleteExpired(ctx, 1))
	for _, limit := range []int{-1, 0, 10_001} {
		fails(t, errOf(s.Verifications.DeleteExpired(ctx, limit)), authdb.ErrInvalidInput, "Verifications.DeleteExpired", "limit")
	}
	s.holds(t, want)
}

func testVerificationList(t *testing.T, s *fixture) {
	newVerification(t, s, "list 2", time.Hour)
	rows := rowsOf(func() authdb.Verification { return newVerification(t, s, "list", time.Duration(s.ids%5-2)*time.Hour) })
	returns(t, int64(54))(s.Verifications.Count(t.Context(), authdb.ListVerificationsParams{Identifier: "list"}))
	checkList(t, s, "Verifications.List", "verification", rows, func(after authdb.Cursor, limit int) authdb.ListVerificationsParams {
		return authdb.ListVerificationsParams{Identifier: "list", After: after, Limit: limit}
	}, s.Verifications.List, s.Verifications.All)
}
