package repo

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// SecondFactor says how a sign-in asks for a second factor, and what makes a device trusted instead.
type SecondFactor struct {
	ChallengeLifetime, DeviceLifetime time.Duration
	CountsAttempts                    bool                           // in a row beside the challenge
	Stored                            func(identifier string) string // the identifier as the table has it
}

// SignedIn is what a sign-in made.
type SignedIn struct {
	Session   dbgen.Session
	Trusted   bool     // a trusted device took the place of the second factor
	Device    string   // the new identifier of that device
	Challenge string   // the identifier under which a second factor is asked for, in place of a session
	Ended     []string // tokens of sessions that ended
}

// SignInByPassword makes a session, or a challenge, for a user whose password still has the hash that was checked.
func (r *Repo) SignInByPassword(
	ctx context.Context, name string, p dbgen.SignInByPasswordParams, lifetime time.Duration, f SecondFactor,
) (in SignedIn, err error) {
	name = about(ctx, name, args[dbgen.SignInByPasswordParams, time.Duration]{p, lifetime})
	step := r.signInByPassword(p, lifetime, f, &in)
	done, err := r.signIn(ctx, name, Key{}, []string{p.UserID}, step)
	return in, unanswered(done, err)
}

func (r *Repo) signInByPassword(
	p dbgen.SignInByPasswordParams, lifetime time.Duration, f SecondFactor, in *SignedIn,
) Step {
	p.ID, p.Token, p.Now = r.idOr(""), r.sources.Token(), r.Now()
	challenge, device := "2fa-"+r.NewToken(20), "trust-device-"+r.sources.Token()
	p.ChallengeIds, p.ChallengeValues = []string{r.idOr("")}, []string{p.UserID}
	p.Challenges = []string{f.Stored(challenge)}
	if f.CountsAttempts {
		p.ChallengeIds, p.ChallengeValues = append(p.ChallengeIds, r.idOr("")), append(p.ChallengeValues, "0")
		p.Challenges = append(p.Challenges, f.Stored("2fa-attempts-"+challenge))
	}
	p.NewDeviceID, p.NewDevice, p.DeviceExpiresAt = r.idOr(""), f.Stored(device), p.Now.Add(f.DeviceLifetime)
	p.ExpiresAt, p.ChallengeExpiresAt = p.Now.Add(lifetime), p.Now.Add(f.ChallengeLifetime)
	answer := new(dbgen.SignInByPasswordRow)
	return judge((*queries).SignInByPassword, p, answer, func(made dbgen.SignInByPasswordRow) string {
		in.Session = madeSession(made)
		switch made.Outcome {
		case "second factor": // no refusal: rows are made
			in.Challenge = challenge
			return ""
		case "trusted":
			in.Trusted, in.Device = true, device
			return ""
		}
		return made.Outcome
	})
}

// NewToken returns a random text of at most n characters that is hard to guess.
func (r *Repo) NewToken(n int) string {
	token := r.sources.Token()
	return token[:min(n, len(token))]
}

// SignUp makes a user with a credential account and a session, all or none.
func (r *Repo) SignUp(
	ctx context.Context, name string, u dbgen.CreateUserParams, a dbgen.CreateAccountParams, s dbgen.CreateSessionParams,
	lifetime time.Duration,
) (user dbgen.User, session dbgen.Session, err error) {
	name = about(ctx, name, Given(Given(u, s), lifetime))
	u.ID, u.Now = r.idOr(""), r.Now()
	a.ID, a.UserID, a.AccountID, a.Now = r.idOr(""), u.ID, u.ID, u.Now
	s.ID, s.UserID, s.Token, s.Now, s.ExpiresAt = r.idOr(""), u.ID, r.sources.Token(), u.Now, u.Now.Add(lifetime)
	err = r.writeOnce(ctx, name, Key{"user", u.ID}, ask((*queries).CreateUser, u, &user),
		ask((*queries).CreateAccount, a, new(dbgen.Account)), createSession(s, &session))
	return user, session, err
}

