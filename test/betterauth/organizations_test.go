//go:build betterauth

package betterauth_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zerostarter/authdb"
)

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// denied checks that the server refused what it was asked, whatever its status.
func (w *world) denied(what string, a answer) {
	w.ok(a.err == nil && a.status >= 400 && a.status < 500, "%s: %v, want a refusal", what, a)
}

// full is what the server shows of an organization.
func (b *browser) full(org string) answer {
	return b.get("/organization/get-full-organization?organizationId=" + url.QueryEscape(org))
}

// wrongSeats counts what is wrong in the columns of Better Auth 1.7.
const (
	wrongCounts = `SELECT count(*) FROM team t WHERE t.member_count <> (SELECT count(*) FROM team_member m WHERE m.team_id = t.id)`
	wrongKeys   = `SELECT count(*) FROM team_member WHERE membership_key <> translate(rtrim(encode(sha256(convert_to(
		'["' || team_id || '","' || user_id || '"]', 'UTF8')), 'base64'), '='), '+/', '-_')`
	noKeys = `SELECT count(*) FROM team_member WHERE membership_key IS NULL`
)

// seats checks them. Before 1.7 the server keeps neither, so the counts are right once they are counted again.
func (w *world) seats(after, org string) {
	if !w.is17() {
		one[int64](w.check)(w.Teams.RecountMembers(w.ctx, org))
		w.equal("wrong counts after "+after, w.number(wrongCounts+` AND t.organization_id = $1`, org), 0)
	} else {
		w.equal("wrong counts after "+after, w.number(wrongCounts), 0)
		w.equal("rows without a key after "+after, w.number(noKeys), 0)
	}
	w.equal("wrong keys after "+after, w.number(wrongKeys), 0)
}

func (w *world) goOrg(name, owner string) authdb.Organization {
	return one[authdb.Organization](w.check)(w.Organizations.Create(w.ctx, authdb.CreateOrganizationParams{
		Name: name, Slug: strings.ToLower(name), OwnerID: owner, DefaultTeam: true,
	}))
}

func (w *world) goMember(org, user, role string) authdb.Member {
	return one[authdb.Member](w.check)(w.Members.Create(w.ctx, authdb.CreateMemberParams{OrganizationID: org, UserID: user, Role: role}))
}

func (w *world) team(org string) authdb.Team {
	page := one[authdb.Page[authdb.Team]](w.check)(w.Teams.List(w.ctx, authdb.ListTeamsParams{OrganizationID: org}))
	w.must(w.ok(len(page.Items) > 0, "no team"))
	return page.Items[0]
}

