package repo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// A mark is a row that only one transaction can make. The write is done in that transaction, so it is done once,
// however often and however late it is tried. An attempt sends BEGIN, its mark and its statements in one flight and,
// when all is known, COMMIT in another. So what was lost before the COMMIT was not applied. After a lost COMMIT, the
// next attempt waits for the one before it, and then finds its mark or makes it.
type mark struct {
	id, operation string
	answer        string // a text unique to this call and, after a space, the id of the row that it makes
	lost          bool   // an attempt may have been applied
}

// ErrAlreadyDone is the error of a call whose key stands for a write that was done, if its answer is gone.
var ErrAlreadyDone = errors.New("already done")

// KeyError says why a key cannot be used.
type KeyError string

func (e KeyError) Error() string { return string(e) }

type keyName struct{}

// key holds a pointer, so that printing a context does not show the text.
type key struct{ text *string }

// WithKey returns a context under which each write has that key.
func WithKey(ctx context.Context, text string) context.Context {
	return context.WithValue(ctx, keyName{}, key{&text})
}

// keyOf returns the key of a context. A nil context has none, and is refused later.
func keyOf(ctx context.Context) (text string, named bool) {
	if ctx != nil {
		if k, ok := ctx.Value(keyName{}).(key); ok {
			return *k.text, true
		}
	}
	return "", false
}

// Second returns the context for the second write of a call. It leaves its own mark, except in an InTx.
func (r *Repo) Second(ctx context.Context) context.Context {
	if text, named := keyOf(ctx); named && r.where().tx == nil {
		return WithKey(ctx, text+"\x00second")
	}
	return ctx
}

