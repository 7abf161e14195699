package authdb

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/zerostarter/authdb/internal/repo"
)

//go:embed migrate/testdata/catalog_0001.txt
var catalog string

const canary = "canary@example.com"

// leaky is what PostgreSQL and pgx put into their errors.
func leaky(code, constraint string) *pgconn.PgError {
	return &pgconn.PgError{
		Code: code, ConstraintName: constraint, Message: `about "` + canary + `"`,
		Detail: "Key (email)=(" + canary + ") already exists.", Hint: canary, Where: canary, InternalQuery: canary,
	}
}

func TestTranslateKinds(t *testing.T) {
	t.Parallel()
	pg := func(code, constraint string) error { return leaky(code, constraint) }
	for name, tt := range map[string]struct {
		err   error
		kinds []error
		field string
	}{
		"no rows":                   {pgx.ErrNoRows, []error{ErrNotFound}, ""},
		"e-mail, drizzle-kit 0.31":  {pg("23505", "user_email_unique"), []error{ErrEmailTaken, ErrConflict}, "email"},
		"e-mail, drizzle-kit 1.0":   {pg("23505", "user_email_key"), []error{ErrEmailTaken, ErrConflict}, "email"},
		"slug, drizzle-kit 0.31":    {pg("23505", "organization_slug_unique"), []error{ErrSlugTaken, ErrConflict}, "slug"},
		"slug, drizzle-kit 1.0":     {pg("23505", "organization_slug_key"), []error{ErrSlugTaken, ErrConflict}, "slug"},
		"slug, second index":        {pg("23505", "organization_slug_uidx"), []error{ErrSlugTaken}, "slug"},
		"primary key":               {pg("23505", "team_member_pkey"), []error{ErrConflict}, "id"},
		"unknown unique":            {pg("23505", "passkey_unique"), []error{ErrConflict}, ""},
		"foreign key":               {pg("23503", "invitation_inviter_id_user_id_fk"), []error{ErrReference}, "inviter_id"},
		"foreign key, 1.0":          {pg("23503", "invitation_inviter_id_user_id_fkey"), []error{ErrReference}, "inviter_id"},
		"unknown foreign key":       {pg("23503", "x"), []error{ErrReference}, ""},
		"not null":                  {&pgconn.PgError{Code: "23502", ColumnName: "name"}, []error{ErrInvalidInput}, "name"},
		"check":                     {pg("23514", "x"), []error{ErrInvalidInput}, ""},
		"NUL":                       {pg("22021", ""), []error{ErrInvalidInput}, ""},
		"index row":                 {pg("54000", ""), []error{ErrInvalidInput}, ""},
		"Citus: no constraint name": {citus("23505", "user_email_unique_102008"), []error{ErrEmailTaken}, "email"},
		"Citus: foreign key":        {citus("23503", "session_user_id_user_id_fkey_102036"), []error{ErrReference}, "user_id"},
		"Citus: the longer name":    {citus("23503", "team_member_team_id_team_id_fk_1"), []error{ErrReference}, "team_id"},
		"Citus: unknown":            {citus("23505", "some_index_102008"), []error{ErrConflict}, ""},
		"Citus: INSERT with SELECT": {citus("XX000", "user_email_unique_102008"), []error{ErrEmailTaken}, "email"},
		"Citus: another error":      {citus("XX000", "some_index_102008"), nil, ""},
		"damaged index": {
			&pgconn.PgError{Code: "XX000", Message: `right sibling's left-link doesn't match in index "user_email_unique"`}, nil, "",
		},
		"canceled":      {fmt.Errorf("x: %w", context.Canceled), []error{context.Canceled}, ""},
		"deadline":      {context.DeadlineExceeded, []error{context.DeadlineExceeded}, ""},
		"serialization": {pg("40001", ""), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := translate("Users.Create", fmt.Errorf("wrapped: %w", tt.err))
			for _, kind := range tt.kinds {
				if !errors.Is(err, kind) {
					t.Errorf("%v is not %v", err, kind)
				}
			}
			for _, other := range []error{ErrNotFound, ErrConflict, ErrEmailTaken, ErrSlugTaken, ErrReference, ErrInvalidInput} {
				wanted := errors.Is(errors.Join(tt.kinds...), other)
				if errors.Is(err, other) != wanted {
					t.Errorf("%v is %v: %v, want %v", err, other, !wanted, wanted)
				}
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Op != "Users.Create" || e.Field != tt.field {
				t.Errorf("got %#v, field %q", err, e.Field)
			}
		})
	}
	if err := translate("Users.Get", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	inner := translate("Users.Get", pgx.ErrNoRows)
	if err := translate("InTx", inner); err != inner { //nolint:errorlint // the very error is meant
		t.Errorf("an *Error was wrapped again: %v", err)
	}
}

func citus(code, constraint string) error {
	return &pgconn.PgError{Code: code, Message: `duplicate key value violates unique constraint "` + constraint + `"`}
}

// TestErrorsLeakNothing looks for a row's value in everything that prints, logs or encodes an error.
func TestErrorsLeakNothing(t *testing.T) {
	t.Parallel()
	errs := map[string]error{
		"unique":         leaky("23505", "user_email_unique"),
		"unknown":        leaky("XX000", ""),
		"text in a cast": leaky("22P02", ""),
		"not null":       leaky("23502", ""),
		"encoding":       fmt.Errorf("failed to encode args[0]: unable to encode %q", canary),
		"joined":         errors.Join(leaky("23505", "x"), io.ErrUnexpectedEOF),
		"shutdown":       fatal(leaky("08006", "")),
		"panic":          fatal(leaky("XX000", "")),
		"row":            pgx.ScanArgError{FieldName: "image", Err: fmt.Errorf("cannot scan %q", canary)},
	}
	for name, cause := range errs {
		err := fmt.Errorf("service: %w", translate("Users.Create", repo.Failed(t.Context(), nil, cause, true)))
		e, _ := errors.AsType[*Error](err)
		var logged bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
			slog.New(h).Error("failed", "err", err, "e", e, "any", any(*e))
		}
		encoded, jsonErr := json.Marshal(e)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		for _, out := range []string{
			err.Error(), fmt.Sprintf("%v %+v %#v %s %q %x", err, err, err, err, err, err),
			fmt.Sprintf("%v %+v %#v %s %q %x %d", e, e, e, e, e, e, e), string(encoded), logged.String(),
			unwrapAll(err),
		} {
			if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s: %s", name, out)
			}
		}
		if !errors.Is(e.Cause(), cause) {
			t.Errorf("%s: Cause lost the cause", name)
		}
	}
}