func (w *world) serverWritesOrganizations() {
	eve, evesUser := w.goUser("Eve", false)
	mia, miasUser := w.goUser("Mia", false)

	made := w.done("create", eve.post("/organization/create", object{"name": "Acme", "slug": "acme", "metadata": object{"plan": "pro"}}))
	org := one[authdb.Organization](w.check)(w.Organizations.GetBySlug(w.ctx, "acme"))
	w.equal("organization", org.ID, made.text("id"))
	w.ok(org.Metadata != nil && *org.Metadata == `{"plan":"pro"}`, "metadata %v", org.Metadata)
	member := one[authdb.Member](w.check)(w.Members.GetByUser(w.ctx, org.ID, evesUser.ID))
	w.equal("role of the creator", member.Role, authdb.RoleOwner)
	team := w.team(org.ID)
	w.equal("default team", team.Name, "Acme")
	seat := one[authdb.TeamMember](w.check)(w.TeamMembers.GetByUser(w.ctx, org.ID, team.ID, evesUser.ID))
	w.equal("key of the server", seat.MembershipKey != nil, w.is17())
	w.seats("create by the server", org.ID)
	auth := one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(eve.token())))
	w.ok(auth.Member != nil && auth.Member.ID == member.ID, "member of the active organization: %v", auth.Member)
	w.ok(auth.Team != nil && auth.Team.ID == team.ID, "active team: %v", auth.Team)

	// A team, and an invitation to it that the invited accepts, all on the server.
	second := w.done("create team", eve.post("/organization/create-team", object{"name": "Two", "organizationId": org.ID})).text("id")
	w.equal("name of the team", one[authdb.Team](w.check)(w.Teams.Get(w.ctx, org.ID, second)).Name, "Two")
	invited := w.done("invite", eve.post("/organization/invite-member",
		object{"email": "MIA@example.com", "role": "member", "organizationId": org.ID, "teamId": second})).text("id")
	inv := one[authdb.Invitation](w.check)(w.Invitations.GetPending(w.ctx, org.ID, "Mia@example.com"))
	w.equal("invitation", inv.ID, invited)
	w.equal("teams of the invitation", inv.TeamIDs(), []string{second})
	w.ok(within(inv.ExpiresAt, authdb.InvitationLifetime), "invitation expires at %v", inv.ExpiresAt)
	received := one[authdb.Page[authdb.ReceivedInvitation]](w.check)(w.Invitations.ListByRecipient(w.ctx, authdb.ListInvitationsByRecipientParams{UserID: miasUser.ID, AllowUnverified: true, Pending: true}))
	w.ok(len(received.Items) == 1 && received.Items[0].Organization.ID == org.ID && received.Items[0].Inviter.ID == evesUser.ID, "received %v", received.Items)
	w.done("accept", mia.post("/organization/accept-invitation", object{"invitationId": invited}))
	w.equal("status", one[authdb.Invitation](w.check)(w.Invitations.Get(w.ctx, org.ID, invited)).Status, authdb.StatusAccepted)
	miasMember := one[authdb.Member](w.check)(w.Members.GetByUser(w.ctx, org.ID, miasUser.ID))
	one[authdb.TeamMember](w.check)(w.TeamMembers.GetByUser(w.ctx, org.ID, second, miasUser.ID))
	auth = one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(mia.token())))
	w.ok(auth.Member != nil && auth.Team != nil && auth.Team.ID == second, "active after accepting: %v", auth)
	w.seats("accept on the server", org.ID)
	_, err := w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: invited, UserID: miasUser.ID, AllowUnverified: true})
	w.is("accept again in Go", err, nil) // nothing was left to do

	// Roles.
	w.done("update role", eve.post("/organization/update-member-role", object{"memberId": miasMember.ID, "role": []string{"admin", "member"}, "organizationId": org.ID}))
	got := one[authdb.Member](w.check)(w.Members.Get(w.ctx, org.ID, miasMember.ID))
	w.equal("roles", got.Role, "admin,member")
	w.ok(got.HasRole("admin") && got.HasRole("member") && !got.HasRole("owner"), "roles of %q", got.Role)
	for role, want := range map[string]int{"admin": 1, "member": 1, "owner": 1} {
		page := one[authdb.Page[authdb.MemberWithUser]](w.check)(w.Members.List(w.ctx, authdb.ListMembersParams{OrganizationID: org.ID, Role: role}))
		w.equal("members with role "+role, len(page.Items), want)
	}

	// Active organization and team.
	w.done("set active to none", eve.post("/organization/set-active", object{"organizationId": nil}))
	auth = one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(eve.token())))
	w.ok(auth.Member == nil && auth.Team == nil, "active: %v", auth)
	w.done("set active", eve.post("/organization/set-active", object{"organizationId": org.ID}))
	w.done("set active team", eve.post("/organization/set-active-team", object{"teamId": team.ID}))
	auth = one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(eve.token())))
	w.ok(auth.Member != nil && auth.Team != nil && auth.Team.ID == team.ID, "active: %v", auth)

	// Both update the organization and the team.
	w.done("update", eve.post("/organization/update", object{"organizationId": org.ID, "data": object{"name": "Acme Ltd", "logo": "https://example.com/l.png"}}))
	org = one[authdb.Organization](w.check)(w.Organizations.Get(w.ctx, org.ID))
	w.equal("name by the server", org.Name, "Acme Ltd")
	w.done("update team", eve.post("/organization/update-team", object{"teamId": second, "data": object{"name": "Deux", "organizationId": org.ID}}))
	w.equal("team by the server", one[authdb.Team](w.check)(w.Teams.Get(w.ctx, org.ID, second)).Name, "Deux")
	name, dos := "Acme Inc", "Dos"
	one[authdb.Organization](w.check)(w.Organizations.Update(w.ctx, org.ID, authdb.UpdateOrganizationParams{Name: authdb.Set(name), Metadata: authdb.Set(`{"plan":"free"}`)}))
	one[authdb.Team](w.check)(w.Teams.Update(w.ctx, org.ID, second, authdb.UpdateTeamParams{Name: authdb.Set(dos)}))
	shown := w.done("full", eve.full(org.ID))
	w.equal("name by Go", shown.text("name"), name)
	w.equal("teams by Go", sorted(shown.texts("name", "teams")), []string{"Acme", "Dos"})

	// The whole graph on both sides.
	graph := one[authdb.OrganizationWithRelations](w.check)(w.Organizations.GetFull(w.ctx, org.ID, authdb.OrganizationWith{
		Members: authdb.All(), Teams: authdb.All(), TeamMembers: authdb.All(), Invitations: authdb.All(),
	}))
	var ids, teams, invitations []string
	for _, m := range graph.Members {
		ids = append(ids, m.ID)
	}
	for _, t := range graph.Teams {
		teams = append(teams, t.ID)
	}
	for _, i := range graph.Invitations {
		invitations = append(invitations, i.ID)
	}
	w.equal("members of both", sorted(shown.texts("id", "members")), sorted(ids))
	w.equal("teams of both", sorted(shown.texts("id", "teams")), sorted(teams))
	w.equal("invitations of both", sorted(shown.texts("id", "invitations")), sorted(invitations))

	// A second organization, whose slug neither side gives twice.
	w.refused("create with a slug that is used", mia.post("/organization/create", object{"name": "x", "slug": "acme"}), 400)
	_, err = w.Organizations.Create(w.ctx, authdb.CreateOrganizationParams{Name: "x", Slug: "acme", OwnerID: miasUser.ID})
	w.is("the same in Go", err, authdb.ErrSlugTaken)

	// Removing a team on the server.
	w.done("set active to the team", mia.post("/organization/set-active-team", object{"teamId": second}))
	w.done("remove team", eve.post("/organization/remove-team", object{"teamId": second, "organizationId": org.ID}))
	_, err = w.Teams.Get(w.ctx, org.ID, second)
	w.is("get a team that the server removed", err, authdb.ErrNotFound)
	auth = one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(mia.token())))
	w.ok(auth.Member != nil && auth.Team == nil, "active after the team is gone: %v", auth)
	w.seats("remove team on the server", org.ID)
	w.done("set active team to none", eve.post("/organization/set-active-team", object{"teamId": nil}))
	w.refused("remove the last team", eve.post("/organization/remove-team", object{"teamId": team.ID, "organizationId": org.ID}), 400)
	w.is("the same in Go", w.Teams.Delete(w.ctx, authdb.DeleteTeamParams{OrganizationID: org.ID, TeamID: team.ID}), authdb.ErrLastTeam)
}

