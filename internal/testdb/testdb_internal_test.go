package testdb

import (
	"crypto/rand"
	"strings"
	"testing"
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
	if err := h.makeTemplate(ctx, name); err == nil || !strings.Contains(err.Error(), "belongs to another role") {
		t.Errorf("got %v", err)
	}
	if _, err := h.admin.Exec(ctx, "ALTER DATABASE "+name+" OWNER TO CURRENT_USER"); err != nil {
		t.Fatal(err)
	}
	if err := h.makeTemplate(ctx, name); err != nil {
		t.Error(err)
	}
	for _, sql := range []string{"DROP DATABASE " + name, "DROP ROLE " + name + "_eve"} {
		if _, err := h.admin.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
	}
}
