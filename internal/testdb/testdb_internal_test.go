package testdb

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestTemplateOfAnother of the right name is not cloned.
func TestTemplateOfAnother(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h, err := start()
	if err != nil {
		t.Fatal(err)
	}
	name := "authdb_test_" + strings.ToLower(rand.Text())
	for _, sql := range []string{"CREATE ROLE " + name + "_eve", "CREATE DATABASE " + name, "ALTER DATABASE " + name + " OWNER TO " + name + "_eve"} {
		if _, err := h.admin.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.makeTemplate(ctx, name, "template0", migrateUp); err == nil || !strings.Contains(err.Error(), "belongs to another role") {
		t.Errorf("got %v", err)
	}
	if _, err := h.admin.Exec(ctx, "ALTER DATABASE "+name+" OWNER TO CURRENT_USER"); err != nil {
		t.Fatal(err)
	}
	if err := h.makeTemplate(ctx, name, "template0", migrateUp); err != nil {
		t.Error(err)
	}
	for _, sql := range []string{"DROP DATABASE " + name, "DROP ROLE " + name + "_eve"} {
		if _, err := h.admin.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
	}
}

// TestNobodyHoldsTheTemplate: a session in it, or in what becomes it, would keep every test from a clone.
func TestNobodyHoldsTheTemplate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h, err := start()
	if err != nil {
		t.Fatal(err)
	}
	name := "authdb_test_" + strings.ToLower(rand.Text())
	if err := h.makeTemplate(ctx, name, "template0", migrateUp); err != nil {
		t.Fatal(err)
	}
	var may, does bool
	if err := h.admin.QueryRow(ctx, `SELECT datallowconn, EXISTS (SELECT FROM pg_catalog.aclexplode(
		coalesce(datacl, pg_catalog.acldefault('d', datdba))) WHERE grantee = 0)
		FROM pg_catalog.pg_database WHERE datname = $1`, name).Scan(&does, &may); err != nil || may || does {
		t.Errorf("it accepts connections: %v, and PUBLIC's, as it is built: %v, %v", does, may, err)
	}
	db, err := h.create(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, db.DSN)
	if err != nil {
		t.Fatal("a clone of it:", err)
	}
	_ = conn.Close(ctx)
	for _, database := range []string{db.Name, name} {
		if _, err := h.admin.Exec(ctx, "DROP DATABASE "+database); err != nil {
			t.Error(err)
		}
	}
}
