//go:build unix

package pgserver

import "testing"

// TestStandby follows what its server writes, before and after it was made, and is ended by itself.
func TestStandby(t *testing.T) {
	s := start(t, Options{Settings: Replicates})
	lo := func(s *Server, n string) { ask(t, s.DSN(), "SELECT lo_create("+n+")::text") }
	lo(s, "70001")
	standby, err := s.Standby(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Stop() })
	lo(s, "70002")
	eventually(t, "what was written before and after", func() bool {
		return ask(t, standby.DSN(), "SELECT pg_is_in_recovery() || ' ' || count(*) FROM pg_largeobject_metadata") == "true 2"
	})
	ask(t, standby.DSN(), "SELECT pg_promote()::text")
	lo(standby, "70003")
	if err := standby.Stop(); err != nil || alive(standby.PID()) || !alive(s.PID()) {
		t.Errorf("stopped: %v, standby runs %v, server runs %v", err, alive(standby.PID()), alive(s.PID()))
	}
}