func (w *world) goWritesOrganizations() {
	ivy, ivysUser := w.goUser("Ivy", false)
	leo, leosUser := w.goUser("Leo", false)
	metadata := `{"plan":"pro"}`
	org := one[authdb.Organization](w.check)(w.Organizations.Create(w.ctx, authdb.CreateOrganizationParams{
		Name: "Globex", Slug: "globex", Metadata: &metadata, OwnerID: ivysUser.ID, DefaultTeam: true,
	}))
	team := w.team(org.ID)
	w.equal("list", w.done("list", ivy.get("/organization/list")).texts("id"), []string{org.ID})
	shown := w.done("full", ivy.full(org.ID))
	w.equal("slug", shown.text("slug"), "globex")
	w.equal("metadata", shown.text("metadata"), metadata)
	w.equal("roles", shown.texts("role", "members"), []string{"owner"})
	w.equal("user of the member", shown.text("members", 0, "user", "email"), "ivy@example.com")
	w.equal("teams", shown.texts("name", "teams"), []string{"Globex"})
	w.denied("full for a stranger", leo.full(org.ID))
	w.refused("check its slug", ivy.post("/organization/check-slug", object{"slug": "globex"}), 400)

	// What is active in Go is active on the server.
	one[authdb.Session](w.check)(w.Sessions.SetActiveOrganization(w.ctx, authdb.SetActiveOrganizationParams{UserID: ivysUser.ID, Token: authdb.Secret(ivy.token()), OrganizationID: org.ID}))
	one[authdb.Session](w.check)(w.Sessions.SetActiveTeam(w.ctx, authdb.SetActiveTeamParams{UserID: ivysUser.ID, Token: authdb.Secret(ivy.token()), TeamID: team.ID}))
	session := w.done("get session", ivy.get("/get-session"))
	w.equal("active organization", session.text("session", "activeOrganizationId"), org.ID)
	w.equal("active team", session.text("session", "activeTeamId"), team.ID)
	w.equal("active member", w.done("active member", ivy.get("/organization/get-active-member")).text("role"), "owner")
	w.equal("full of the active", w.done("full", ivy.get("/organization/get-full-organization")).text("id"), org.ID)
	w.equal("list of the active team", w.done("team members", ivy.get("/organization/list-team-members")).texts("userId"), []string{ivysUser.ID})

	// Members, roles, teams by Go.
	member := w.goMember(org.ID, leosUser.ID, "member")
	w.done("full for a member", leo.full(org.ID))
	w.equal("members", sorted(w.done("members", leo.get("/organization/list-members?organizationId="+org.ID)).texts("userId", "members")), sorted([]string{ivysUser.ID, leosUser.ID}))
	w.refused("a member may not invite", leo.post("/organization/invite-member", object{"email": "x@example.com", "role": "member", "organizationId": org.ID}), 403)
	role := "admin,member"
	one[authdb.Member](w.check)(w.Members.Update(w.ctx, org.ID, member.ID, authdb.UpdateMemberParams{Role: authdb.Set(role)}))
	invited := w.done("an admin may", leo.post("/organization/invite-member", object{"email": "x@example.com", "role": "member", "organizationId": org.ID})).text("id")
	w.refused("an admin may not invite an owner", leo.post("/organization/invite-member", object{"email": "y@example.com", "role": "owner", "organizationId": org.ID}), 403)
	_, err := w.Invitations.Create(w.ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: leosUser.ID, Email: "y@example.com", Role: "owner"})
	w.is("the same in Go", err, authdb.ErrNotPermitted)
	w.done("cancel", leo.post("/organization/cancel-invitation", object{"invitationId": invited}))

	second := one[authdb.Team](w.check)(w.Teams.Create(w.ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Two"}))
	w.equal("teams", sorted(w.done("teams", ivy.get("/organization/list-teams?organizationId="+org.ID)).texts("name")), []string{"Globex", "Two"})
	one[authdb.TeamMember](w.check)(w.TeamMembers.Create(w.ctx, authdb.CreateTeamMemberParams{OrganizationID: org.ID, TeamID: second.ID, UserID: leosUser.ID}))
	w.equal("teams of a member", w.done("user teams", leo.get("/organization/list-user-teams")).texts("id"), []string{second.ID})
	w.equal("team members", w.done("team members", leo.get("/organization/list-team-members?teamId="+second.ID)).texts("userId"), []string{leosUser.ID})
	w.denied("team members for who is not in the team", ivy.get("/organization/list-team-members?teamId="+second.ID))
	w.seats("Go's team member", org.ID)

	// The same again is the same on both sides.
	w.done("add who is in the team", ivy.post("/organization/add-team-member", object{"teamId": second.ID, "userId": leosUser.ID}))
	again := one[authdb.TeamMember](w.check)(w.TeamMembers.Create(w.ctx, authdb.CreateTeamMemberParams{OrganizationID: org.ID, TeamID: second.ID, UserID: leosUser.ID}))
	w.equal("rows of one team member", w.number(`SELECT count(*) FROM team_member WHERE team_id = $1`, second.ID), 1)
	w.equal("its team", again.TeamID, second.ID)
	w.seats("adding twice", org.ID)
	w.refused("add who is a member", ivy.post("/test/add-member", object{"userId": leosUser.ID, "organizationId": org.ID, "role": "member"}), 400)
	_, err = w.Members.Create(w.ctx, authdb.CreateMemberParams{OrganizationID: org.ID, UserID: leosUser.ID})
	w.is("the same in Go", err, authdb.ErrAlreadyMember)
	w.denied("invite who is a member", ivy.post("/organization/invite-member", object{"email": "leo@example.com", "role": "member", "organizationId": org.ID}))
	_, err = w.Invitations.Create(w.ctx, authdb.CreateInvitationParams{OrganizationID: org.ID, InviterID: ivysUser.ID, Email: "leo@example.com"})
	w.is("the same in Go", err, authdb.ErrAlreadyMember)

	// The only owner stays, on both sides.
	owner := one[authdb.Member](w.check)(w.Members.GetByUser(w.ctx, org.ID, ivysUser.ID))
	w.denied("leave as the only owner", ivy.post("/organization/leave", object{"organizationId": org.ID}))
	w.is("the same in Go", w.Members.Leave(w.ctx, org.ID, ivysUser.ID), authdb.ErrLastOwner)
	w.denied("demote the only owner", ivy.post("/organization/update-member-role", object{"memberId": owner.ID, "role": "member", "organizationId": org.ID}))
	plain := "member"
	_, err = w.Members.Update(w.ctx, org.ID, owner.ID, authdb.UpdateMemberParams{Role: authdb.Set(plain)})
	w.is("the same in Go", err, authdb.ErrLastOwner)
	w.denied("remove the only owner", ivy.post("/organization/remove-member", object{"memberIdOrEmail": owner.ID, "organizationId": org.ID}))
	w.is("the same in Go", w.Members.Delete(w.ctx, authdb.DeleteMemberParams{OrganizationID: org.ID, MemberID: owner.ID}), authdb.ErrLastOwner)

	// Go removes the team.
	one[authdb.Session](w.check)(w.Sessions.SetActiveOrganization(w.ctx, authdb.SetActiveOrganizationParams{UserID: leosUser.ID, Token: authdb.Secret(leo.token()), OrganizationID: org.ID}))
	one[authdb.Session](w.check)(w.Sessions.SetActiveTeam(w.ctx, authdb.SetActiveTeamParams{UserID: leosUser.ID, Token: authdb.Secret(leo.token()), TeamID: second.ID}))
	both := w.done("invite to two teams", ivy.post("/organization/invite-member",
		object{"email": "z@example.com", "role": "member", "organizationId": org.ID, "teamId": []string{team.ID, second.ID}})).text("id")
	w.is("delete team", w.Teams.Delete(w.ctx, authdb.DeleteTeamParams{OrganizationID: org.ID, TeamID: second.ID}), nil)
	w.equal("teams", w.done("teams", ivy.get("/organization/list-teams?organizationId="+org.ID)).texts("name"), []string{"Globex"})
	w.equal("active team after it is gone", leo.get("/get-session").at("session", "activeTeamId"), nil)
	for _, row := range w.done("invitations", ivy.get("/organization/list-invitations?organizationId="+org.ID)).list() {
		if at(row, "id") == both {
			w.equal("teams of the invitation", at(row, "teamId"), team.ID)
		}
	}
}

// invitationsAcross has one side invite and the other answer.
func (w *world) invitationsAcross() {
	kim, kimsUser := w.goUser("Kim", false)
	org := w.goOrg("Initech", kimsUser.ID)
	team := w.team(org.ID)
	statuses := func() map[string]string {
		all := map[string]string{}
		for _, row := range w.done("invitations", kim.get("/organization/list-invitations?organizationId="+org.ID)).list() {
			all[at(row, "id").(string)] = at(row, "status").(string)
		}
		return all
	}
	onServer := func(email string, more object) string {
		body := object{"email": email, "role": "member", "organizationId": org.ID}
		for k, v := range more {
			body[k] = v
		}
		return w.done("invite", kim.post("/organization/invite-member", body)).text("id")
	}
	inGo := func(email string, teams ...string) authdb.Invitation {
		return one[authdb.Invitation](w.check)(w.Invitations.Create(w.ctx, authdb.CreateInvitationParams{
			OrganizationID: org.ID, InviterID: kimsUser.ID, Email: email, Role: "admin", TeamIDs: teams,
		}))
	}
	isMember := func(user string) bool {
		return slices.Contains(w.done("members", kim.get("/organization/list-members?organizationId="+org.ID)).texts("userId", "members"), user)
	}

	// Invited by Go, accepted on the server.
	guest, user := w.goUser("Guest1", false)
	inv := inGo(user.Email, team.ID)
	shown := w.done("get invitation", guest.get("/organization/get-invitation?id="+inv.ID))
	w.equal("organization of the invitation", shown.text("organizationSlug"), "initech")
	w.equal("inviter", shown.text("inviterEmail"), "kim@example.com")
	w.equal("invitations of the user", w.done("user invitations", guest.get("/organization/list-user-invitations")).texts("id"), []string{inv.ID})
	other, _ := w.goUser("Other", false)
	w.refused("accept another's", other.post("/organization/accept-invitation", object{"invitationId": inv.ID}), 403)
	w.done("accept", guest.post("/organization/accept-invitation", object{"invitationId": inv.ID}))
	w.equal("status", one[authdb.Invitation](w.check)(w.Invitations.Get(w.ctx, org.ID, inv.ID)).Status, authdb.StatusAccepted)
	w.equal("role", one[authdb.Member](w.check)(w.Members.GetByUser(w.ctx, org.ID, user.ID)).Role, "admin")
	auth := one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(guest.token())))
	w.ok(auth.Member != nil && auth.Team != nil && auth.Team.ID == team.ID, "active: %v", auth)
	w.seats("Go invites, the server accepts", org.ID)

	// Invited by the server, accepted in Go, with two teams.
	second := one[authdb.Team](w.check)(w.Teams.Create(w.ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Two"}))
	guest, user = w.goUser("Guest2", false)
	id := onServer("Guest2@Example.com", object{"role": []string{"admin", "member"}, "teamId": []string{team.ID, second.ID}})
	_, err := w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: kimsUser.ID, AllowUnverified: true})
	w.is("accept another's", err, authdb.ErrNotRecipient)
	accepted := one[authdb.AcceptedInvitation](w.check)(w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true}))
	w.equal("role", accepted.Member.Role, "admin,member")
	w.equal("status on the server", statuses()[id], "accepted")
	w.equal("member on the server", isMember(user.ID), true)
	w.equal("teams on the server", sorted(w.done("user teams", guest.get("/organization/list-user-teams")).texts("id")), sorted([]string{team.ID, second.ID}))
	w.refused("accept again on the server", guest.post("/organization/accept-invitation", object{"invitationId": id}), 400)
	w.seats("the server invites, Go accepts", org.ID)

	// Rejected and canceled across.
	guest, user = w.goUser("Guest3", false)
	id = onServer(user.Email, nil)
	one[authdb.Invitation](w.check)(w.Invitations.Reject(w.ctx, authdb.RejectInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true}))
	w.equal("status on the server", statuses()[id], "rejected")
	w.denied("accept what Go rejected", guest.post("/organization/accept-invitation", object{"invitationId": id}))
	id = onServer(user.Email, nil)
	one[authdb.Invitation](w.check)(w.Invitations.Cancel(w.ctx, org.ID, id))
	w.equal("status on the server", statuses()[id], "canceled")
	w.denied("accept what Go canceled", guest.post("/organization/accept-invitation", object{"invitationId": id}))
	inv = inGo(user.Email)
	w.done("reject", guest.post("/organization/reject-invitation", object{"invitationId": inv.ID}))
	_, err = w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: inv.ID, UserID: user.ID, AllowUnverified: true})
	w.is("accept what the server rejected", err, authdb.ErrNotPending)
	inv = inGo(user.Email)
	w.done("cancel", kim.post("/organization/cancel-invitation", object{"invitationId": inv.ID}))
	_, err = w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: inv.ID, UserID: user.ID, AllowUnverified: true})
	w.is("accept what the server canceled", err, authdb.ErrNotPending)
	w.equal("who never accepted is a member", isMember(user.ID), false)

	// One pending invitation: each side sees the other's, and prolongs it when told.
	inv = inGo(user.Email)
	w.denied("invite again on the server", kim.post("/organization/invite-member", object{"email": user.Email, "role": "member", "organizationId": org.ID}))
	w.exec(`UPDATE invitation SET expires_at = expires_at - interval '1 day' WHERE id = $1`, inv.ID)
	w.equal("resent", onServer(user.Email, object{"resend": true}), inv.ID)
	got := one[authdb.Invitation](w.check)(w.Invitations.Get(w.ctx, org.ID, inv.ID))
	w.ok(within(got.ExpiresAt, authdb.InvitationLifetime), "resent until %v", got.ExpiresAt)
	w.exec(`UPDATE invitation SET expires_at = expires_at - interval '1 day' WHERE id = $1`, inv.ID)
	w.equal("invited again in Go", inGo(user.Email).ID, inv.ID)
	var pending []any
	for _, row := range w.done("user invitations", guest.get("/organization/list-user-invitations")).list() {
		if at(row, "status") == "pending" { // 1.3 lists them all
			pending = append(pending, at(row, "id"))
		}
	}
	w.equal("pending on the server", pending, []any{inv.ID})

	// Expired: refused by both, listed as pending by neither.
	w.exec(`UPDATE invitation SET expires_at = timezone('UTC', now()) - interval '1 second' WHERE id = $1`, inv.ID)
	w.denied("accept what has expired", guest.post("/organization/accept-invitation", object{"invitationId": inv.ID}))
	_, err = w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: inv.ID, UserID: user.ID, AllowUnverified: true})
	w.is("the same in Go", err, authdb.ErrExpired)
	next := onServer(user.Email, nil)
	w.ok(next != inv.ID, "a new invitation after expiry: %s", next)
	w.equal("pending in Go", one[authdb.Invitation](w.check)(w.Invitations.GetPending(w.ctx, org.ID, user.Email)).ID, next)
	count := one[int64](w.check)(w.Invitations.Count(w.ctx, authdb.ListInvitationsParams{OrganizationID: org.ID, Pending: true}))
	w.equal("pending", count, int64(1))
	one[authdb.Invitation](w.check)(w.Invitations.Cancel(w.ctx, org.ID, next))

	// Invited, then added by the one side, then accepted on the other: one member, which is no member twice.
	for _, byGo := range []bool{false, true} {
		guest, user = w.goUser(fmt.Sprint("Added", byGo), false)
		id = onServer(user.Email, nil)
		if byGo {
			w.goMember(org.ID, user.ID, "member")
			a := guest.post("/organization/accept-invitation", object{"invitationId": id})
			w.ok(a.status >= 400, "accept as a member: %v", a)
			if a.status == 500 { // the unique index refuses a second membership
				w.note("R4, accept by who is a member: 500")
			}
		} else {
			w.done("add member", kim.post("/test/add-member", object{"userId": user.ID, "organizationId": org.ID, "role": "member"}))
			one[authdb.AcceptedInvitation](w.check)(w.Invitations.Accept(w.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true}))
			w.equal("status on the server", statuses()[id], "accepted")
		}
		w.equal("rows of one member", w.number(`SELECT count(*) FROM member WHERE organization_id = $1 AND user_id = $2`, org.ID, user.ID), 1)
	}
	w.seats("invitations", org.ID)
}