func fatal(err *pgconn.PgError) error {
	err.Severity, err.SeverityUnlocalized = "FATAL", "FATAL"
	return err
}

// TestVerdicts holds each fault to its kind, outcome and class of retry: as a read or in a transaction, and as a write that
// commits by itself.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return &pgconn.PgError{Code: code, Severity: "ERROR"} }
	tlsError := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	never, again, none := RetryNever, RetryTransaction, error(nil)
	for name, tt := range map[string]struct {
		err     error
		kind    error
		retry   RetryClass
		unknown bool // as a write
	}{
		"serialization":            {pg("40001"), none, again, false},
		"deadlock":                 {pg("40P01"), none, again, false},
		"lock timeout":             {pg("55P03"), ErrTimeout, again, false},
		"statement timeout":        {pg("57014"), ErrTimeout, never, false},
		"idle in transaction":      {fatal(&pgconn.PgError{Code: "25P03"}), ErrTimeout, again, false},
		"transaction timeout":      {fatal(&pgconn.PgError{Code: "25P04"}), ErrTimeout, again, true},
		"plan has changed":         {&pgconn.PgError{Code: "0A000", Routine: "RevalidateCachedQuery"}, none, again, false},
		"not supported":            {pg("0A000"), none, never, false},
		"wrong isolation":          {pg("25001"), ErrIsolation, never, false},
		"a function divides by 0":  {pg("22012"), none, never, false},
		"a function sets a level":  {&pgconn.PgError{Code: "25001", Where: "PL/pgSQL"}, none, never, false},
		"terminated":               {fatal(&pgconn.PgError{Code: "57P01"}), ErrUnavailable, again, true},
		"crash":                    {fatal(&pgconn.PgError{Code: "57P02"}), ErrUnavailable, again, true},
		"starting":                 {fatal(&pgconn.PgError{Code: "57P03"}), ErrUnavailable, again, true},
		"idle session":             {fatal(&pgconn.PgError{Code: "57P05"}), ErrUnavailable, again, false},
		"pooler full":              {fatal(&pgconn.PgError{Code: "08P01"}), ErrUnavailable, again, true},
		"connection failure":       {pg("08006"), ErrUnavailable, again, true},
		"panic":                    {fatal(&pgconn.PgError{Code: "XX000"}), none, never, true},
		"too many connections":     {pg("53300"), ErrUnavailable, again, false},
		"disk full":                {pg("53100"), none, never, false},
		"read only":                {pg("25006"), ErrReadOnly, never, false},
		"wrong password":           {repo.NotSent(t.Context(), pg("28P01")), none, never, false},
		"certificate":              {repo.NotSent(t.Context(), tlsError), none, never, false},
		"refused":                  {repo.NotSent(t.Context(), &net.OpError{Op: "dial", Err: io.EOF}), ErrUnavailable, again, false},
		"pool closed":              {repo.NotSent(t.Context(), errors.New("closed pool")), ErrUnavailable, again, false},
		"reset":                    {&net.OpError{Op: "read", Err: io.EOF}, ErrUnavailable, again, true},
		"EOF":                      {io.ErrUnexpectedEOF, ErrUnavailable, again, true},
		"conn closed":              {pgconn.ErrConnClosed, ErrUnavailable, again, true},
		"cancelled":                {context.Canceled, none, never, true},
		"deadline":                 {context.DeadlineExceeded, none, again, true},
		"cancelled before sending": {repo.NotSent(t.Context(), context.Canceled), none, never, false},
		"deadline before sending":  {repo.NotSent(t.Context(), context.DeadlineExceeded), none, again, false},
		"rolled back":              {pgx.ErrTxCommitRollback, none, never, false},
	} {
		as := func(writes bool) *Error {
			if _, ok := errors.AsType[*repo.FailureError](tt.err); ok {
				return authdbError(t, translate("x", tt.err))
			}
			return authdbError(t, translate("x", repo.Failed(t.Context(), nil, tt.err, writes)))
		}
		e := as(false)
		if e.Kind() != tt.kind || e.Retry != tt.retry || e.Outcome != OutcomeNotApplied || errors.Is(e, ErrCommitUnknown) { //nolint:errorlint // the very error
			t.Errorf("%s: %v, kind %v, retry %v, outcome %v", name, e, e.Kind(), e.Retry, e.Outcome)
		}
		e = as(true)
		kind, retry, outcome := tt.kind, tt.retry, OutcomeNotApplied
		if tt.unknown {
			kind, retry, outcome = ErrCommitUnknown, RetryResolve, OutcomeUnknown
		}
		if e.Kind() != kind || e.Retry != retry || e.Outcome != outcome { //nolint:errorlint // the very error
			t.Errorf("%s as a write: %v, kind %v, retry %v, outcome %v", name, e, e.Kind(), e.Retry, e.Outcome)
		}
		if tt.unknown && (errors.Is(e, ErrUnavailable) || errors.Is(e, ErrTimeout)) {
			t.Errorf("%s as a write: %v invites to do it again", name, e)
		}
		for _, ctxErr := range contextErrors {
			if errors.Is(tt.err, ctxErr) != errors.Is(e, ctxErr) {
				t.Errorf("%s: %v is %v: %v", name, e, ctxErr, !errors.Is(tt.err, ctxErr))
			}
		}
	}
}

