package authdb_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// methods calls f for each method of each repository, by its name as in Error.Op.
func methods(store *authdb.Store, f func(op string, method reflect.Value)) {
	repositories := reflect.ValueOf(store).Elem()
	for i := range repositories.NumField() {
		field := repositories.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		for j := range repositories.Field(i).NumMethod() {
			if name := repositories.Field(i).Type().Method(j).Name; !strings.HasPrefix(name, "All") {
				f(field.Name+"."+name, repositories.Field(i).Method(j))
			}
		}
	}
}

func lastError(results []reflect.Value) error {
	err, _ := results[len(results)-1].Interface().(error)
	return err
}

// filler fills the parameters of a method with valid text, but for the text number at, which is hostile.
type filler struct {
	at, count int
	hostile   string
	valid     func(field string) string
}

func (f *filler) text(field string) string {
	f.count++
	if f.count-1 == f.at {
		return f.hostile
	}
	return f.valid(field)
}

func (f *filler) fill(v reflect.Value, field string) {
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		*at = time.Now().Add(time.Hour)
		return
	case *authdb.Cursor, *authdb.Rows:
		return
	case *authdb.Change[string]:
		*at = authdb.Set(f.text(field))
		return
	case *authdb.Change[[]string]:
		*at = authdb.Set([]string{f.text(field)})
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), field)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0), field)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(v.Field(i), v.Type().Field(i).Name)
			}
		}
	}
}

func (f *filler) args(ctx context.Context, method reflect.Value) []reflect.Value {
	f.count = 0
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		p := reflect.New(method.Type().In(i)).Elem()
		f.fill(p, "")
		args = append(args, p)
	}
	return args
}

// TestHostileText puts text that PostgreSQL refuses into each place of each method, one at a time: it must be told
// before it gets there, and the error names no SQLSTATE but those of missing rows and duplicates.
func TestHostileText(t *testing.T) {
	t.Parallel()
	plain := authdbtest.New(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			store := authdb.New(poolIn(t, plain, "UTC", mode))
			user, org := authdbtest.User(t, store), authdbtest.Organization(t, store)
			calls := 0
			f := &filler{valid: func(field string) string {
				switch field {
				case "Email":
					return fmt.Sprintf("valid%d@example.com", calls)
				case "UserID", "InviterID", "OwnerID":
					return user.ID
				}
				return org.ID
			}}
			for _, f.hostile = range []string{
				"a\x00b", "\xff\xfe", "\xed\xa0\x80", strings.Repeat("z", 1<<20), strings.Repeat("😀", 70_000), "", `'\"{},;--$1`,
			} {
				methods(store, func(op string, method reflect.Value) {
					for f.at = 0; ; f.at++ {
						args := f.args(t.Context(), method)
						if f.at >= f.count {
							return
						}
						calls++
						err := lastError(method.Call(args))
						if err == nil {
							continue
						}
						e, ok := errors.AsType[*authdb.Error](err)
						if !ok || strings.Contains(err.Error(), "unexpected") {
							t.Errorf("%s, text %d: %v", op, f.at, err)
						} else if e.SQLState != "" && e.SQLState != "23503" && e.SQLState != "23505" {
							t.Errorf("%s, text %d = %.10q: %v", op, f.at, f.hostile, err)
						}
					}
				})
			}
			if calls < 1_000 {
				t.Errorf("only %d calls", calls)
			}
		})
	}
}

// TestEveryMethodNamesItself: the Op of an error is the method that was called, and a canceled context is found in it.
func TestEveryMethodNamesItself(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &filler{at: -1, valid: func(field string) string {
		if field == "Email" {
			return "ada@example.com"
		}
		return "x"
	}}
	methods(store, func(op string, method reflect.Value) {
		err := lastError(method.Call(f.args(ctx, method)))
		if e, ok := errors.AsType[*authdb.Error](err); ok && errors.Is(err, authdb.ErrInvalidInput) && e.Field == "email" {
			f.valid = func(string) string { return "ada@example.com" } // a bare parameter is the address
			err = lastError(method.Call(f.args(ctx, method)))
			f.valid = func(field string) string {
				return map[bool]string{true: "ada@example.com", false: "x"}[field == "Email"]
			}
		}
		e, ok := errors.AsType[*authdb.Error](err)
		if strings.Contains(op, ".Load") && err == nil {
			return // nothing was asked for
		}
		if op == "Organizations.GetFullBySlug" {
			op = "Organizations.GetBySlug"
		}
		if !ok || e.Op != op || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", op, err)
		}
	})
}

// TestDeletesTellWhatStandsInTheWay: a table of the caller's own may reference a row without a cascade.
func TestDeletesTellWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	for _, action := range []string{"NO ACTION", "RESTRICT"} {
		user := authdbtest.User(t, store)
		exec(t, store, `CREATE TABLE IF NOT EXISTS customer (user_id text)`)
		exec(t, store, `ALTER TABLE customer DROP CONSTRAINT IF EXISTS customer_user, ADD CONSTRAINT customer_user
			FOREIGN KEY (user_id) REFERENCES "user" ON DELETE `+action)
		exec(t, store, `INSERT INTO customer VALUES ($1)`, user.ID)
		if err := store.Users.Delete(t.Context(), user.ID); !errors.Is(err, authdb.ErrReferenced) || errors.Is(err, authdb.ErrReference) {
			t.Errorf("%s: %v", action, err)
		}
	}
}
