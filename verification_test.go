package authdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func TestVerifications(t *testing.T) {
	t.Parallel()
	kit.RunTests(t, kit.SubTests{
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

func testVerificationCreate(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	want := kit.ReadTables(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
		s.Now = s.Now.Add(time.Minute)
		v := authdb.Verification{
			ID: s.Id(1), Identifier: "create", Value: `{"a":1}`, ExpiresAt: s.Now.Add(lifetime),
			CreatedAt: s.Now, UpdatedAt: s.Now,
		}
		kit.Returns(t, v)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: v.Identifier, Value: v.Value, ExpiresAt: v.ExpiresAt.Add(999 * time.Microsecond),
		}))
		kit.Returns(t, v)(s.Verifications.Get(ctx, v.ID))
		want["verification"][v.ID] = kit.AsRow(v)
	}
	s.Holds(t, want)
}

func testVerificationNewest(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	kit.NewVerification(t, s, "another", time.Hour)
	first, second := kit.NewVerification(t, s, "newest", time.Hour), kit.NewVerification(t, s, "newest", time.Hour)
	kit.Returns(t, second)(s.Verifications.GetByIdentifier(ctx, "newest"))
	first.CreatedAt = s.Now.Add(2 * time.Millisecond)
	kit.Exec(t, s.Store, `UPDATE verification SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	kit.Returns(t, first)(s.Verifications.GetByIdentifier(ctx, "newest"))
	s.Now = s.Now.Add(time.Second)
	third := kit.NewVerification(t, s, "newest", -time.Millisecond)
	_, err := s.Verifications.GetByIdentifier(ctx, "newest")
	kit.Fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
	if err := s.Verifications.Delete(ctx, third.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Verifications.GetByIdentifier(ctx, "newest") // what it had replaced went along
	kit.Fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
}

func testVerificationExpiry(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	v := kit.NewVerification(t, s, "expiry", time.Hour)
	end := v.ExpiresAt
	for _, s.Now = range []time.Time{end.Add(-time.Hour), end.Add(-time.Millisecond)} {
		kit.Returns(t, v)(s.Verifications.GetByIdentifier(ctx, "expiry"))
	}
	for _, s.Now = range []time.Time{end, end.Add(time.Millisecond)} {
		_, err := s.Verifications.GetByIdentifier(ctx, "expiry")
		kit.Fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
	}
	kit.Returns(t, v)(s.Verifications.Get(ctx, v.ID))
}

func testVerificationNotFound(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	kit.NewVerification(t, s, "some", time.Hour)
	want := kit.ReadTables(t, s.Store)
	kit.NotFound(t, map[string]error{
		"Verifications.Get":             kit.ErrOf(s.Verifications.Get(ctx, "none")),
		"Verifications.GetByIdentifier": kit.ErrOf(s.Verifications.GetByIdentifier(ctx, "none")),
		"Verifications.Update":          kit.ErrOf(s.Verifications.Update(ctx, "none", authdb.UpdateVerificationParams{})),
		"Verifications.Delete":          s.Verifications.Delete(ctx, "none"),
		"Verifications.Consume":         kit.ErrOf(s.Verifications.Consume(ctx, "none")),
		"Verifications.ConsumeValue":    kit.ErrOf(s.Verifications.ConsumeValue(ctx, "none", "")),
		"Verifications.ConsumeCode":     s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: "none", Code: "1"}),
	})
	kit.Returns(t, int64(0))(s.Verifications.UpdateByIdentifier(ctx, "none", authdb.UpdateVerificationParams{}))
	kit.Returns(t, int64(0))(s.Verifications.DeleteByIdentifier(ctx, "none"))
	s.Holds(t, want)
}

func testVerificationReserve(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	want := kit.ReadTables(t, s.Store)
	p := authdb.CreateVerificationParams{Identifier: "message 1", Value: "v", ExpiresAt: s.Now.Add(1999 * time.Microsecond)}
	reserve := func(p authdb.CreateVerificationParams) error { return s.Verifications.Reserve(ctx, p) }
	if err := reserve(p); err != nil {
		t.Fatal(err)
	}
	v := authdb.Verification{
		// What Better Auth 1.7 makes of it: base64url(sha256("reserve:message 1")).
		ID: "icGj8IHyq30AZm_E8CdpD05SKRN1-IYQpAsizpnp0_I", Identifier: p.Identifier, Value: "v",
		ExpiresAt: s.Now.Add(time.Millisecond), CreatedAt: s.Now, UpdatedAt: s.Now,
	}
	want["verification"][v.ID] = kit.AsRow(v)
	s.Holds(t, want)
	p.Value = "other"
	for range 2 { // also when it has expired
		kit.Fails(t, reserve(p), authdb.ErrConflict, "Verifications.Reserve", "identifier")
		s.Now = s.Now.Add(time.Hour)
	}
	s.Holds(t, want)
	kit.Fails(t, reserve(authdb.CreateVerificationParams{ExpiresAt: s.Now}), authdb.ErrInvalidInput, "Verifications.Reserve", "identifier")
	kit.Fails(t, reserve(authdb.CreateVerificationParams{Identifier: "x"}), authdb.ErrInvalidInput, "Verifications.Reserve", "expires_at")
	s.Holds(t, want)
	if err := reserve(authdb.CreateVerificationParams{Identifier: "message 2", ExpiresAt: s.Now}); err != nil {
		t.Error(err)
	}
	kit.Returns(t, int64(1))(s.Verifications.DeleteByIdentifier(ctx, "message 1"))
	if err := reserve(p); err != nil {
		t.Errorf("after the deletion: %v", err)
	}
}

func testVerificationConsume(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	consume := func() (authdb.Verification, error) { return s.Verifications.Consume(ctx, "consume") }
	kit.NewVerification(t, s, "consume 2", time.Hour)
	want := kit.ReadTables(t, s.Store)
	kit.NewVerification(t, s, "consume", -time.Hour)
	kit.NewVerification(t, s, "consume", time.Hour)
	newest := kit.NewVerification(t, s, "consume", time.Millisecond)
	kit.Returns(t, newest)(consume())
	s.Holds(t, want) // the older ones went along
	kit.NotFound(t, map[string]error{"Verifications.Consume": kit.ErrOf(consume())})

	first := kit.NewVerification(t, s, "consume", time.Hour)
	kit.NewVerification(t, s, "consume", time.Hour)
	first.CreatedAt = s.Now.Add(2 * time.Millisecond)
	kit.Exec(t, s.Store, `UPDATE verification SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	kit.Returns(t, first)(consume())
	s.Holds(t, want)

	kit.NewVerification(t, s, "consume", time.Hour)
	s.Now = s.Now.Add(time.Second)
	kit.NewVerification(t, s, "consume", 0) // replaces the one before, though it has expired
	kit.NotFound(t, map[string]error{"Verifications.Consume": kit.ErrOf(consume())})
	s.Holds(t, want)
}

func testVerificationConsumeValue(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	consume := func(value string) (authdb.Verification, error) {
		return s.Verifications.ConsumeValue(ctx, "value", authdb.Secret(value))
	}
	kit.NewVerification(t, s, "value 2", time.Hour)
	without := kit.ReadTables(t, s.Store)
	old := kit.NewVerification(t, s, "value", time.Hour)
	kit.Exec(t, s.Store, `UPDATE verification SET value = 'old', created_at = created_at - interval '1 s' WHERE id = $1`, old.ID)
	v := kit.NewVerification(t, s, "value", time.Hour)
	want := kit.ReadTables(t, s.Store)
	for _, value := range []string{"", "old", "123456", "123456:0 "} {
		kit.NotFound(t, map[string]error{"Verifications.ConsumeValue": kit.ErrOf(consume(value))})
	}
	s.Holds(t, want)
	kit.Returns(t, v)(consume(string(v.Value)))
	s.Holds(t, without)
	kit.NotFound(t, map[string]error{"Verifications.ConsumeValue": kit.ErrOf(consume(string(v.Value)))})
	expired := kit.NewVerification(t, s, "value", 0)
	kit.NotFound(t, map[string]error{"Verifications.ConsumeValue": kit.ErrOf(consume(string(expired.Value)))})
	s.Holds(t, without)
}

func testVerificationConsumeCode(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	const op = "Verifications.ConsumeCode"
	p := authdb.ConsumeCodeParams{Identifier: "code", Code: "123456"}
	guess := func(code string) error {
		p := p
		p.Code = authdb.Secret(code)
		return s.Verifications.ConsumeCode(ctx, p)
	}
	kit.NewVerification(t, s, "code 2", time.Hour)
	without := kit.ReadTables(t, s.Store)
	fresh := func(lifetime time.Duration) authdb.Verification {
		kit.NewVerification(t, s, "code", time.Hour) // goes along
		return kit.NewVerification(t, s, "code", lifetime)
	}
	fresh(time.Hour)
	if err := guess("123456"); err != nil {
		t.Error(err)
	}
	s.Holds(t, without)
	kit.Fails(t, guess("123456"), authdb.ErrNotFound, op, "")

	for _, p.MaxAttempts = range []int{0, 1, 5, 2000} {
		allowed := max(p.MaxAttempts, 3*(1-min(p.MaxAttempts, 1)))
		v := fresh(time.Hour)
		want := kit.ReadTables(t, s.Store)
		for i := range min(allowed, 10) {
			s.Now = s.Now.Add(time.Second)
			kit.Fails(t, guess("12345"), authdb.ErrWrongCode, op, "")
			want.Set("verification", v.ID, map[string]any{"value": fmt.Sprint("123456:", i+1), "updated_at": kit.JSONTime(s.Now)})
			s.Holds(t, want)
		}
		if allowed < 10 {
			for range 2 {
				for _, code := range []string{"123456", "12345"} {
					kit.Fails(t, guess(code), authdb.ErrTooManyAttempts, op, "")
				}
			}
			s.Holds(t, want)
		}
		kit.Returns(t, int64(2))(s.Verifications.DeleteByIdentifier(ctx, "code"))
	}
	p.MaxAttempts = 3
	fresh(time.Hour)
	for range 2 {
		kit.Fails(t, guess("x"), authdb.ErrWrongCode, op, "")
	}
	if err := guess("123456"); err != nil { // the last of three guesses
		t.Error(err)
	}
	s.Holds(t, without)

	v := fresh(time.Millisecond)
	s.Now = v.ExpiresAt
	want := kit.ReadTables(t, s.Store)
	for _, code := range []string{"123456", "x"} {
		kit.Fails(t, guess(code), authdb.ErrNotFound, op, "")
	}
	kit.Fails(t, guess(""), authdb.ErrInvalidInput, op, "code")
	p.MaxAttempts = -1
	kit.Fails(t, guess("1"), authdb.ErrInvalidInput, op, "max_attempts")
	s.Holds(t, want)
}

// testVerificationCodeFormats: what is behind the last colon is the count, if it is one.
func testVerificationCodeFormats(t *testing.T, s *kit.Fixture) {
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
				return kit.Must[authdb.Verification](t)(s.Verifications.Create(ctx, authdb.CreateVerificationParams{
					Identifier: "format", Value: authdb.Secret(test.value), ExpiresAt: s.Now.Add(time.Hour),
				}))
			}
			v := create()
			kit.Fails(t, s.Verifications.ConsumeCode(ctx, p), authdb.ErrWrongCode, "Verifications.ConsumeCode", "")
			if v = kit.Must[authdb.Verification](t)(s.Verifications.Get(ctx, v.ID)); test.after != "" && string(v.Value) != test.after {
				t.Errorf("after a wrong guess: %q, want %q", v.Value, test.after)
			}
			p.Code = authdb.Secret(test.code)
			err := s.Verifications.ConsumeCode(ctx, p)
			if test.after != "" && err != nil || test.after == "" && !errors.Is(err, authdb.ErrWrongCode) {
				t.Errorf("the code %q of %q: %v", p.Code, test.value, err)
			}
			kit.Must[int64](t)(s.Verifications.DeleteByIdentifier(ctx, "format"))
		})
	}
}