// TestVerdictsAsText: names, not numbers, in logs and JSON.
func TestVerdictsAsText(t *testing.T) {
	t.Parallel()
	lost := repo.Failed(t.Context(), nil, io.ErrUnexpectedEOF, true, repo.Key{TableName: "user", ID: canary})
	e := authdbError(t, translate("Users.Create", lost))
	encoded, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(encoded), `"Outcome":"unknown","Retry":"resolve"`) {
		t.Errorf("%s, %v", encoded, err)
	}
	if strings.Contains(string(encoded)+fmt.Sprintf("%v %+v %#v", e, e, e), canary) {
		t.Errorf("%s, %v", encoded, e)
	}
	if want := "authdb: Users.Create: outcome unknown: unexpected EOF"; e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
	for got, want := range map[string]string{
		OutcomeNotApplied.String(): "not applied", OutcomeUnknown.String(): "unknown", OutcomeApplied.String(): "applied",
		RetryNever.String(): "never", RetryTransaction.String(): "transaction", RetryResolve.String(): "resolve",
		Outcome(9).String(): "invalid", RetryClass(9).String(): "invalid",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestDeleted: a foreign key that a delete violates is that of another row.
func TestDeleted(t *testing.T) {
	t.Parallel()
	err := deleted("x", &pgconn.PgError{Code: "23503", TableName: "orders", ConstraintName: "orders_user_fk"})
	if e := authdbError(t, err); !errors.Is(err, ErrReferenced) || errors.Is(err, ErrReference) || e.Table != "orders" {
		t.Error(err)
	}
	if err := deleted("x", nil); err != nil {
		t.Error(err)
	}
}

// unwrapAll prints every error that errors.Is and errors.As can reach, as a reporter would.
func unwrapAll(err error) string {
	out := fmt.Sprintf("%+v", err)
	if encoded, jsonErr := json.Marshal(err); jsonErr == nil {
		out += string(encoded)
	}
	switch w := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() error }:
		out += unwrapAll(w.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			out += unwrapAll(inner)
		}
	}
	return out
}

