package kit

import (
	"iter"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
)

// Set changes columns of a row that is expected.
func (want Tables) Set(table, id string, columns map[string]any) {
	for name, value := range columns {
		want[table][id][name] = value
	}
}

// NewestFirst is the params of a list with the other order.
func NewestFirst[P any](p P) P {
	reflect.ValueOf(&p).Elem().FieldByName("Newest").SetBool(true)
	return p
}

// Ask asks for rows of each relation, through all of its filters or none.
func Ask[With any](rows authdb.Rows, filtered bool) (with With) {
	fields := reflect.ValueOf(&with).Elem()
	for i := range fields.NumField() {
		switch at := fields.Field(i).Addr().Interface().(type) {
		case *authdb.Rows:
			*at = rows
		case *bool:
			*at = filtered
		}
	}
	return with
}

func RowID(row any) string { return reflect.ValueOf(row).FieldByName("ID").String() }

// Collect takes up to limit items.
func Collect[T any](seq iter.Seq2[T, error], limit int) (items []T, err error) {
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		if items = append(items, item); len(items) == limit {
			break
		}
	}
	return items, nil
}

// RealData returns a store on the rows that a real Better Auth server wrote.
func RealData(t *testing.T, version string) *authdb.Store {
	t.Helper()
	store := authdbtest.New(t)
	data, err := os.ReadFile("../../testdata/better-auth-" + version + "/data.sql")
	if err != nil {
		t.Fatal(err)
	}
	Exec(t, store, string(data))
	return store
}

// Tables holds each table's rows by id, as PostgreSQL itself writes them in JSON: no decoding of pgx's is involved.
type Tables map[string]map[string]map[string]any

func ReadTables(t *testing.T, store *authdb.Store) Tables {
	t.Helper()
	all := Tables{}
	for _, table := range []string{
		"user", "session", "account", "verification", "organization", "team", "member",
		"team_member", "invitation",
	} {
		rows, err := store.Pool().Query(t.Context(), `SELECT to_jsonb(t) FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		all[table] = map[string]map[string]any{}
		for _, row := range list {
			all[table][row["id"].(string)] = row
		}
	}
	return all
}

// AsRow is a row struct in the form of tables.
func AsRow(v any) map[string]any {
	row := map[string]any{}
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		field := s.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				row[Column(s.Type().Field(i).Name)] = nil
				continue
			}
			field = field.Elem()
		}
		value := field.Interface()
		switch v := value.(type) {
		case time.Time:
			value = JSONTime(v)
		case int32:
			value = float64(v)
		case authdb.Secret:
			value = string(v)
		}
		row[Column(s.Type().Field(i).Name)] = value
	}
	return row
}

func JSONTime(at time.Time) string { return at.Format("2006-01-02T15:04:05.999999") }

// Column turns ActiveOrganizationID into active_organization_id.
func Column(field string) string {
	field = strings.NewReplacer("IDToken", "IdToken", "IP", "Ip").Replace(field)
	if rest, ok := strings.CutSuffix(field, "ID"); ok {
		field = rest + "Id"
	}
	var b strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