func testVerificationUpdate(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateVerificationParams
	kit.NewVerification(t, s, "update", time.Hour)
	v := kit.NewVerification(t, s, "update", time.Hour)
	end := s.Now.Add(-time.Hour)
	kit.CheckUpdates(t, s, "verification", v,
		func(p params) (authdb.Verification, error) { return s.Verifications.Update(t.Context(), v.ID, p) },
		kit.Steps[params, authdb.Verification]{
			{"nothing", params{}, func(*authdb.Verification) {}},
			{"value", params{Value: authdb.Set(authdb.Secret("123456:1"))}, func(v *authdb.Verification) { v.Value = "123456:1" }},
			{"end", params{ExpiresAt: authdb.Set(end)}, func(v *authdb.Verification) { v.ExpiresAt = end }},
			{"both", params{authdb.Set(authdb.Secret("")), authdb.Set(end.Add(time.Microsecond))}, func(v *authdb.Verification) { v.Value = "" }},
		})
}

func testVerificationUpdateByIdentifier(t *testing.T, s *kit.Fixture) {
	type params = authdb.UpdateVerificationParams
	kit.NewVerification(t, s, "other", time.Hour)
	rows := []authdb.Verification{
		kit.NewVerification(t, s, "all", -time.Hour), kit.NewVerification(t, s, "all", time.Hour), kit.NewVerification(t, s, "all", time.Minute),
	}
	end := s.Now.Add(2 * time.Hour)
	steps := kit.Steps[params, authdb.Verification]{
		{"nothing", params{}, func(*authdb.Verification) {}},
		{"value", params{Value: authdb.Set(authdb.Secret("v"))}, func(v *authdb.Verification) { v.Value = "v" }},
		{"end", params{ExpiresAt: authdb.Set(end)}, func(v *authdb.Verification) { v.ExpiresAt = end }},
	}
	for _, step := range steps {
		t.Run(step.Name, func(t *testing.T) {
			want := kit.ReadTables(t, s.Store)
			s.Now = s.Now.Add(time.Minute)
			for i := range rows {
				rows[i].UpdatedAt = s.Now
				step.Change(&rows[i])
				want["verification"][rows[i].ID] = kit.AsRow(rows[i])
			}
			kit.Returns(t, int64(3))(s.Verifications.UpdateByIdentifier(t.Context(), "all", step.Params))
			s.Holds(t, want)
		})
	}
}

