package authdb

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb/internal/repo"
)

// Option changes a default of [New] or [Open]. [WithClock], [WithIDs], [WithTokens], [WithOnce], [WithSettings],
// [WithPlugins], [WithCoalescing] and [WithLogger] serve both; [WithPoolConfig], [WithTracer] and [WithInsecureTLS] are
// about the connection and serve Open alone.
type Option func(*config)

type config struct {
	repo        repo.Config
	poolConfig  []func(*pgxpool.Config)
	insecureTLS bool
}

func newConfig(opts []Option) config {
	c := config{repo: repo.Config{Sources: repo.DefaultSources()}}
	for _, opt := range opts {
		opt(&c)
	}
	if e, ok := errors.AsType[*Error](Settings(c.repo.Settings).check()); ok {
		c.repo.Misuse = repo.MisuseError{Field: e.Field, Reason: e.Reason}
	}
	if c.repo.Lanes < 0 {
		c.repo.Misuse = repo.MisuseError{Field: "coalescing", Reason: "negative"}
	}
	c.repo.Settings = withDefaults(c.repo.Settings)
	return c
}

// WithClock sets the clock that stamps rows and judges expiry; the default is [time.Now]. Its times are cut to
// milliseconds, which is what Better Auth reads.
func WithClock(now func() time.Time) Option {
	return func(c *config) { c.repo.Sources.Now = now }
}

// WithIDs sets the source of row ids; the default gives 32 random characters of a-zA-Z0-9, as Better Auth does. It is
// called from many goroutines at once.
func WithIDs(id func() string) Option {
	return func(c *config) { c.repo.Sources.ID = id }
}

// WithTokens sets the source of session tokens, which are secrets; the default is like that of [WithIDs]. It is called
// from many goroutines at once.
func WithTokens(token func() string) Option {
	return func(c *config) { c.repo.Sources.Token = token }
}

// WithPoolConfig calls change with the pool's configuration after [Open] has set its own: sizes, tracer, and everything
// else that pgx offers. The rules for TLS, the session time zone and pg_temp are applied afterwards. Only a hook of the
// pool, such as BeforeConnect or PrepareConn, could still break them.
func WithPoolConfig(change func(*pgxpool.Config)) Option {
	return func(c *config) { c.poolConfig = append(c.poolConfig, change) }
}

// WithTracer sets the tracer of each connection, such as otelpgx, or pgx's tracelog, which logs. A tracer sees the
// arguments of each query, secrets included.
func WithTracer(t pgx.QueryTracer) Option {
	return WithPoolConfig(func(c *pgxpool.Config) { c.ConnConfig.Tracer = t })
}

// WithLogger sets a logger for what nobody would see otherwise: an attempt that is repeated (info, with method, number
// of the attempt, reason and SQLSTATE), and a connection that is dropped because a rollback failed (warn, with the id
// of the PostgreSQL process). Neither shows SQL, an argument or a value of a row.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) { c.repo.Log = l }
}

// Method returns the method of this package that a tracer's context belongs to, such as "Users.Get": a name for a span
// or a metric, one for each method. It is empty for the caller's own SQL, and "InTx" for the begin and the commit of
// [Store.InTx].
//
// A tracer of pgx gets such a context from a store of [Open] or [New] if the connections had the tracer when the store
// was made. Without a tracer, names cost nothing.
func Method(ctx context.Context) string { return repo.Method(ctx) }

// WithCoalescing lets at most n calls of [SessionRepository.Authenticate], and as many of
// [SessionRepository.GetByToken], be under way at once; 2 to 4 is right. All calls that come meanwhile are answered
// together, by one statement that is sent after they came. Under load that asks for many sessions at once and takes
// fewer connections; a call alone is as without it. Nothing is cached, no call waits for others to come, and a revoked
// session opens nothing. Each call ends with its context; if the statement fails, each asks by itself. Tracers and
// hooks of the pool see the context of one of the calls, so this is not for a pool whose PrepareConn or BeforeAcquire
// goes by the context, such as for a tenant. It has no effect in a transaction, on a single connection, or where
// [Columns] are read. With an n below 0, every method returns [ErrInvalidInput] with Field "coalescing".
func WithCoalescing(n int) Option {
	return func(c *config) { c.repo.Lanes = n }
}

// Plugins are the server's plugins that [SessionRepository.Authenticate], AuthenticateMany and the deletion of users
// and organizations take account of. The application makes their columns and tables; [Store.CheckSchema] looks for
// them.
type Plugins struct {
	Admin        bool // read [Authentication.Platform], from the columns of the admin plugin
	RefuseBanned bool // and refuse the banned, and impersonation by the banned or deleted; the server does at sign-in
	DynamicRoles bool // read [Authentication.Roles], from the table of the organization plugin's dynamicAccessControl
	// APIKeys lets [UserRepository.Delete] and [OrganizationRepository.Delete] also delete the API keys, which would stay
	// valid: from 1.5 on no foreign key deletes them. Keys of an organization that is deleted with its only owner stay;
	// see package apikey. What deletes accounts and sessions that were made before an address was proved, such as
	// [UserRepository.VerifyEmail], deletes the keys too.
	APIKeys bool
}

// WithPlugins tells the store about the server's plugins. Without it, Authenticate costs less. Every method that makes
// a session refuses banned users without it.
func WithPlugins(p Plugins) Option {
	return func(c *config) { c.repo.Plugins = repo.Plugins(p) }
}

// WithInsecureTLS lets [Open] connect to a remote host with an sslmode weaker than verify-full, if the DSN has one.
func WithInsecureTLS() Option {
	return func(c *config) { c.insecureTLS = true }
}
