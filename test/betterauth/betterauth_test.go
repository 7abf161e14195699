//go:build betterauth

// Package betterauth_test runs authdb beside a real Better Auth server, in five versions, on one database each.
package betterauth_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// versions with the number of checks that each must have passed: fewer would be a check that did not run.
var versions = []struct {
	exact  string
	checks int
}{{"1.3.34", 1056}, {"1.4.22", 1055}, {"1.5.6", 1055}, {"1.6.34", 1049}, {"1.7.25", 1072}}

// summary has a line for each version, in their order.
var summary = struct {
	sync.Mutex
	lines   map[string]string
	control string
	suite   string
	keys    []string
	signIn  []string
}{lines: map[string]string{}}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, v := range versions {
		if line, ok := summary.lines[v.exact]; ok {
			fmt.Println(line)
		}
	}
	slices.Sort(summary.signIn)
	for _, line := range append(slices.Concat(summary.keys, summary.signIn), summary.control, summary.suite) {
		if line != "" {
			fmt.Println(line)
		}
	}
	os.Exit(code)
}

func isError(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

// suite is everything that one version is asked.
func (w *world) suite() {
	for _, run := range []func(){
		w.serverWritesAccounts, w.serverWritesOrganizations, w.goWritesAccounts, w.goWritesOrganizations,
		w.rowsInJSON, w.invitationsAcross, w.counts, w.removals, w.deletions, w.sameAnswers, w.cookiesAgree, w.races,
	} {
		w.group(run)
	}
}

func TestBetterAuth(t *testing.T) {
	for _, v := range versions {
		t.Run(v.exact, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			w := newWorld(t, v.exact)
			w.suite()
			for _, wrong := range w.wrong {
				t.Error(wrong)
			}
			if w.n != v.checks {
				t.Errorf("%d checks, want %d", w.n, v.checks)
			}
			summary.Lock()
			defer summary.Unlock()
			summary.lines[v.exact] = fmt.Sprintf("better-auth %s: %d checks, %d failed, %.1f s%s", v.exact, w.n, len(w.wrong),
				time.Since(begin).Seconds(), strings.Join(append([]string{""}, w.notes...), "\n    "))
		})
	}
}

// TestWithoutMemberCount: on a database without that column of Better Auth 1.7 the run fails, and for that reason.
func TestWithoutMemberCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1.7.25", `ALTER TABLE team DROP COLUMN member_count`)
	w.group(w.serverWritesOrganizations)
	if len(w.wrong) == 0 || !strings.Contains(w.wrong[0], "create: 500") {
		t.Errorf("the server makes organizations without team.member_count; what failed: %q", w.wrong)
	}
	summary.Lock()
	defer summary.Unlock()
	summary.control = "control: without team.member_count better-auth 1.7.25 fails: " + strings.Join(w.wrong, "; ")
}