func testVerificationDelete(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	kit.NewVerification(t, s, "kept", time.Hour)
	before := kit.ReadTables(t, s.Store)
	kit.NewVerification(t, s, "delete", time.Hour)
	kit.NewVerification(t, s, "delete", -time.Hour)
	v := kit.NewVerification(t, s, "delete", time.Hour)
	s.Deletes(t, before, "Verifications.Delete", func() error { return s.Verifications.Delete(ctx, v.ID) })
	kit.NewVerification(t, s, "delete", time.Hour)
	kit.NewVerification(t, s, "delete", -time.Hour)
	kit.Returns(t, int64(2))(s.Verifications.DeleteByIdentifier(ctx, "delete"))
	s.Holds(t, before)
}

func testVerificationDeleteExpired(t *testing.T, s *kit.Fixture) {
	ctx := t.Context()
	kit.Exec(t, s.Store, `DELETE FROM verification WHERE expires_at <= $1`, s.Now)
	kit.NewVerification(t, s, "purge", time.Millisecond)
	want := kit.ReadTables(t, s.Store)
	last := kit.NewVerification(t, s, "purge 3", 0)
	kit.NewVerification(t, s, "purge 1", -time.Hour)
	kit.NewVerification(t, s, "purge 2", -time.Millisecond)
	kit.Returns(t, int64(2))(s.Verifications.DeleteExpired(ctx, 2)) // the oldest first
	kit.Returns(t, last)(s.Verifications.Get(ctx, last.ID))
	kit.Returns(t, int64(1))(s.Verifications.DeleteExpired(ctx, 10_000))
	kit.Returns(t, int64(0))(s.Verifications.DeleteExpired(ctx, 1))
	for _, limit := range []int{-1, 0, 10_001} {
		kit.Fails(t, kit.ErrOf(s.Verifications.DeleteExpired(ctx, limit)), authdb.ErrInvalidInput, "Verifications.DeleteExpired", "limit")
	}
	s.Holds(t, want)
}

func testVerificationList(t *testing.T, s *kit.Fixture) {
	kit.NewVerification(t, s, "list 2", time.Hour)
	rows := rowsOf(func() authdb.Verification {
		return kit.NewVerification(t, s, "list", time.Duration(s.IDs%5-2)*time.Hour)
	})
	kit.Returns(t, int64(54))(s.Verifications.Count(t.Context(), authdb.ListVerificationsParams{Identifier: "list"}))
	checkList(t, s, "Verifications.List", "verification", rows, func(after authdb.Cursor, limit int) authdb.ListVerificationsParams {
		return authdb.ListVerificationsParams{Identifier: "list", After: after, Limit: limit}
	}, s.Verifications.List, s.Verifications.All)
}