// counts has both sides add and remove team members where a team has two seats.
func (w *world) counts() {
	zoe, zoesUser := w.goUser("Zoe", false)
	org := w.goOrg("Hooli", zoesUser.ID)
	team := one[authdb.Team](w.check)(w.Teams.Create(w.ctx, authdb.CreateTeamParams{OrganizationID: org.ID, Name: "Two seats"}))
	w.done("set active", zoe.post("/organization/set-active", object{"organizationId": org.ID}))
	var users []authdb.User
	for i := range 5 {
		_, user := w.goUser(fmt.Sprint("Seat", i), false)
		w.goMember(org.ID, user.ID, "member")
		users = append(users, user)
	}
	add := func(user authdb.User) answer {
		return zoe.post("/api/limited/organization/add-team-member", object{"teamId": team.ID, "userId": user.ID})
	}
	addGo := func(user authdb.User) error {
		_, err := w.TeamMembers.Create(w.ctx, authdb.CreateTeamMemberParams{OrganizationID: org.ID, TeamID: team.ID, UserID: user.ID, MaxMembers: 2})
		return err
	}
	_, late := w.goUser("Late", false)
	w.goMember(org.ID, late.ID, "member")
	full := func(after string) {
		if third := add(late); w.version[1] >= 6 {
			w.refused("a third seat after "+after, third, 403)
		} else { // looks at the limit where one is invited or accepts, not here
			w.done("a third seat after "+after, third)
			w.done("remove it", zoe.post("/organization/remove-team-member", object{"teamId": team.ID, "userId": late.ID}))
		}
		w.is("a third seat in Go after "+after, addGo(late), authdb.ErrLimitReached)
		w.equal("seats after "+after, w.number(`SELECT count(*) FROM team_member WHERE team_id = $1`, team.ID), 2)
		w.seats(after, org.ID)
	}
	w.is("first seat, by Go", addGo(users[0]), nil)
	w.done("second seat, by the server", add(users[1]))
	full("one of each")
	w.is("Go removes its own", w.TeamMembers.DeleteByUser(w.ctx, org.ID, team.ID, users[0].ID), nil)
	w.seats("Go removes", org.ID)
	w.done("the server takes it", add(users[2]))
	full("Go removed, the server added")
	w.done("the server removes", zoe.post("/organization/remove-team-member", object{"teamId": team.ID, "userId": users[1].ID}))
	w.seats("the server removes", org.ID)
	w.is("Go takes it", addGo(users[3]), nil)
	full("the server removed, Go added")
	one[authdb.DeletedUser](w.check)(w.Users.Delete(w.ctx, authdb.DeleteUserParams{UserID: users[2].ID}))
	w.seats("Go deletes a user", org.ID)
	w.done("the server takes the seat", add(users[1]))
	full("Go deleted a user")
	w.is("Go removes a member", w.Members.Leave(w.ctx, org.ID, users[1].ID), nil)
	w.seats("Go removes a member", org.ID)
	w.is("Go takes the seat", addGo(users[0]), nil)
	full("Go removed a member")
	member := one[authdb.Member](w.check)(w.Members.GetByUser(w.ctx, org.ID, users[3].ID))
	w.done("the server removes a member", zoe.post("/organization/remove-member", object{"memberIdOrEmail": member.ID, "organizationId": org.ID}))
	left := w.number(`SELECT count(*) FROM team_member WHERE user_id = $1`, users[3].ID)
	if w.version[1] == 3 { // leaves the seat behind
		w.equal("seats of who was removed", left, 1)
		w.is("Go takes what the server left", w.TeamMembers.DeleteByUser(w.ctx, org.ID, team.ID, users[3].ID), nil)
	} else {
		w.equal("seats of who was removed", left, 0)
	}
	w.seats("the server removes a member", org.ID)
	added := one[[]authdb.TeamMember](w.check)(w.TeamMembers.CreateMany(w.ctx, []authdb.CreateTeamMemberParams{{OrganizationID: org.ID, TeamID: team.ID, UserID: users[4].ID, MaxMembers: 2}}))
	w.equal("added", len(added), 1)
	w.equal("seats", w.number(`SELECT count(*) FROM team_member WHERE team_id = $1`, team.ID), 2)
	w.seats("CreateMany", org.ID)

	// The server deletes a user: nobody keeps the count, until it is counted again.
	mover, movers := w.goUser("Mover", true)
	fresh := w.browser()
	w.done("sign in", fresh.post("/sign-in/email", object{"email": movers.Email, "password": password}))
	w.goMember(org.ID, movers.ID, "member")
	w.is("Go removes one", w.TeamMembers.DeleteByUser(w.ctx, org.ID, team.ID, users[4].ID), nil)
	w.is("Go adds one", addGo(movers), nil)
	w.done("the server deletes a user", fresh.post("/delete-user", object{"password": password}))
	w.equal("session of who is deleted", mover.get("/get-session").body, nil)
	w.equal("wrong counts after the server deleted a user", w.number(wrongCounts+` AND t.organization_id = $1`, org.ID), 1)
	w.equal("counted again", one[int64](w.check)(w.Teams.RecountMembers(w.ctx, org.ID)), int64(1))
	w.seats("RecountMembers", org.ID)
	w.done("the server takes the seat", add(users[4]))
	full("RecountMembers")
}

