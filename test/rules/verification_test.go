package rules_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

func doPurgeVerifications(limit, want int) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		n, err := s.Verifications.DeleteExpired(ctx, limit)
		return returned(int(n), want, err)
	}
}

func doConsume(identifier, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Verifications.Consume(ctx, authdb.Secret(identifier))
		return returned(row.ID, want, err)
	}
}

func doConsumeValue(identifier, value, want string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		row, err := s.Verifications.ConsumeValue(ctx, authdb.Secret(identifier), authdb.Secret(value))
		return returned(row.ID, want, err)
	}
}

func doGuess(identifier, code string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		return s.Verifications.ConsumeCode(ctx, authdb.ConsumeCodeParams{Identifier: authdb.Secret(identifier), Code: authdb.Secret(code), InTx: true})
	}
}

func doProve(identifier string) operation {
	return func(ctx context.Context, s *authdb.Store) error {
		v, err := s.Verifications.Create(ctx, authdb.CreateVerificationParams{
			Identifier: authdb.Secret(identifier), Value: "new", ExpiresAt: noon.Add(time.Hour),
		})
		return returned(v.CreatedAt, noon, err)
	}
}

func verificationScenarios(t *testing.T) []scenario {
	return []scenario{
		{name: "a verification is made", do: doProve("reset"), changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=reset value=new`},
		{
			name:  "a verification is the newest of its identifier",
			given: "UPDATE verification SET created_at = '2026-06-01 13:00' WHERE id = 'reset-a'; UPDATE verification SET created_at = '2027-01-01' WHERE id = 'twin-a'",
			do: func(ctx context.Context, s *authdb.Store) error {
				v, err := s.Verifications.Create(ctx, authdb.CreateVerificationParams{Identifier: "reset", ExpiresAt: noon.Add(time.Hour)})
				return returned(v.CreatedAt.Format("15:04:05.000 ")+v.UpdatedAt.Format("15:04:05.000"), "13:00:00.001 13:00:00.001", err)
			},
			changes: `+ verification new1 expires_at=06-01T13:00:00 identifier=reset value=`,
		},
		{name: "the newest verification is consumed, and the older goes along", do: doConsume("reset", "reset-a"), changes: `- verification reset-a,reset-b`},
		{name: "of two verifications of one moment the id decides", do: doConsume("twin", "twin-b"), changes: `- verification twin-a,twin-b`},
		{name: "a newest verification that has expired proves nothing", do: doConsume("late", ""), fails: authdb.ErrNotFound, changes: `- verification late-a,late-b`},
		{
			name:    "a verification is consumed once",
			rival:   "DELETE FROM verification WHERE identifier = 'reset'",
			do:      doConsume("reset", ""),
			fails:   authdb.ErrNotFound,
			changes: `- verification reset-a,reset-b`,
		},
		{name: "a value is consumed", do: doConsumeValue("reset", "second", "reset-a"), changes: `- verification reset-a,reset-b`},
		{name: "a wrong value consumes nothing", do: doConsumeValue("reset", "first", ""), fails: authdb.ErrNotFound},
		{
			name: "consuming a value waits for a server that changes one it has just made",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE verification SET value = value WHERE id = 'reset-a'",
					meanwhile: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
						VALUES ('z-newest', 'reset', 'secret', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
					then:    "UPDATE verification SET value = 'replaced' WHERE id = 'z-newest'",
					do:      doConsumeValue("reset", "secret", ""),
					fails:   authdb.ErrNotFound,
					changes: `+ verification z-newest expires_at=06-01T13:00:00 identifier=reset value=replaced`,
				})
			},
		},
		{
			name:    "consuming a value waits for a server that changes it",
			rival:   "UPDATE verification SET value = 'third' WHERE id = 'reset-a'",
			do:      doConsumeValue("reset", "second", ""),
			fails:   authdb.ErrNotFound,
			changes: `~ verification reset-a value=third`,
		},
		{name: "the right code is good once", free: []string{"verification code-a", "verification code-b"}, do: doGuess("code", "123456"), changes: `- verification code-a,code-b`},
		{name: "a wrong code is counted", do: doGuess("code", "111111"), fails: authdb.ErrWrongCode, changes: `~ verification code-a updated value=123456:2`},
		{name: "a code that was guessed at too often is spent", do: doGuess("spent", "123456"), fails: authdb.ErrTooManyAttempts},
		{name: "a code that has expired is none", do: doGuess("dead", "123456"), fails: authdb.ErrNotFound},
		{name: "an older code does not come back when the newest has expired", do: doGuess("late", "first"), fails: authdb.ErrNotFound},
		{name: "of two codes of one moment the id decides", do: doGuess("twin", "2"), changes: `- verification twin-a,twin-b`},
		{
			name:    "each wrong guess is counted",
			rival:   "UPDATE verification SET value = '123456:2' WHERE id = 'code-a'",
			do:      doGuess("code", "111111"),
			fails:   authdb.ErrWrongCode,
			changes: `~ verification code-a updated value=123456:3`,
		},
		{
			name: "a guess at a code that is being made and guessed at is counted",
			run: func(ctx context.Context, s *stage) error {
				return s.meets(ctx, meeting{
					holds: "UPDATE verification SET value = value WHERE id = 'code-a'",
					meanwhile: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
						VALUES ('z-newest', 'code', '654321:0', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
					then: "UPDATE verification SET value = '654321:1' WHERE id = 'z-newest'",
					do:   doGuess("code", "111111"), fails: authdb.ErrWrongCode,
					changes: `+ verification z-newest expires_at=06-01T13:00:00 identifier=code value=654321:2`,
				})
			},
		},
		{
			name: "guessing locks codes in order",
			run: inOrder(`SELECT FROM verification WHERE id = 'reset-b' FOR UPDATE`,
				`SELECT FROM verification WHERE id = 'reset-a' FOR UPDATE`, doGuess("reset", "second")),
		},
		{
			name: "a reservation that fails does not end the transaction",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.InTx(ctx, func(s *authdb.Store) error {
					p := authdb.CreateVerificationParams{Identifier: "message", ExpiresAt: noon.Add(time.Hour)}
					if err := errors.Join(s.Verifications.Reserve(ctx, p)); err != nil {
						return err
					}
					if err := s.Verifications.Reserve(ctx, p); !errors.Is(err, authdb.ErrConflict) {
						return fmt.Errorf("reserved twice: %w", err)
					}
					return kit.ErrOf(s.Users.Get(ctx, "bob"))
				})
			},
			changes: `+ verification aNzAgrzfdMbx4908UUN7LWI9o7xBG0-EL4ipZ4U6Jz4 expires_at=06-01T13:00:00 identifier=message value=`,
		},
		{
			name: "an update changes one verification",
			do: func(ctx context.Context, s *authdb.Store) error {
				row, err := s.Verifications.Update(ctx, "reset-a", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("third"))})
				return returned(row.ID, "reset-a", err)
			},
			changes: `~ verification reset-a updated value=third`,
		},
		{
			name: "an update by identifier changes its verifications",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Verifications.UpdateByIdentifier(ctx, "reset", authdb.UpdateVerificationParams{Value: authdb.Set(authdb.Secret("third"))})
				return returned(n, 2, err)
			},
			changes: `~ verification reset-a,reset-b updated value=third`,
		},
		{
			name: "a verification is deleted, and what it had replaced",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Verifications.Delete(ctx, "reset-a")
			},
			changes: `- verification reset-a,reset-b`,
		},
		{
			name: "what has replaced a verification stays without it",
			do: func(ctx context.Context, s *authdb.Store) error {
				return s.Verifications.Delete(ctx, "reset-b")
			},
			changes: `- verification reset-b`,
		},
		{
			name: "the verifications of an identifier are deleted",
			do: func(ctx context.Context, s *authdb.Store) error {
				n, err := s.Verifications.DeleteByIdentifier(ctx, "reset")
				return returned(n, 2, err)
			},
			changes: `- verification reset-a,reset-b`,
		},
		{
			name: "a purge takes the expired verifications, and what they had replaced",
			given: `INSERT INTO verification (id, identifier, value, expires_at, created_at, updated_at)
				VALUES ('renewed', 'stale', 'newer', '2026-06-01 13:00', '2026-06-01 11:30', '2026-06-01')`,
			do:      doPurgeVerifications(100, 4),
			changes: `- verification dead,late-a,late-b,stale`,
		},
		{name: "a purge takes the oldest verification first", do: doPurgeVerifications(1, 1), changes: `- verification stale`},
		{
			name:  "a purge passes over a verification that is being changed",
			rival: "UPDATE verification SET expires_at = '2026-06-08 12:00' WHERE id = 'stale'",
			skips: true,
			do:    doPurgeVerifications(100, 3),
			changes: `
				- verification dead,late-a,late-b
				~ verification stale expires_at=06-08T12:00:00`,
		},
		{
			name: "of many guesses of a code one wins",
			run:  storm(kit.Hard(t, 20, 200), func(int) operation { return doGuess("code", "123456") }, authdb.ErrNotFound),
		},
		{
			name: "of many consumers of a verification one wins",
			run: storm(kit.Hard(t, 20, 200), func(int) operation {
				return doConsume("reset", "reset-a")
			}, authdb.ErrNotFound),
		},
	}
}
