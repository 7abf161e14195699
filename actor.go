package authdb

import (
	"github.com/zerostarter/authdb/internal/repo"
	"github.com/zerostarter/authdb/permission"
)

// Actor is who an operation on an organization is done for. The zero value is the program itself, which may do
// everything. [By] makes an Actor of a user.
type Actor struct {
	given   bool
	userID  string
	rules   permission.Rules
	dynamic []permission.Roles
}

// By returns the Actor of a user, whose role in the organization must grant what the operation needs. The role is read
// and locked in the statement that acts, so that one which is being taken away does not count. Owners, who have the
// CreatorRole of [Settings], may do everything, and only they can make, change or remove owners. All else is decided by
// the rules, and by the organization's own roles: dynamic is the Roles of [Authentication].
func By(userID string, rules permission.Rules, dynamic ...permission.Roles) Actor {
	return Actor{true, userID, rules, dynamic}
}

// check checks who acts: an empty id from By is not the zero Actor, which may do everything.
func (a Actor) check() fault {
	if !a.given {
		return fault{}
	}
	return required("by", a.userID, maxKey)
}

// id is nil if no permission is checked.
func (a Actor) id() *string {
	if !a.given {
		return nil
	}
	return &a.userID
}

// permitted returns the pattern of the roles that grant an action.
func (a Actor) permitted(resource, action string) string {
	if !a.given {
		return ""
	}
	return a.pattern(a.rules.Granting(permission.Set{resource: {action}}, a.dynamic...)...)
}

// owning is the pattern of the role that may do everything. Where blanks around a role count, those who had no right to
// it could have it stored with some.
func (a Actor) owning(creator string) string {
	if !a.given {
		return ""
	}
	return a.pattern(creator)
}

func (a Actor) pattern(roles ...string) string {
	if a.rules.Platform || a.rules.Minor != 0 && a.rules.Minor < 7 {
		return repo.ExactRolePattern(roles...)
	}
	return repo.RolePattern(roles...)
}
