package inputs_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// valids are the values that a method needs: by its name, the type of its parameter and the field. Without, any value of
// the type does.
var valids = map[string]any{
	"Users.SetEmail SetEmailParams.Email":                                "ada@example.com",
	"Users.CreateWithAccount CreateUserWithAccountParams.Account.UserID": "", // it makes the user
	"Users.Delete DeleteUserParams.DeleteOrganizations":                  false,
	"Users.Delete DeleteUserParams.SuccessorID":                          "another",
	"Verifications.Reserve CreateVerificationParams.ID":                  "", // it makes its own
	"Accounts.Link CreateAccountParams.Password":                         (*authdb.Secret)(nil),
	"Sessions.DeleteExpired int":                                         1,
	"Verifications.DeleteExpired int":                                    1,
}

// filler fills the parameters of a method with valid values, but for the text number at, which is hostile.
type filler struct {
	op        string
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

// fill fills v, which is a parameter, or the field of one.
func (f *filler) fill(v reflect.Value, param, field string) {
	first := f.count
	f.anything(v, param, field)
	place := f.op + " " + param
	if field != "" {
		place += "." + field
	}
	if value, ok := valids[place]; ok && (f.at < first || f.at >= f.count) {
		v.Set(reflect.ValueOf(value))
	}
}

func (f *filler) anything(v reflect.Value, param, field string) {
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		*at = time.Now().Add(time.Hour)
		return
	case *authdb.Cursor, *authdb.Rows:
		return
	case *authdb.Change[string]:
		*at = authdb.Set(f.text(field))
		return
	case *authdb.Change[authdb.Secret]:
		*at = authdb.Set(authdb.Secret(f.text(field)))
		return
	case *authdb.Change[time.Time]:
		*at = authdb.Set(time.Now().Add(time.Hour))
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
		f.anything(v.Elem(), param, field)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0), v.Type().Elem().Name(), field)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(v.Field(i), param, strings.TrimPrefix(field+"."+v.Type().Field(i).Name, "."))
			}
		}
	}
}

func (f *filler) args(ctx context.Context, op string, method reflect.Value) []reflect.Value {
	f.op, f.count = op, 0
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		p := reflect.New(method.Type().In(i)).Elem()
		f.fill(p, p.Type().Name(), "")
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
			store := authdb.New(kit.PoolIn(t, plain, "UTC", mode))
			user, org := authdbtest.User(t, store), authdbtest.Organization(t, store)
			calls := 0
			f := &filler{valid: func(field string) string {
				switch field[strings.LastIndex(field, ".")+1:] {
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
				kit.Methods(store, func(op string, method reflect.Value) {
					for f.at = 0; ; f.at++ {
						args := f.args(t.Context(), op, method)
						if f.at >= f.count {
							return
						}
						calls++
						err := kit.LastError(method.Call(args))
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
		if strings.HasSuffix(field, "Email") {
			return "ada@example.com"
		}
		return "1" // which is JSON, too
	}}
	kit.Methods(store, func(op string, method reflect.Value) {
		err := kit.LastError(method.Call(f.args(ctx, op, method)))
		e, ok := errors.AsType[*authdb.Error](err)
		if strings.Contains(op, ".Load") && err == nil {
			return // nothing was asked for
		}
		if !ok || e.Op != op || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", op, err)
		}
	})
}

// TestNeedlessValids: each of the valid values names a parameter that there is.
func TestNeedlessValids(t *testing.T) {
	t.Parallel()
	unused := maps.Clone(valids)
	kit.Methods(authdb.New(nil), func(op string, method reflect.Value) {
		for i := range method.Type().NumIn() {
			p := method.Type().In(i)
			delete(unused, op+" "+p.Name())
			if p.Kind() == reflect.Struct {
				for _, f := range reflect.VisibleFields(p) {
					delete(unused, op+" "+p.Name()+"."+f.Name)
					if f.Type.Kind() == reflect.Struct {
						for _, inner := range reflect.VisibleFields(f.Type) {
							delete(unused, op+" "+p.Name()+"."+f.Name+"."+inner.Name)
						}
					}
				}
			}
		}
	})
	if len(unused) > 0 {
		t.Errorf("no such parameters: %v", unused)
	}
}

// TestDeletesTellWhatStandsInTheWay: a table of the caller's own may reference a row without a cascade.
func TestDeletesTellWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	store := authdbtest.New(t)
	for _, action := range []string{"NO ACTION", "RESTRICT"} {
		user := authdbtest.User(t, store)
		kit.Exec(t, store, `CREATE TABLE IF NOT EXISTS customer (user_id text)`)
		kit.Exec(t, store, `ALTER TABLE customer DROP CONSTRAINT IF EXISTS customer_user, ADD CONSTRAINT customer_user
			FOREIGN KEY (user_id) REFERENCES "user" ON DELETE `+action)
		kit.Exec(t, store, `INSERT INTO customer VALUES ($1)`, user.ID)
		if _, err := store.Users.Delete(t.Context(), authdb.DeleteUserParams{UserID: user.ID}); !errors.Is(err, authdb.ErrReferenced) || errors.Is(err, authdb.ErrReference) {
			t.Errorf("%s: %v", action, err)
		}
	}
}
