package repo

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/zerostarter/authdb/secret"
)

// PostgreSQL's 'infinity' and '-infinity' as times. PostgreSQL counts microseconds, so no other time of a row equals
// one of these.
var (
	Infinity         = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_999, time.UTC)
	NegativeInfinity = time.Time{}.Add(1)
)

// alone is a connection for one statement.
type alone struct {
	held
	commits bool // the statement is a write that commits by itself
	row     row
}

func (a *alone) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := a.query(ctx, sql, args)
	return scanned{rows}, err
}

func (a *alone) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := a.query(ctx, sql, args)
	a.row = row{scanned{rows}, err}
	return &a.row
}

// Exec reads the answer to its end, as [row.Scan] does.
func (a *alone) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	rows, err := a.query(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

func (a *alone) query(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	rows, err := a.held.Query(ctx, sql, infinite(args)...)
	if err != nil && a.commits && a.conn != nil {
		if a.conn.Config().DefaultQueryExecMode != pgx.QueryExecModeSimpleProtocol {
			err = preparing{err} // only the simple protocol has sent it when Query fails
		}
	}
	return rows, err
}

// infinite replaces the infinities in args by pgx's.
func infinite(args []any) []any {
	for i, arg := range args {
		switch arg {
		case Infinity:
			args[i] = pgtype.Timestamp{InfinityModifier: pgtype.Infinity, Valid: true}
		case NegativeInfinity:
			args[i] = pgtype.Timestamp{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
		}
	}
	return args
}

// row is the one row of an answer, or the error in its place.
type row struct {
	scanned
	err error
}

// Scan reads the answer to its end: a row may arrive before PostgreSQL refuses to commit it.
func (r *row) Scan(dest ...any) (err error) {
	if r.err != nil {
		return r.err
	}
	if r.Next() {
		err = r.scanned.Scan(dest...)
	} else {
		err = pgx.ErrNoRows
	}
	if r.Close(); r.Err() != nil {
		return r.Err()
	}
	return err
}

// scanned are rows that go on after one that cannot be read.
type scanned struct{ pgx.Rows }

// Scan reads the binary values that generated queries scan; pgx reads the rest. All text of a row is one allocation, so
// a string that is kept keeps the others of its row.
func (s scanned) Scan(dest ...any) error {
	fields, values := s.FieldDescriptions(), s.RawValues()
	if len(fields) != len(dest) || len(values) != len(dest) {
		return scanError{pgx.ScanRow(s.TypeMap(), fields, values, dest...)}
	}
	var to cells
	to.measure(fields, values, dest)
	for i, dest := range dest {
		field := &fields[i]
		if to.scan(field.DataTypeOID, field.Format, values[i], dest) {
			continue
		}
		if err := s.TypeMap().Scan(field.DataTypeOID, field.Format, values[i], dest); err != nil {
			return scanError{pgx.ScanArgError{ColumnIndex: i, FieldName: field.Name, Err: err}}
		}
		toUTC(dest)
	}
	return nil
}

// toUTC sets the zone of a time to UTC, as the other times have.
func toUTC(dest any) {
	switch t := dest.(type) {
	case *time.Time:
		*t = t.UTC()
	case **time.Time:
		if *t != nil {
			**t = (*t).UTC()
		}
	}
}

// cells collects the values of a row.
type cells struct {
	size  int // of all texts
	text  strings.Builder
	texts []string // of nullable columns, where not NULL
}

func (c *cells) measure(fields []pgconn.FieldDescription, values [][]byte, dest []any) {
	nullable := 0
	for i, value := range values {
		if !isText(fields[i].DataTypeOID) || value == nil {
			continue
		}
		c.size += len(value)
		switch dest[i].(type) {
		case **string, **secret.Text:
			nullable++
		}
	}
	c.text.Grow(c.size)
	if nullable > 0 {
		c.texts = make([]string, 0, nullable)
	}
}

func isText(oid uint32) bool {
	return oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID
}

// scan puts a value into dest, or returns false if pgx must read or refuse it.
func (c *cells) scan(oid uint32, format int16, value []byte, dest any) bool {
	switch dest := dest.(type) {
	case *string:
		return value != nil && isText(oid) && set(dest, c.string(value))
	case *secret.Text:
		return value != nil && isText(oid) && set(dest, secret.Text(c.string(value)))
	case **string:
		return value == nil && set(dest, nil) || isText(oid) && set(dest, c.pointer(value))
	case **secret.Text:
		return value == nil && set(dest, nil) || isText(oid) && set(dest, (*secret.Text)(c.pointer(value)))
	case *time.Time:
		at, ok := timeOf(oid, format, value)
		return ok && set(dest, at)
	case **time.Time:
		if value == nil {
			return set(dest, nil)
		}
		at, ok := timeOf(oid, format, value)
		return ok && set(dest, &at)
	case *bool:
		return oid == pgtype.BoolOID && format == pgx.BinaryFormatCode && len(value) == 1 && set(dest, value[0] != 0)
	case *int32:
		return oid == pgtype.Int4OID && format == pgx.BinaryFormatCode && len(value) == 4 &&
			set(dest, int32(binary.BigEndian.Uint32(value)))
	case *int64:
		return oid == pgtype.Int8OID && format == pgx.BinaryFormatCode && len(value) == 8 &&
			set(dest, int64(binary.BigEndian.Uint64(value)))
	}
	return false
}

func set[T any](to *T, value T) bool {
	*to = value
	return true
}

func (c *cells) string(value []byte) string {
	at := c.text.Len()
	c.text.Write(value)
	return c.text.String()[at:]
}

func (c *cells) pointer(value []byte) *string {
	c.texts = append(c.texts, c.string(value))
	return &c.texts[len(c.texts)-1]
}

// timeOf decodes a binary time, also an infinity.
func timeOf(oid uint32, format int16, value []byte) (at time.Time, ok bool) {
	if oid != pgtype.TimestampOID && oid != pgtype.TimestamptzOID {
		return at, false
	}
	if format == pgx.TextFormatCode {
		switch string(value) {
		case "infinity":
			return Infinity, true
		case "-infinity":
			return NegativeInfinity, true
		}
		return at, false
	}
	if len(value) != 8 {
		return at, false
	}
	return Instant(int64(binary.BigEndian.Uint64(value))), true
}

const year2000 = 946_684_800 // the Unix time from which PostgreSQL counts

// Instant is the time of a number of microseconds in PostgreSQL's count.
func Instant(micros int64) time.Time {
	switch micros {
	case math.MaxInt64:
		return Infinity
	case math.MinInt64:
		return NegativeInfinity
	}
	return time.Unix(year2000+micros/1_000_000, micros%1_000_000*1_000).UTC()
}

// Micros is the inverse of [Instant].
func Micros(t time.Time) int64 {
	switch {
	case t.Equal(Infinity):
		return math.MaxInt64
	case t.Equal(NegativeInfinity):
		return math.MinInt64
	}
	return (t.Unix()-year2000)*1_000_000 + int64(t.Nanosecond())/1_000
}