// SignInProved makes a session for whoever proved an address, and a user if nobody has it. It removes what an unproved
// user had there before. A ban refuses only the session, which is zero where p wants none.
func (r *Repo) SignInProved(
	ctx context.Context, name string, p dbgen.SignInProvedParams,
) (user dbgen.User, in SignedIn, err error) {
	ctx = r.Second(ctx) // the first write used up the proof
	name = about(ctx, name, p)
	p.ID, p.NewUserID, p.Token, p.Now = r.idOr(""), r.idOr(""), r.sources.Token(), r.Now()
	p.ExpiresAt = p.Now.Add(r.other.SessionLifetime)
	holder, isBanned := []string{""}, false
	steps := []Step{lock((*queries).LockUserByEmail, p.Email)}
	if r.Plugins.APIKeys && (p.RevokeAccounts || p.RevokePassword) {
		steps = append(steps, ask((*queries).DeleteAPIKeysOfUnproved, p.Email, new(int64)))
	}
	prove := judge((*queries).SignInProved, p, new(dbgen.SignInProvedRow), func(made dbgen.SignInProvedRow) string {
		in.Session, in.Ended, holder[0] = madeSession(dbgen.SignInByPasswordRow{
			ID: made.ID, ExpiresAt: made.ExpiresAt, Token: made.Token, CreatedAt: made.CreatedAt, UpdatedAt: made.UpdatedAt,
			IPAddress: made.IPAddress, UserAgent: made.UserAgent, UserID: made.UserID,
		}), made.Ended, made.HolderID
		isBanned = made.Outcome == "banned"
		if isBanned || made.Outcome == "no session" { // which are no refusals: the address is proved
			return ""
		}
		return made.Outcome
	})
	done, err := r.signIn(ctx, name, Key{}, holder,
		append(steps, prove, ask((*queries).GetUserByEmail, p.Email, &user))...)
	if err == nil && isBanned {
		err = RefusalError("banned")
	}
	return user, in, unanswered(done, err)
}

// CreateVerificationOfUser makes a verification for an address and returns the user of the address. If nobody has it,
// it returns the zero value, which is no refusal: a row may have been made. given is what the caller was given beside
// the address.
func (r *Repo) CreateVerificationOfUser(
	ctx context.Context, name string, p dbgen.CreateVerificationOfUserParams, lifetime time.Duration, given string,
) (user dbgen.User, err error) {
	p.ID, p.Now = r.idOr(""), r.Now()
	p.ExpiresAt = p.Now.Add(lifetime)
	err = r.writeOnce(ctx, about(ctx, name, Given(p.Email, given)), Key{}, ask(
		func(q *queries, ctx context.Context, p dbgen.CreateVerificationOfUserParams) (dbgen.User, error) {
			row, err := q.CreateVerificationOfUser(ctx, p)
			if errors.Is(err, pgx.ErrNoRows) {
				err = nil
			}
			return row, err
		}, p, &user))
	return user, err
}

// ResetPassword uses up a verification, if no code has been, and returns the tokens of the sessions that ended.
func (r *Repo) ResetPassword(
	ctx context.Context, name string, p dbgen.ResetPasswordParams,
) (ended []string, err error) {
	given := p
	if p.Email != "" {
		ctx = r.Second(ctx)
	} else {
		given.UserID = "" // which the verification says, and nobody once it is used up
	}
	name = about(ctx, name, given)
	p.AccountID, p.Now = r.idOr(""), r.Now()
	var row dbgen.ResetPasswordRow
	err = r.writeOnce(ctx, name, Key{}, lock((*queries).LockUser, p.UserID), judge((*queries).ResetPassword, p, &row,
		func(row dbgen.ResetPasswordRow) string { return row.Outcome }))
	return row.Ended, err
}

// ChangePassword changes a password. If it ends all sessions, it makes a new one from s.
func (r *Repo) ChangePassword(
	ctx context.Context, name string, p dbgen.ChangePasswordParams, s dbgen.SignInByPasswordParams, f SecondFactor,
) (in SignedIn, err error) {
	given := p
	given.Current = "" // the change itself makes it another
	name = about(ctx, name, Given(given, s))
	p.Now = r.Now()
	var row dbgen.ChangePasswordRow
	steps := []Step{lock((*queries).LockUser, p.UserID), judge((*queries).ChangePassword, p, &row,
		func(row dbgen.ChangePasswordRow) string { return row.Outcome })}
	if p.RevokeSessions { // who is signed in has passed the second factor
		s.UserID, s.AccountID, s.Password, s.Trusted = p.UserID, p.AccountID, p.Password, true
		steps = append(steps, r.signInByPassword(s, r.other.SessionLifetime, f, &in))
	}
	done, err := r.signIn(ctx, name, Key{}, []string{p.UserID}, steps...)
	in.Ended = row.Ended
	return in, unanswered(done, err)
}