// newMark returns the mark of a write, or nil if it leaves none: it has no key, or the InTx around it has.
func (r *Repo) newMark(ctx context.Context, operation, made string) (*mark, error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	text, named := keyOf(ctx)
	if !named && !r.marks || r.tx != nil && !named {
		return nil, nil
	}
	_, pool := r.db.(*pgxpool.Pool)
	switch {
	case r.tx != nil && r.tx.key != nil && *r.tx.key == text:
		return nil, nil
	case r.tx != nil && r.tx.key != nil:
		return nil, KeyError("in a transaction under another key")
	case r.tx != nil:
		return nil, KeyError("in a transaction without one")
	case !pool && connOf(r.db) == nil:
		return nil, KeyError("handle of an unknown type")
	case named && text == "":
		return nil, KeyError("empty")
	}
	m := &mark{id: RandomID(), operation: operation, answer: RandomID()}
	if named {
		digest := sha256.Sum256([]byte(text)) // short, and does not show the key
		m.id = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	if made != "" {
		m.answer += " " + made
	}
	return m, nil
}

func (r *Repo) takes(m *mark) Step {
	return lock((*queries).TakeMark, dbgen.TakeMarkParams{
		ID: m.id, Operation: m.operation, Answer: m.answer, Now: r.Now(),
	})
}

// take makes the mark, if there is one, in the Repo's transaction. It works at every isolation level: a unique index
// goes by committed rows, not by a snapshot.
func (r *Repo) take(ctx context.Context, m *mark) error {
	if m == nil {
		return nil
	}
	err := Failed(ctx, connOf(r.db), r.takes(m).run(ctx, newQueries(r.db)), false)
	if err == nil {
		m.lost = false // all other attempts have failed
	}
	return err
}

func isTaken(err error) bool {
	pgErr := pgError(err)
	return pgErr.Code == UniqueViolation && pgErr.SchemaName == "authdb" && pgErr.TableName == "mark"
}

// refused begins the answer of a write that was refused, or met no row, and must not be done again.
const refused = "refused: "

// writeMarked is write for a write that leaves a mark.
func (r *Repo) writeMarked(ctx context.Context, m *mark, steps []Step) (done string, err error) {
	err = r.try(ctx, m.operation, m, func(ctx context.Context) error {
		err := r.marked(ctx, m, steps)
		if isTaken(err) {
			done, err = r.answered(ctx, m)
		}
		return err
	})
	return done, err
}

// marked is one attempt at a write that leaves a mark.
func (r *Repo) marked(ctx context.Context, m *mark, steps []Step) error {
	on, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer on.release()
	err = fly(ctx, on, append([]Step{raw(beginReadCommitted), r.takes(m)}, steps...))
	end := []Step{raw(commit)}
	switch refusal, isRefusal := err.(RefusalError); { //nolint:errorlint // as fly returns it
	case err == nil:
	case err == pgx.ErrNoRows: //nolint:errorlint // as fly returns it
		end = append([]Step{r.answers(m, errNotFound)}, end...)
	case isRefusal && refusal.counts():
		end = append([]Step{r.answers(m, refusal)}, end...)
	default:
		r.endOpen(ctx, on.conn)
		m.lost = m.lost && !isRefusal
		return Failed(ctx, on.conn, err, false)
	}
	m.lost = false
	if lost := fly(ctx, on, end); lost != nil {
		failed := m.lostBy(Failed(ctx, on.conn, lost, true))
		r.endOpen(ctx, on.conn) // if the context was over before the COMMIT was sent
		return failed
	}
	return err
}

// Again returns ErrAlreadyDone instead of err if an earlier call under the same key did the write of that name with the
// same arguments, which may be the reason of err.
func Again[P any](ctx context.Context, r *Repo, name string, given P, err error) error {
	if _, named := keyOf(ctx); !named {
		return err
	}
	m, keyErr := r.newMark(ctx, name, "")
	if keyErr != nil {
		return keyErr
	}
	if m == nil { // part of a transaction
		return err
	}
	there, readErr := Read(ctx, r, name, (*queries).GetMark, m.id)
	switch {
	case errors.Is(readErr, pgx.ErrNoRows):
		return err
	case readErr != nil:
		return readErr
	case there.Answer != nil && !strings.HasPrefix(*there.Answer, refused) && there.Operation == about(ctx, name, given):
		return ErrAlreadyDone
	}
	return err
}

const errNotFound RefusalError = "not found"

func (r *Repo) answers(m *mark, refusal RefusalError) Step {
	return lock((*queries).AnswerMark, dbgen.AnswerMarkParams{ID: m.id, Answer: new(refused + string(refusal))})
}

// answered returns the answer to a call whose mark exists already: empty if an attempt of this very call made it, since
// that has kept its answers.
func (r *Repo) answered(ctx context.Context, m *mark) (done string, err error) {
	there, err := Read(ctx, r, m.operation, (*queries).GetMark, m.id)
	if err != nil {
		return "", err
	}
	m.lost = false
	if there.Answer == nil {
		return "", KeyError("given up")
	}
	word, isRefused := strings.CutPrefix(*there.Answer, refused)
	switch {
	case *there.Answer == m.answer:
		return "", nil
	case there.Operation != m.operation:
		return "", KeyError("the key was used for another call")
	case isRefused && word == string(errNotFound):
		return "", pgx.ErrNoRows
	case isRefused:
		return "", RefusalError(word)
	}
	if _, made, ok := strings.Cut(*there.Answer, " "); ok {
		return made, nil
	}
	return *there.Answer, nil
}

func (m *mark) isLost() bool { return m != nil && m.lost }

// unknown returns err. If an attempt was lost, it is the error of a write that may have been applied.
func (m *mark) unknown(err error) error {
	if !m.isLost() {
		return err
	}
	f, ok := err.(*FailureError) //nolint:errorlint // as an attempt made it
	if !ok {
		f = &FailureError{err: err}
	}
	f.Lost = &Lost{Mark: m.id}
	return f
}

// lostBy returns err, a COMMIT's. If its answer was lost, the mark can resolve it.
func (m *mark) lostBy(err error) error {
	if f, ok := err.(*FailureError); ok && f.Lost != nil && m != nil { //nolint:errorlint // as Failed made it
		f.Lost.Mark = m.id
	}
	return err
}
