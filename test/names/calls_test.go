package names_test

import (
	"regexp"
	"slices"
	"strings"
)

var tokenPattern = regexp.MustCompile(`--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\d+|@\w+|[A-Za-z_]\w*|\d+|::|` +
	`[-+*/<>=~!#%^&|]+|\S`)

func tokens(sql string) []string {
	return slices.DeleteFunc(tokenPattern.FindAllString(sql, -1), func(s string) bool { return strings.HasPrefix(s, "--") })
}

// grammar are the words that may stand before a parenthesis and are looked up nowhere, though some look like functions.
var grammar = strings.Fields(`all and any array as by cast check coalesce conflict cube do else except exists explain extract
	filter from greatest group hash having if in intersect join key lateral least limit materialized not nullif offset on operator
	or over partition position returning rollup row select set sets some substring then trim union unique using values when
	where with within`)

// halves are the words of the grammar that are functions like others unless one of these words is inside.
var halves = map[string][]string{"substring": {"FROM", "FOR", "SIMILAR"}}

// lists are the words before a name whose parenthesis holds columns.
var lists = []string{"into", "references", "table", "ordinality", "using", ")"}

// call is a function that a text calls.
type call struct {
	schema, name string
	args         int
}

// callsOf finds what a text calls, and the operators that it uses.
func callsOf(sql string) (calls []call, operators []string) {
	ts := tokens(sql)
	at := func(i int) string {
		if i < 0 || i >= len(ts) {
			return ""
		}
		return ts[i]
	}
	for i, tok := range ts {
		if strings.Trim(tok, "-+*/<>=~!#%^&|") == "" && !strings.Contains(tok, "*") {
			operators = append(operators, tok)
		}
		if at(i+1) != "(" || !regexp.MustCompile(`^["A-Za-z_]`).MatchString(tok) {
			continue
		}
		c, first := call{name: tok}, i
		for at(first-1) == "." {
			first -= 2
			c.schema = at(first)
		}
		word := strings.ToLower(tok)
		inside, args := argumentsOf(ts[i+2:])
		switch {
		case c.schema == "" && isWith(ts[i+1+len(inside)+args:]):
		case c.schema == "sqlc", slices.Contains(lists, strings.ToLower(at(first-1))):
		case strings.ToLower(at(first-1)) == "exists" && strings.ToLower(at(first-2)) == "not" && at(first-3) == "IF":
		case c.schema == "" && slices.Contains(grammar, word) &&
			(halves[word] == nil || slices.ContainsFunc(halves[word], func(s string) bool { return slices.Contains(inside, s) })):
		default:
			c.args = args
			calls = append(calls, c)
		}
	}
	return calls, operators
}

// isWith reports whether a name and its columns, of which ts is the rest from the parenthesis on, are those of a WITH.
func isWith(ts []string) bool {
	return len(ts) > 2 && ts[0] == ")" && strings.EqualFold(ts[1], "as") && ts[2] == "("
}

// argumentsOf returns the tokens up to the closing parenthesis that no other encloses, and how many arguments they are.
func argumentsOf(ts []string) (inside []string, args int) {
	for depth, i := 0, 0; i < len(ts); i++ {
		switch tok := ts[i]; {
		case tok == "(" || tok == "[":
			depth++
		case tok == ")" && depth == 0:
			if i > 0 {
				args++
			}
			return inside, args
		case tok == ")" || tok == "]":
			depth--
		case depth == 0 && tok == ",":
			args++
		case depth == 0:
			inside = append(inside, tok)
		}
	}
	return inside, args
}
