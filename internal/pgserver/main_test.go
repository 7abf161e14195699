package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childMode makes the test binary a process that starts a server and waits to be killed.
const childMode = "PGSERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
	}
	os.Exit(m.Run())
}

func child(mode string) {
	s, err := Start(context.Background(), Options{Keep: mode == "keep"})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(s.PID(), s.Dir())
	switch mode {
	case "keep":
		os.Exit(0)
	case "once":
		if err := s.Stop(); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	select {} // until killed
}

// runChild starts the test binary in child mode and returns its server.
func runChild(t *testing.T, mode string) (parent *exec.Cmd, pid int, dir string) {
	t.Helper()
	private(t)
	parent = exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), childMode+"="+mode)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = parent.Process.Kill()
		_ = parent.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	first, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	if pid, err = strconv.Atoi(first); err != nil {
		t.Fatalf("child says %q", line)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return parent, pid, dir
}

// private takes away what the environment says about servers.
func private(t *testing.T) {
	t.Helper()
	t.Setenv("DATABASE_URL", "")
}

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	private(t)
	s, err := Start(testContext(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ask returns the one value of a query.
func ask(t *testing.T, dsn, query string) string {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(testContext(t), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// eventually waits for a condition that takes up to two seconds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 2 s: %s", what)
		}
	}
}

// alive does not count a zombie, which an init that reaps no orphans leaves behind.
func alive(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		return !strings.Contains(string(stat), ") Z ")
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission) || runtime.GOOS == "windows"
}
