package testdb

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb/migrate"
)

// Adopt makes the tables of a generator, whose statements need not stand in an order in which they run, and takes them
// over: what is left to a person it does as printed.
func Adopt(ctx context.Context, dsn, form string) (a migrate.Adoption, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for pending := strings.Split(form, ";"); len(pending) > 0; {
		var failed []string
		var last error
		for _, sql := range pending {
			if _, err := conn.Exec(ctx, sql); err != nil {
				failed, last = append(failed, sql), err
			}
		}
		if len(failed) == len(pending) {
			return a, last
		}
		pending = failed
	}
	m, err := migrate.Open(ctx, dsn, migrate.Options{InsecureTLS: true})
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for { // tables get their names, then columns, then the rest
		a, err = m.Adopt(ctx, migrate.AdoptOptions{Complete: true, Superset: true})
		if !errors.Is(err, migrate.ErrDrift) || len(a.Remedies) == 0 {
			break
		}
		for _, sql := range a.Remedies[1:] { // the first is a sentence
			if _, err := conn.Exec(ctx, sql); err != nil {
				return a, err
			}
		}
	}
	if err != nil {
		return a, err
	}
	return a, m.Up(ctx)
}
