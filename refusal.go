package authdb

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/zerostarter/authdb/internal/repo"
)

// What an operation refuses to do. A refusal changes nothing, except that ErrWrongCode counts the guess.
var (
	// ErrAlreadyMember: the user, or the one with that address, is a member of the organization already.
	ErrAlreadyMember = fmt.Errorf("%w: already a member", ErrConflict)
	// ErrAccountTaken: the identity at the provider is another user's.
	ErrAccountTaken = fmt.Errorf("%w: account taken", ErrConflict)
	// ErrNotMember: the user is no member of the organization, or of the team.
	ErrNotMember = errors.New("not a member")
	// ErrNotPermitted: the role of the actor, or of the inviter, does not allow it. An owner may offer any role, a member
	// with no role but RoleMember only RoleMember, and everybody else any role except an owner's.
	ErrNotPermitted = errors.New("not permitted")
	// ErrInTransaction: a rollback of the caller's transaction would forget what the method must remember, such as a
	// wrong guess; or InTx was called on a connection with a transaction that the caller began.
	ErrInTransaction = errors.New("in a transaction")
	// ErrBanned: the user is banned by Better Auth's admin plugin.
	ErrBanned = errors.New("banned")
	// ErrLastOwner: an organization would be left without an owner.
	ErrLastOwner = errors.New("last owner")
	// ErrLastTeam: the organization would be left without a team.
	ErrLastTeam = errors.New("last team")
	// ErrLastAccount: the user would be left without a way to sign in.
	ErrLastAccount = errors.New("last account")
	// ErrLimitReached: there are as many as the caller's limit allows; [Error.Field] names what it counts.
	ErrLimitReached = errors.New("limit reached")
	// ErrNotPending: the invitation was accepted, rejected or canceled before.
	ErrNotPending = errors.New("not pending")
	// ErrExpired: the invitation was accepted too late.
	ErrExpired = errors.New("expired")
	// ErrNotRecipient: the invitation is to another address than the user's. It is an ErrNotFound, with the same text.
	ErrNotRecipient = fmt.Errorf("%w", ErrNotFound)
	// ErrEmailNotVerified: the user has not proved the address that was invited.
	ErrEmailNotVerified = errors.New("e-mail not verified")
	// ErrWrongCode: the code is wrong. The guess was counted.
	ErrWrongCode = errors.New("wrong code")
	// ErrTooManyAttempts: the code was guessed wrong too often, and is no longer valid.
	ErrTooManyAttempts = errors.New("too many attempts")
)

// refusal is what a verdict's word means to a caller.
type refusal struct {
	kind  error
	field string
}

// refusals by the words of the queries' verdicts.
var refusals = map[repo.RefusalError]refusal{
	"not found":         {ErrNotFound, ""},
	"not a member":      {ErrNotMember, "user_id"},
	"already a member":  {ErrAlreadyMember, "email"},
	"not permitted":     {ErrNotPermitted, "role"},
	"banned":            {ErrBanned, "user_id"},
	"no such team":      {ErrReference, "team_id"},
	"account taken":     {ErrAccountTaken, "account_id"},
	"last account":      {ErrLastAccount, ""},
	"reserved":          {ErrConflict, "identifier"},
	"too many teams":    {ErrLimitReached, "max_teams"},
	"no successor":      {ErrReference, "successor_id"},
	"last owner":        {ErrLastOwner, ""},
	"last team":         {ErrLastTeam, ""},
	"too many members":  {ErrLimitReached, "max_members"},
	"too many pending":  {ErrLimitReached, "max_pending"},
	"team full":         {ErrLimitReached, "max_team_members"},
	"not the recipient": {ErrNotRecipient, ""},
	"not verified":      {ErrEmailNotVerified, ""},
	"not pending":       {ErrNotPending, ""},
	"expired":           {ErrExpired, ""},
	repo.ErrWrongCode:   {ErrWrongCode, ""},
	"too many attempts": {ErrTooManyAttempts, ""},

	repo.ErrInTransaction: {ErrInTransaction, ""},
}

// refuse sets the kind and the field that a verdict's word means.
func (e *Error) refuse(word repo.RefusalError) {
	r, ok := refusals[word]
	if !ok {
		e.cause = errors.New("unknown outcome")
		return
	}
	e.kinds, e.Field = []error{r.kind}, r.field
}

// limit is a limit as queries take it: NULL for none.
func limit(n, otherwise int) *int64 {
	n = cmp.Or(n, otherwise)
	if n == 0 {
		return nil
	}
	return new(int64(n))
}

// limitOf checks a limit; 0 is none.
func limitOf(field string, n int) fault {
	if n < 0 {
		return fault{field: field, reason: "out of range"}
	}
	return fault{}
}
