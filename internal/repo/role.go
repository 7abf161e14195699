package repo

import "strings"

// Spaces are the characters that JavaScript's trim removes: Better Auth 1.7 trims the roles of a list.
const Spaces = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
	"\u2028\u2029\u202f\u205f\u3000\ufeff"

// TrimRole removes the Spaces around a role.
func TrimRole(role string) string { return strings.Trim(role, Spaces) }

// HasRole reports whether a role is in a list of roles.
func HasRole(list, role string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if TrimRole(one) == role {
			return true
		}
	}
	return false
}

// RolePattern is a regular expression of PostgreSQL's that matches a list of roles with one of these.
func RolePattern(roles ...string) string { return rolePattern("["+Spaces+"]*", roles) }

// ExactRolePattern is RolePattern without trimming.
func ExactRolePattern(roles ...string) string { return rolePattern("", roles) }

func rolePattern(around string, roles []string) string {
	if len(roles) == 0 {
		return "$." // nothing
	}
	var quoted strings.Builder
	for i, role := range roles {
		if i > 0 {
			quoted.WriteByte('|')
		}
		for _, r := range role {
			if strings.ContainsRune(`.*+?()[]{}|^$\\`, r) {
				quoted.WriteByte('\\')
			}
			quoted.WriteRune(r)
		}
	}
	return "(^|,)" + around + "(" + quoted.String() + ")" + around + "(,|$)"
}

// plainPattern matches a list of roles with nothing but member, whom Better Auth's default roles do not let invite.
const plainPattern = "^[" + Spaces + ",]*(member[" + Spaces + "]*(,[" + Spaces + ",]*|$))*$"