// removals are seen at once on the other side.
func (w *world) removals() {
	amy, amysUser := w.goUser("Amy", false)
	org := w.goOrg("Umbrella", amysUser.ID)
	team := w.team(org.ID)
	member := func(name string) (*browser, authdb.User, authdb.Member) {
		b, user := w.goUser(name, false)
		m := w.goMember(org.ID, user.ID, "member")
		one[authdb.TeamMember](w.check)(w.TeamMembers.Create(w.ctx, authdb.CreateTeamMemberParams{OrganizationID: org.ID, TeamID: team.ID, UserID: user.ID}))
		w.done("set active", b.post("/organization/set-active", object{"organizationId": org.ID}))
		w.done("set active team", b.post("/organization/set-active-team", object{"teamId": team.ID}))
		return b, user, m
	}
	gone := func(b *browser, user authdb.User) {
		w.denied("full for who was removed", b.full(org.ID))
		w.denied("members for who was removed", b.get("/organization/list-members?organizationId="+org.ID))
		w.denied("teams for who was removed", b.get("/organization/list-teams?organizationId="+org.ID))
		w.equal("list for who was removed", len(w.done("list", b.get("/organization/list")).list()), 0)
		w.denied("set active for who was removed", b.post("/organization/set-active", object{"organizationId": org.ID}))
		auth := one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(b.token())))
		w.ok(auth.Member == nil && auth.Team == nil, "active after removal: %v", auth)
		_, err := w.Members.GetByUser(w.ctx, org.ID, user.ID)
		w.is("the same in Go", err, authdb.ErrNotFound)
	}

	b, user, m := member("Gone1")
	w.is("Go removes", w.Members.Delete(w.ctx, authdb.DeleteMemberParams{OrganizationID: org.ID, MemberID: m.ID}), nil)
	session := w.done("get session", b.get("/get-session"))
	w.equal("active organization", session.at("session", "activeOrganizationId"), nil)
	w.equal("active team", session.at("session", "activeTeamId"), nil)
	gone(b, user)
	w.seats("Go removes a member", org.ID)

	b, user, _ = member("Gone2")
	w.is("leaves in Go", w.Members.Leave(w.ctx, org.ID, user.ID), nil)
	gone(b, user)

	b, user, m = member("Gone3")
	w.done("the server removes", amy.post("/organization/remove-member", object{"memberIdOrEmail": m.ID, "organizationId": org.ID}))
	gone(b, user)

	b, user, _ = member("Gone4")
	w.done("leaves on the server", b.post("/organization/leave", object{"organizationId": org.ID}))
	gone(b, user)

	b, user, _ = member("Gone5")
	w.is("Go takes the seat", w.TeamMembers.DeleteByUser(w.ctx, org.ID, team.ID, user.ID), nil)
	w.equal("active team", b.get("/get-session").at("session", "activeTeamId"), nil)
	w.equal("user teams", len(w.done("user teams", b.get("/organization/list-user-teams")).list()), 0)
	w.denied("team members for who has no seat", b.get("/organization/list-team-members?teamId="+team.ID))
	w.denied("set active team for who has no seat", b.post("/organization/set-active-team", object{"teamId": team.ID}))
	w.done("full for who is still a member", b.full(org.ID))
}

