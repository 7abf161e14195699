package pgserver

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestZZTiming(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		return
	}
	t0 := time.Now()
	s, err := Start(context.Background(), Options{TCP: os.Getenv("ZZ") == "tcp", Progress: func(m string) { fmt.Printf("%6d ms %s\n", time.Since(t0).Milliseconds(), m) }})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%6d ms ready %s %s %s pid %d\n", time.Since(t0).Milliseconds(), s.Version(), s.Origin(), s.DSN(), s.PID())
	t1 := time.Now()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%6d ms stop\n", time.Since(t1).Milliseconds())
}
