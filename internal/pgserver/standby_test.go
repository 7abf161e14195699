package pgserver

import (
	"testing"
)

// TestFollow: a server that has ended comes back as a standby at its own address, and takes over.
func TestFollow(t *testing.T) {
	settings := []string{"wal_level=replica", "max_wal_senders=4"}
	a, b := start(t, Options{Settings: settings}), start(t, Options{Settings: settings})
	address := b.DSN()
	if err := b.Follow(testContext(t), a); err == nil {
		t.Error("a server that runs becomes a standby")
	}
	if err := b.End(testContext(t), Immediate); err != nil {
		t.Fatal(err)
	}
	err := b.Follow(testContext(t), a)
	if !executable(program(a.bin, "pg_basebackup")) {
		if err == nil {
			t.Error("a standby without pg_basebackup")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if b.DSN() != address || ask(t, address, "select pg_is_in_recovery()::text") != "true" {
		t.Error("it is no standby, or elsewhere")
	}
	if err := a.End(testContext(t), Kill); err != nil {
		t.Fatal(err)
	}
	if ask(t, address, "select pg_promote(true, 60)::text") != "true" {
		t.Error("it is not promoted")
	}
	if err := a.Follow(testContext(t), b); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, a.DSN(), "select pg_is_in_recovery()::text"); got != "true" {
		t.Error("the former primary is no standby")
	}
}
