package repo

import (
	"reflect"
	"testing"
	"time"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// TestMadeSessionCarriesEachColumn: it names the columns one by one, and would compile without one.
func TestMadeSessionCarriesEachColumn(t *testing.T) {
	var made dbgen.SignInByPasswordRow
	for i, row := 0, reflect.ValueOf(&made).Elem(); i < row.NumField(); i++ {
		switch at := row.Field(i).Addr().Interface().(type) {
		case **string:
			*at = new("x")
		case **time.Time:
			*at = new(time.Unix(1, 0))
		}
	}
	for i, session := 0, reflect.ValueOf(madeSession(made)); i < session.NumField(); i++ {
		if session.Field(i).IsZero() {
			t.Errorf("%s is not brought", session.Type().Field(i).Name)
		}
	}
}
