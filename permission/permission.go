// Package permission says whether roles permit something, as the organization and the admin plugin of Better Auth do
// (measured on 1.3.34, 1.4.22, 1.5.6, 1.6.34 and 1.7.25). It uses no database: roles are in a column of the membership
// or the user. authdb's Sessions.Authenticate returns the membership in the active organization.
//
//	rules := permission.Rules{}
//	if !rules.Can(auth.Member.Role, permission.Set{"member": {"create"}}) {
//		return errForbidden
//	}
package permission

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Set is actions by resource: what a role grants, or what is wanted.
type Set map[string][]string

// Roles maps the name of each role to what it grants.
type Roles map[string]Set

// Add lets a role, which may be new, grant more.
func (r Roles) Add(role string, more Set) {
	if r[role] == nil {
		r[role] = Set{}
	}
	for resource, actions := range more {
		r[role][resource] = append(r[role][resource], actions...)
	}
}

// OrganizationRoles returns the organization plugin's own roles. owner and admin may create, update and delete a
// member, team or ac (a role), create and cancel an invitation, and update the organization, which owner alone may
// delete. member may read ac. The caller may change the result.
func OrganizationRoles() Roles {
	manages := func(organization ...string) Set {
		return Set{
			"organization": organization, "member": {"create", "update", "delete"}, "invitation": {"create", "cancel"},
			"team": {"create", "update", "delete"}, "ac": {"create", "read", "update", "delete"},
		}
	}
	return Roles{
		"owner": manages("update", "delete"), "admin": manages("update"),
		"member": {"organization": {}, "member": {}, "invitation": {}, "team": {}, "ac": {"read"}},
	}
}

// PlatformRoles returns the admin plugin's own roles, as of 1.7: admin and user. 1.6 has no set-phone, and earlier
// versions no set-email. The caller may change the result.
func PlatformRoles() Roles {
	return Roles{
		"admin": {
			"user": {
				"create", "list", "set-role", "ban", "impersonate", "delete", "set-password", "get", "update", "set-email",
				"set-phone",
			},
			"session": {"list", "revoke", "delete"},
		},
		"user": {"user": {}, "session": {}},
	}
}

var organizationRoles, platformRoles = OrganizationRoles(), PlatformRoles()

// Rules are how roles are judged. The zero value is the organization plugin of 1.7 without options.
type Rules struct {
	// Roles are those that the application gives the plugin, in place of its own; nil: the plugin's own.
	Roles Roles
	// Platform judges users by the admin plugin, not members by the organization plugin: blanks around a role count, and a
	// user without a role has DefaultRole.
	Platform bool
	// DefaultRole is the admin plugin's option of that name; empty: "user".
	DefaultRole string
	// Minor is the x of the Better Auth version 1.x whose answers are wanted, from 3; zero: 7. Before 7, blanks around a
	// member's role count. Before 6, a role with the resource grants an empty list of actions. Before 5, a role in the
	// table organization_role that has the name of one of Roles is ignored; from 5 on it adds to that one.
	Minor int
}

// Can reports whether one of the roles, separated by commas, grants all that is wanted: every action on every resource.
// Rights of several roles do not add up. Unknown roles grant nothing, names are case-sensitive, and an empty wanted is
// never granted. dynamic are the organization's rows of the table organization_role, if the application has dynamic
// access control, each read by [Parse].
func (r Rules) Can(roles string, wanted Set, dynamic ...Roles) bool {
	if roles == "" && r.Platform {
		if roles = r.DefaultRole; roles == "" {
			roles = "user"
		}
	}
	if len(wanted) == 0 {
		return false
	}
	for role := range strings.SplitSeq(roles, ",") {
		if !r.Platform && r.minor() >= 7 {
			role = strings.Trim(role, blanks)
		}
		if r.grants(role, dynamic, wanted) {
			return true
		}
	}
	return false
}

// Granting returns, in no order, the names of the roles that grant all that is wanted: those for which [Rules.Can]
// returns true.
func (r Rules) Granting(wanted Set, dynamic ...Roles) (names []string) {
	for _, roles := range append([]Roles{r.configured()}, dynamic...) {
		for role := range roles {
			// A comma or blanks in a name make it one that no list of roles has.
			if !slices.Contains(names, role) && r.grants(role, dynamic, wanted) && r.Can(role, wanted, dynamic...) {
				names = append(names, role)
			}
		}
	}
	return names
}

func (s Set) has(resource string) bool {
	_, ok := s[resource]
	return ok
}

// blanks are the characters that JavaScript's trim removes.
const blanks = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
	"\u2028\u2029\u202f\u205f\u3000\ufeff"

func (r Rules) minor() int {
	if r.Minor == 0 {
		return 7
	}
	return r.Minor
}

func (r Rules) configured() Roles {
	switch {
	case r.Roles != nil:
		return r.Roles
	case r.Platform:
		return platformRoles
	}
	return organizationRoles
}

func (r Rules) grants(role string, dynamic []Roles, wanted Set) bool {
	set, ok := r.configured()[role]
	sets := []Set{set}
	if !ok || r.minor() >= 5 {
		for _, rows := range dynamic {
			sets = append(sets, rows[role])
		}
	}
	for resource, actions := range wanted {
		if len(actions) == 0 && (r.minor() >= 6 || !slices.ContainsFunc(sets, func(s Set) bool { return s.has(resource) })) {
			return false
		}
		for _, action := range actions {
			if !slices.ContainsFunc(sets, func(s Set) bool { return slices.Contains(s[resource], action) }) {
				return false
			}
		}
	}
	return true
}

// ErrMalformed says that a permission column is not a JSON object of lists of strings. A server of 1.6 and 1.7 then
// answers every check in that organization with status 500. The error shows nothing of the column.
var ErrMalformed = errors.New("permission: malformed")

// Parse reads the column permission of the table organization_role, or returns [ErrMalformed].
func Parse(column string) (Set, error) {
	var lists map[string][]*string
	if err := json.Unmarshal([]byte(column), &lists); err != nil || lists == nil {
		return nil, ErrMalformed
	}
	set := make(Set, len(lists))
	for resource, list := range lists {
		if list == nil {
			return nil, ErrMalformed
		}
		set[resource] = make([]string, len(list))
		for i, action := range list {
			if action == nil {
				return nil, ErrMalformed
			}
			set[resource][i] = *action
		}
	}
	return set, nil
}
