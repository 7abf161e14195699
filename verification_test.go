package authdb_test

import (
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
		{"Update", testVerificationUpdate},
		{"UpdateByIdentifier", testVerificationUpdateByIdentifier},
		{"Delete", testVerificationDelete},
		{"List", testVerificationList},
	})
}

func newVerification(t *testing.T, s *fixture, identifier string, lifetime time.Duration) authdb.Verification {
	t.Helper()
	return must[authdb.Verification](t)(s.Verifications.Create(t.Context(), authdb.CreateVerificationParams{
		Identifier: identifier, Value: "123456:0", ExpiresAt: s.now.Add(lifetime),
	}))
}

func testVerificationCreate(t *testing.T, s *fixture) {
	ctx := t.Context()
	want := readTables(t, s.Store)
	for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
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
	returns(t, second)(s.Verifications.GetByIdentifier(ctx, "newest")) // of the same time: by id
	first.CreatedAt = s.now.Add(time.Microsecond)
	exec(t, s.Store, `UPDATE verification SET created_at = $1 WHERE id = $2`, first.CreatedAt, first.ID)
	returns(t, first)(s.Verifications.GetByIdentifier(ctx, "newest"))
	s.now = s.now.Add(time.Second)
	third := newVerification(t, s, "newest", -time.Millisecond)
	_, err := s.Verifications.GetByIdentifier(ctx, "newest")
	fails(t, err, authdb.ErrNotFound, "Verifications.GetByIdentifier", "")
	if err := s.Verifications.Delete(ctx, third.ID); err != nil {
		t.Fatal(err)
	}
	returns(t, first)(s.Verifications.GetByIdentifier(ctx, "newest"))
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
	})
	returns(t, int64(0))(s.Verifications.UpdateByIdentifier(ctx, "none", authdb.UpdateVerificationParams{}))
	returns(t, int64(0))(s.Verifications.DeleteByIdentifier(ctx, "none"))
	s.holds(t, want)
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
			{"value", params{Value: new("123456:1")}, func(v *authdb.Verification) { v.Value = "123456:1" }},
			{"end", params{ExpiresAt: &end}, func(v *authdb.Verification) { v.ExpiresAt = end }},
			{"both", params{new(""), new(end.Add(time.Microsecond))}, func(v *authdb.Verification) { v.Value = "" }},
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
		{"value", params{Value: new("v")}, func(v *authdb.Verification) { v.Value = "v" }},
		{"end", params{ExpiresAt: &end}, func(v *authdb.Verification) { v.ExpiresAt = end }},
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
	want := readTables(t, s.Store)
	v := newVerification(t, s, "delete", time.Hour)
	s.deletes(t, want, "Verifications.Delete", func() error { return s.Verifications.Delete(ctx, v.ID) })
	returns(t, int64(2))(s.Verifications.DeleteByIdentifier(ctx, "delete"))
	s.holds(t, before)
}

func testVerificationList(t *testing.T, s *fixture) {
	newVerification(t, s, "list 2", time.Hour)
	rows := rowsOf(func() authdb.Verification { return newVerification(t, s, "list", time.Duration(s.ids%5-2)*time.Hour) })
	returns(t, int64(54))(s.Verifications.Count(t.Context(), "list"))
	checkList(t, s, "Verifications.List", "verification", rows, func(after authdb.Cursor, limit int) authdb.ListVerificationsParams {
		return authdb.ListVerificationsParams{Identifier: "list", After: after, Limit: limit}
	}, s.Verifications.List, s.Verifications.All)
}