// TestErrorsSayWhatHelps: what names the schema or the network is shown.
func TestErrorsSayWhatHelps(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`relation "user" does not exist: run migrate up, or name the schema of the tables in search_path (SQLSTATE 42P01)`: &pgconn.PgError{
			Code: "42P01", Message: `relation "user" does not exist`,
		},
		"invalid input: dsn: the pooler refuses the parameter search_path: leave it out, or name it in the pooler's " +
			"ignore_startup_parameters (SQLSTATE 08P01)": fatal(&pgconn.PgError{
			Code: "08P01", Message: "unsupported startup parameter in options: search_path",
		}),
		"invalid input (SQLSTATE 22P02)":  leaky("22P02", ""),
		"database error":                  &pgconn.PgError{},
		"conn closed":                     pgconn.ErrConnClosed,
		"unexpected EOF":                  io.ErrUnexpectedEOF,
		"database error (SQLSTATE XX000)": leaky("XX000", ""),
	} {
		if got := translate("Users.Get", err).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end in %q", got, want)
		}
	}
}

// TestRulesNameEveryConstraint: the names of the catalog's list, in both families, have a rule.
func TestRulesNameEveryConstraint(t *testing.T) {
	t.Parallel()
	names, unused := 0, maps.Clone(rules)
	for line := range strings.SplitSeq(catalog, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(rest, " ")
		_, name, _ = strings.Cut(name, ".")
		if kind != "constraint" && !strings.Contains(line, "UNIQUE INDEX") {
			continue
		}
		names++
		other := strings.NewReplacer("_unique", "_key", "_fk", "_fkey").Replace(name)
		for _, n := range []string{name, other} {
			if _, ok := rules[n]; !ok {
				t.Errorf("no rule for %s", n)
			}
			delete(unused, n)
		}
	}
	if names != 22 {
		t.Errorf("%d constraints found, want 22", names)
	}
	files, err := filepath.Glob("db/migrations/*.up.sql") // the catalog is that of the first
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`CREATE UNIQUE INDEX[^"]* "(\w+)"`).FindAllStringSubmatch(string(content), -1) {
			if _, ok := rules[m[1]]; !ok {
				t.Errorf("no rule for %s", m[1])
			}
			delete(unused, m[1])
		}
	}
	for name := range unused {
		t.Errorf("a rule for %s, which does not exist", name)
	}
}

// TestUnclassifiedTextHidesValues: classes 22 and 23 quote what was sent, also where no kind says it for them.
func TestUnclassifiedTextHidesValues(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"22003", "23P01", "XX000"} {
		if text := translate("Users.Get", leaky(code, "")).Error(); strings.Contains(text, canary) {
			t.Errorf("%s: %s", code, text)
		}
	}
}

func authdbError(t *testing.T, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is a %T, want an *Error", err, err)
	}
	return e
}
