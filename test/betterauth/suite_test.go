//go:build betterauth

package betterauth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zerostarter/authdb/authdbtest"
)

// suiteTests is how many tests the published suites have, with none of them turned off.
const suiteTests = 233

// TestAdapterSuite runs Better Auth's published suites for adapters over the migrated tables.
func TestAdapterSuite(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	report := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.Command("node", "node_modules/vitest/vitest.mjs", "run", "--reporter=json", "--outputFile="+report,
		"--testTimeout=60000", "--hookTimeout=60000", "suite.test.mjs")
	cmd.Dir = "suite"
	cmd.Env = append(os.Environ(), pgEnv(t, authdbtest.DSN(t))...)
	out, runErr := cmd.CombinedOutput()
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("no report: %v, %v\n%s", err, runErr, out)
	}
	var r struct {
		TestResults []struct {
			AssertionResults []struct {
				FullName, Status string
				FailureMessages  []string
			}
		}
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, file := range r.TestResults {
		for _, a := range file.AssertionResults {
			if a.Status == "passed" {
				if !strings.Contains(a.FullName, "──") { // a heading
					passed++
				}
			} else {
				t.Errorf("%s: %s %.500q", a.FullName, a.Status, a.FailureMessages)
			}
		}
	}
	if runErr != nil || passed != suiteTests {
		t.Errorf("%d tests passed, want %d: %v", passed, suiteTests, runErr)
	}
	summary.Lock()
	defer summary.Unlock()
	summary.suite = fmt.Sprintf("@better-auth/test-utils over the migrated tables: %d of %d tests passed, %.1f s",
		passed, suiteTests, time.Since(begin).Seconds())
}
