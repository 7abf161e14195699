package repo

import "strings"

// space is what JavaScript's trim takes away, which is how Better Auth 1.7 reads a list of roles.
const space = `[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*`

// RolePattern is the regular expression, PostgreSQL's, of a list of roles that has this one.
func RolePattern(role string) string {
	var quoted strings.Builder
	for _, r := range role {
		if strings.ContainsRune(`.*+?()[]{}|^$\\`, r) {
			quoted.WriteByte('\\')
		}
		quoted.WriteRune(r)
	}
	return "(^|,)" + space + quoted.String() + space + "(,|$)"
}

// ownerPattern decides who is an owner, in every query that asks.
var ownerPattern = RolePattern("owner")