func (w *world) deletions() {
	// An organization, deleted in Go.
	tom, tomsUser := w.goUser("Tom", false)
	org := w.goOrg("Wonka", tomsUser.ID)
	w.done("set active", tom.post("/organization/set-active", object{"organizationId": org.ID}))
	ended := one[authdb.DeletedOrganization](w.check)(w.Organizations.Delete(w.ctx, org.ID)).Sessions
	w.equal("sessions that had it active", len(ended), 1)
	w.equal("list", len(w.done("list", tom.get("/organization/list")).list()), 0)
	w.equal("active", tom.get("/get-session").at("session", "activeOrganizationId"), nil)
	w.denied("full of what is gone", tom.full(org.ID))
	w.done("check the slug", tom.post("/organization/check-slug", object{"slug": "wonka"}))

	// The same by the server.
	again := w.done("create", tom.post("/organization/create", object{"name": "Wonka", "slug": "wonka"})).text("id")
	w.done("delete", tom.post("/organization/delete", object{"organizationId": again}))
	_, err := w.Organizations.Get(w.ctx, again)
	w.is("get what the server deleted", err, authdb.ErrNotFound)
	auth := one[authdb.Authentication](w.check)(w.Sessions.Authenticate(w.ctx, authdb.Secret(tom.token())))
	w.ok(auth.Member == nil && auth.Team == nil, "active: %v", auth)

	// A user, deleted in Go: not the only owner, unless told what becomes of the organization.
	sue, suesUser := w.goUser("Sue", true)
	heir, heirsUser := w.goUser("Heir", false)
	org = w.goOrg("Stark", suesUser.ID)
	_, err = w.Users.Delete(w.ctx, authdb.DeleteUserParams{UserID: suesUser.ID})
	w.is("delete an only owner", err, authdb.ErrLastOwner)
	w.equal("still signed in", sue.get("/get-session").text("user", "id"), suesUser.ID)
	one[authdb.DeletedUser](w.check)(w.Users.Delete(w.ctx, authdb.DeleteUserParams{UserID: suesUser.ID, SuccessorID: heirsUser.ID}))
	w.equal("session of who is deleted", sue.get("/get-session").body, nil)
	w.refused("sign in of who is deleted", w.browser().post("/sign-in/email", object{"email": suesUser.Email, "password": password}), 401)
	shown := w.done("full for the heir", heir.full(org.ID))
	w.equal("roles", shown.texts("role", "members"), []string{"owner"})
	w.done("the heir is an owner", heir.post("/organization/update", object{"organizationId": org.ID, "data": object{"name": "Stark II"}}))
	deleted := one[authdb.DeletedUser](w.check)(w.Users.Delete(w.ctx, authdb.DeleteUserParams{UserID: heirsUser.ID, DeleteOrganizations: true}))
	w.equal("deleted organizations", deleted.OrganizationIDs, []string{org.ID})
	w.equal("session", heir.get("/get-session").body, nil)
	w.done("sign up with the address that is free", w.browser().post("/sign-up/email", object{"name": "Sue", "email": suesUser.Email, "password": password}))

	// The server deletes a user.
	ann, annsID := w.signUp("Ann")
	w.done("delete user", ann.post("/delete-user", object{"password": password}))
	_, err = w.Users.Get(w.ctx, annsID)
	w.is("get whom the server deleted", err, authdb.ErrNotFound)
	w.seats("deletions", org.ID)

	// Expired sessions: the purge of Go leaves the live ones.
	old := time.Now().Add(-time.Minute)
	stale := one[authdb.Session](w.check)(w.Sessions.Create(w.ctx, authdb.CreateSessionParams{UserID: tomsUser.ID}))
	one[authdb.Session](w.check)(w.Sessions.UpdateByToken(w.ctx, stale.Token, authdb.UpdateSessionParams{ExpiresAt: authdb.Set(old)}))
	w.equal("purged", one[int64](w.check)(w.Sessions.DeleteExpired(w.ctx, 1000)), int64(1))
	w.equal("live", tom.get("/get-session").text("user", "id"), tomsUser.ID)
}
