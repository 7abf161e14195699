package repo

import "time"

// PageStart is where the first page begins to look: one end of all rows or the other. '\uFFFF' is behind every id.
func PageStart(newest bool) (createdAt time.Time, id string) {
	if newest {
		return Infinity, "\uFFFF"
	}
	return NegativeInfinity, ""
}

// CutPage returns the rows of a page, of those that were asked for, one more than it has, and whether there is a next
// page.
func CutPage[R any](rows []R, asked int32) (page []R, more bool) {
	if len(rows) == int(asked) {
		return rows[:len(rows)-1], true
	}
	return rows, false
}
