package repo

import (
	"errors"
	"testing"

	"github.com/zerostarter/authdb/internal/dbgen"
)

// TestAnswersStay: a query that has no answer, as in the attempt that meets the mark of one before, takes away none.
func TestAnswersStay(t *testing.T) {
	row, word := dbgen.DeleteUserRow{Outcome: "before"}, "before"
	ask := ask((*queries).DeleteUser, dbgen.DeleteUserParams{}, &row)
	judge := judge((*queries).DeleteUser, dbgen.DeleteUserParams{}, &row, func(row dbgen.DeleteUserRow) string {
		word = row.Outcome
		return word
	})
	for _, step := range []Step{ask, judge} {
		if err := step.run(t.Context(), newQueries(&flight{})); !errors.Is(err, errQueued) {
			t.Errorf("got %v", err)
		}
		if row.Outcome != "before" || word != "before" {
			t.Errorf("the answer is %q, %q", row.Outcome, word)
		}
	}
}
