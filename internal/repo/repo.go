// Package repo does what SQL cannot do for authdb: the clock, ids and tokens, round trips, and transactions.
//
// Whatever is sent passes one door, [Repo.try]. Ids, tokens and times are set once, before it.
package repo

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// Sources are where times, ids and tokens come from.
type Sources struct {
	Now   func() time.Time
	ID    func() string
	Token func() string
}

// DefaultSources are the system's clock and random ids and tokens.
func DefaultSources() Sources {
	return Sources{Now: time.Now, ID: RandomID, Token: RandomID}
}

// DB is a database handle: a pool, a connection, a transaction, or a type of the caller's that wraps one.
type DB interface {
	dbgen.DBTX
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Repo runs queries on one database handle.
type Repo struct {
	db      DB
	sources Sources
	marks   bool // leave a mark with every write
	other   *Settings
	owners  string       // the pattern of the roles of an owner
	log     *slog.Logger // nil: nowhere
	misuse  MisuseError  // refuses everything; the zero value: nothing
	traced  bool         // the context carries the name of the method
	strict  *atomic.Bool // the sessions' default isolation is not READ COMMITTED
	tx      *transaction // nil outside of one
	begun   bool         // the handle is a transaction that InTx began, and ends

	userKeys bool // see withUserKeys
	// nil unless lookups are coalesced
	authentications *lanes[dbgen.AuthenticateSessionRow]
	plugged         *lanes[Authenticated]
	sessions        *lanes[dbgen.Session]

	Plugins Plugins
}

// transaction is what a Repo knows of its transaction. Those of its savepoints share it.
type transaction struct {
	level    pgx.TxIsoLevel // chosen by InTx; empty: the caller began it
	readOnly bool           // chosen by InTx
	key      *string        // nil: it is under none
	made     []Key          // rows that it has made so far
}

// Settings are the server's; see the root's type of that name, which has the same fields.
type Settings struct {
	CreatorRole                                           string
	SessionLifetime, SessionUpdateAge, InvitationLifetime time.Duration
	MaxMembers, MaxPendingInvitations                     int
	MaxTeams, MaxTeamMembers                              int
}

// Config is what New needs beside the handle.
type Config struct {
	Settings Settings
	Sources  Sources
	Marks    bool         // every write that has no key of its own gets one; see [WithKey]
	Log      *slog.Logger // what is repeated or dropped; nil: nowhere
	Misuse   MisuseError  // what is wrong with this Config; it refuses everything
	Plugins  Plugins
	Lanes    int // lookups of sessions at once, beyond which they are coalesced; pools only; 0: never
}

// New returns a Repo on db.
func New(db DB, c Config) *Repo {
	db = nonNil(db)
	r := &Repo{
		db: db, sources: c.Sources, other: &c.Settings, owners: RolePattern(c.Settings.CreatorRole),
		marks: c.Marks, Plugins: c.Plugins, log: c.Log, misuse: c.Misuse, traced: hasTracer(db), strict: new(atomic.Bool),
	}
	// What can be committed is a transaction.
	if _, ok := db.(interface {
		Commit(ctx context.Context) error
	}); ok {
		r.tx = &transaction{}
	} else if connOf(db) == nil {
		r.authentications, r.sessions = newLanes[dbgen.AuthenticateSessionRow](c.Lanes), newLanes[dbgen.Session](c.Lanes)
		r.plugged = newLanes[Authenticated](c.Lanes)
	}
	return r
}

// On returns a Repo like r on the caller's transaction. If that is a savepoint in r's transaction, it knows what r
// knows of it, except the rows that were made: a savepoint may be rolled back.
func (r *Repo) On(tx pgx.Tx) *Repo {
	on := *r
	if r.db == nil || nonNil(tx) == nil {
		on.db = nil
		return &on
	}
	on.db, on.tx, on.begun = tx, &transaction{}, false
	on.authentications, on.plugged, on.sessions = nil, nil, nil
	if r.tx != nil && connOf(r.db) == tx.Conn() {
		on.tx.level, on.tx.readOnly, on.tx.key = r.tx.level, r.tx.readOnly, r.tx.key
	}
	return &on
}

// Tx returns the handle if it is a transaction, otherwise nil, and whether InTx ends it.
func (r *Repo) Tx() (tx pgx.Tx, begun bool) {
	tx, _ = r.db.(pgx.Tx)
	return tx, r.begun
}

// where returns r. If the caller has begun a transaction on r's connection, it returns a Repo that knows of it.
func (r *Repo) where() *Repo {
	conn := connOf(r.db)
	if r.tx != nil || conn == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return r
	}
	in := *r
	in.tx = &transaction{}
	return &in
}

// IsTx reports whether the Repo's handle is a transaction.
func (r *Repo) IsTx() bool { return r.tx != nil }

// Now is the clock's time as it is sent to the database.
func (r *Repo) Now() time.Time { return utc(r.sources.Now()) }

// NowOr returns t, or the clock's time plus d where t is zero.
func (r *Repo) NowOr(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return r.Now().Add(d)
	}
	return utc(t)
}

// utc makes t fit a timestamp column: pgx drops the zone of what it writes there, and the server reads milliseconds.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// UTC is t as it is sent to the database; nil for nil.
func UTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(utc(*t))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Settings returns the server's settings.
func (r *Repo) Settings() Settings { return *r.other }
