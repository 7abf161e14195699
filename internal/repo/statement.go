package repo

import (
	"slices"
	"strings"
	"unicode"
)

// This file finds places in the text of a generated query and inserts there. It knows quotes, comments and parentheses,
// and keywords as sqlc and db/queries write them.

// edit is a text to insert at a place.
type edit struct {
	at   int
	text string
}

func edited(sql string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return b.at - a.at })
	for _, e := range edits {
		sql = sql[:e.at] + e.text + sql[e.at:]
	}
	return sql
}

// walk calls f for each byte of sql outside of quotes and comments, with the number of open parentheses, until f
// returns false.
func walk(sql string, from int, f func(i, depth int) bool) {
	depth := 0
	for i := from; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"':
			end := strings.IndexByte(sql[i+1:], sql[i])
			if end < 0 {
				return
			}
			i += end + 1
			continue
		case '-':
			if strings.HasPrefix(sql[i:], "--") {
				end := strings.IndexByte(sql[i:], '\n')
				if end < 0 {
					return
				}
				i += end
				continue
			}
		case '(':
			depth++
		case ')':
			depth--
		}
		if !f(i, depth) {
			return
		}
	}
}

// depth is the number of open parentheses at a place.
func depth(sql string, at int) (open int) {
	walk(sql, 0, func(i, depth int) bool {
		if i >= at {
			return false
		}
		open = depth
		return true
	})
	return open
}

// closing is the place of the parenthesis that closes the one opened before from.
func closing(sql string, from int) (at int) {
	walk(sql, from, func(i, depth int) bool {
		at = i
		return depth >= 0
	})
	return at
}

// isWord reports whether a keyword, in capitals, stands at a place.
func isWord(sql string, at int, word string) bool {
	return strings.HasPrefix(sql[at:], word) && (at == 0 || !isLetter(sql[at-1])) &&
		(at+len(word) == len(sql) || !isLetter(sql[at+len(word)]))
}

func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// selectEnd is the end of the list of the SELECT at from.
func selectEnd(sql string, from int) int {
	end := len(sql)
	walk(sql, from, func(i, depth int) bool {
		if depth < 0 || depth == 0 && (isWord(sql, i, "FROM") || isWord(sql, i, "WHERE") || isWord(sql, i, "RETURNING") ||
			isWord(sql, i, "ON")) {
			end = i
			return false
		}
		return true
	})
	return len(strings.TrimRightFunc(sql[:end], unicode.IsSpace))
}

// listEnd is the end of the list that a statement returns; -1 if it returns nothing.
func listEnd(sql string) int {
	last, returning := -1, -1
	walk(sql, 0, func(i, depth int) bool {
		if depth == 0 && isWord(sql, i, "SELECT") {
			last = i
		}
		if depth == 0 && isWord(sql, i, "RETURNING") {
			returning = i
		}
		return true
	})
	switch {
	case returning >= 0:
		return len(strings.TrimRightFunc(sql, unicode.IsSpace))
	case last >= 0:
		return selectEnd(sql, last)
	}
	return -1
}
