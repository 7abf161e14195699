//go:build betterauth

package betterauth_test

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/zerostarter/authdb"
)

// shown is the JSON of a row, as the server's own answer is read.
func shown(c *check, row any) object {
	var o object
	c.must(c.is("JSON", json.Unmarshal(one[[]byte](c)(json.Marshal(row)), &o), nil))
	return o
}

// sameJSON compares the JSON of a row with what the server answers for the same row, key by key, times as instants.
// Secrets are not shown here.
func (w *world) sameJSON(what string, row any, answer any, but ...string) {
	here, there := shown(w.check, row), answer.(object)
	for _, key := range slices.Sorted(maps.Keys(there)) {
		if _, isHere := here[key]; !isHere && !slices.Contains(but, key) {
			w.ok(false, "%s: the server shows %s = %v", what, key, there[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(here)) {
		value, isThere := there[key]
		if !isThere {
			w.ok(slices.Contains(but, key), "%s: the server does not show %s = %v", what, key, here[key])
			continue
		}
		a, errA := time.Parse(time.RFC3339, text(here[key]))
		b, errB := time.Parse(time.RFC3339, text(value))
		if errA == nil && errB == nil {
			w.ok(a.Equal(b), "%s: %s is %v, the server shows %v", what, key, here[key], value)
			continue
		}
		w.equal(what+": "+key, here[key], value)
	}
}

func text(v any) string { s, _ := v.(string); return s }

// rowsInJSON: each row type, as the server shows the same row.
func (w *world) rowsInJSON() {
	jay, user := w.goUser("Jay", true)
	org := one[authdb.Organization](w.check)(w.Organizations.Create(w.ctx, authdb.CreateOrganizationParams{
		Name: "Json", Slug: "json", OwnerID: user.ID, DefaultTeam: true, Metadata: new(`{"plan":"pro"}`),
	}))
	w.done("set active", jay.post("/organization/set-active", object{"organizationId": org.ID}))
	session := jay.get("/get-session")
	auth := one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(jay.token())))
	w.sameJSON("session", auth.Session, session.at("session"), "token")
	w.sameJSON("user", auth.User, session.at("user"))
	w.sameJSON("session of the list", auth.Session, jay.get("/list-sessions").list()[0], "token")
	accounts := one[authdb.Page[authdb.Account]](w.check)(w.Accounts.List(w.ctx, authdb.ListAccountsParams{UserID: user.ID}))
	w.sameJSON("account", accounts.Items[0], jay.get("/list-accounts").list()[0],
		"userId", "scopes", "scope", "accessTokenExpiresAt", "refreshTokenExpiresAt")

	full := jay.full(org.ID)
	member := one[authdb.Page[authdb.MemberWithUser]](w.check)(w.Members.List(w.ctx, authdb.ListMembersParams{OrganizationID: org.ID})).Items[0]
	w.sameJSON("organization", one[authdb.Organization](w.check)(w.Organizations.Get(w.ctx, org.ID)), full.at(),
		"members", "teams", "invitations")
	w.sameJSON("member", member.Member, full.at("members", 0), "user")
	team := w.team(org.ID)
	w.sameJSON("team", team, jay.get("/organization/list-teams?organizationId=" + org.ID).list()[0])
	invited := w.done("invite", jay.post("/organization/invite-member",
		object{"email": "json@example.com", "role": "member", "organizationId": org.ID, "teamId": team.ID}))
	// 1.3 does not show when it was made.
	w.sameJSON("invitation", one[authdb.Invitation](w.check)(w.Invitations.Get(w.ctx, org.ID, invited.text("id"))), invited.at(), "createdAt")
	seats := jay.get("/organization/list-team-members?teamId=" + team.ID).list()
	seat := one[authdb.TeamMember](w.check)(w.TeamMembers.GetByUser(w.ctx, org.ID, team.ID, user.ID))
	w.sameJSON("team member", seat, seats[0])
}
