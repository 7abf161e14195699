package authdb

import (
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// Actor is on whose behalf an operation of an organization is done; the zero value is the program's own, which may do
// everything. [By] makes one.
type Actor struct {
	given   bool
	userID  string
	rules   permission.Rules
	dynamic []permission.Roles
}

// By is a user, whose role in the organization must grant what the operation takes. It is read and held in the
// statement that acts, so that a role which is being taken away does not count. Owners, who have the CreatorRole of
// [Settings], may do everything; only they make owners, or change and remove one. All else is by the rules, and by the
// organization's own roles, where dynamic are those of [Authentication].
func By(userID string, rules permission.Rules, dynamic ...permission.Roles) Actor {
	return Actor{true, userID, rules, dynamic}
}

// check checks who acts: nobody's id is no right to everything.
func (a Actor) check() fault {
	if !a.given {
		return fault{}
	}
	return required("by", a.userID, maxKey)
}

// id is nil where nobody is asked for a right.
func (a Actor) id() *string {
	if !a.given {
		return nil
	}
	return &a.userID
}

// permitted is the pattern of the roles that grant an action.
func (a Actor) permitted(resource, action string) string {
	if !a.given {
		return ""
	}
	roles := a.rules.Granting(permission.Set{resource: {action}}, a.dynamic...)
	if a.rules.Platform || a.rules.Minor != 0 && a.rules.Minor < 7 {
		return repo.ExactRolePattern(roles...)
	}
	return repo.RolePattern(roles...)
}
