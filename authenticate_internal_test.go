package authdb

import (
	"reflect"
	"testing"
	"time"

	"github.com/zerostarter/authdb/internal/repo"
)

// TestPlatformOfCarriesEachColumn: it names the columns one by one, and would compile without one.
func TestPlatformOfCarriesEachColumn(t *testing.T) {
	t.Parallel()
	var row repo.Authenticated
	fill(reflect.ValueOf(&row).Elem())
	row.Roles = nil // pairs
	a := platformOf(row)
	for _, part := range []any{a.Session, a.User, *a.Member, *a.Team, *a.Platform} {
		for i, v := 0, reflect.ValueOf(part); i < v.NumField(); i++ {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not brought", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

// fill sets each field of a row.
func fill(v reflect.Value) {
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		*at = time.Unix(1, 0)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}
