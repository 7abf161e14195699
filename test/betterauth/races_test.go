//go:build betterauth

package betterauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/betterauth"
)

// watches note and refuse what an operation of this package must not do while the server acts beside it.
//
// The server checks, then acts, and locks nothing in between, so a wrong row may be its own fault. removal and
// team_removal have who took an owner or a team away, and which removals were committed by then. The STABLE functions
// read by the snapshot of the statement and raise where an operation of this package settles what is settled, invites
// an address that is invited, or takes a seat that the statement must have seen to be none.
const watches = `
	CREATE TABLE removal (no bigserial, kind text, organization_id text, side text, seen bigint[]);
	CREATE FUNCTION note_removal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF TG_TABLE_NAME = 'team' THEN
			INSERT INTO removal (kind, organization_id, side, seen) SELECT 'team', OLD.organization_id, current_setting('application_name'),
				ARRAY(SELECT r.no FROM removal r WHERE r.organization_id = OLD.organization_id);
		ELSIF OLD.role = 'owner' AND (TG_OP = 'DELETE' OR NEW.role <> 'owner') THEN
			INSERT INTO removal (kind, organization_id, side, seen) SELECT 'member', OLD.organization_id, current_setting('application_name'),
				ARRAY(SELECT r.no FROM removal r WHERE r.organization_id = OLD.organization_id);
		END IF;
		IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER note_removal BEFORE UPDATE OR DELETE ON member FOR EACH ROW EXECUTE FUNCTION note_removal();
	CREATE TRIGGER note_removal BEFORE DELETE ON team FOR EACH ROW EXECUTE FUNCTION note_removal();
	CREATE FUNCTION watch_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('application_name') = '` + ours + `' AND OLD.status <> 'pending' AND NEW.status <> OLD.status THEN
			RAISE 'an invitation that is % becomes %', OLD.status, NEW.status;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER watch_state BEFORE UPDATE ON invitation FOR EACH ROW EXECUTE FUNCTION watch_state();
	CREATE FUNCTION watch_seats() RETURNS trigger LANGUAGE plpgsql STABLE AS $$ BEGIN
		IF current_setting('application_name') <> '` + ours + `' THEN
			RETURN NEW;
		END IF;
		CASE TG_TABLE_NAME WHEN 'invitation' THEN
			IF EXISTS (SELECT FROM invitation i WHERE i.organization_id = NEW.organization_id AND i.email = NEW.email
				AND i.status = 'pending' AND i.expires_at > timezone('UTC', now())) THEN
				RAISE 'a second pending invitation';
			END IF;
		WHEN 'member' THEN
			IF EXISTS (SELECT FROM organization o WHERE o.id = NEW.organization_id AND o.metadata = '{"seats":3}')
				AND (SELECT count(*) FROM member m WHERE m.organization_id = NEW.organization_id) >= 3 THEN
				RAISE 'a fourth member';
			END IF;
		ELSE
			IF EXISTS (SELECT FROM team t WHERE t.id = NEW.team_id AND t.name = 'Two seats')
				AND (SELECT count(*) FROM team_member m WHERE m.team_id = NEW.team_id) >= 2 THEN
				RAISE 'a third seat';
			END IF;
		END CASE;
		RETURN NEW;
	END $$;
	CREATE TRIGGER watch_seats BEFORE INSERT ON invitation FOR EACH ROW EXECUTE FUNCTION watch_seats();
	CREATE TRIGGER watch_seats BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION watch_seats();
	CREATE TRIGGER watch_seats BEFORE INSERT ON team_member FOR EACH ROW EXECUTE FUNCTION watch_seats()`

const (
	ownerless = `SELECT count(*) FROM organization o WHERE o.id = $1 AND NOT EXISTS (
		SELECT FROM member m WHERE m.organization_id = o.id AND m.role = 'owner')`
	teamless = `SELECT count(*) FROM organization o WHERE o.id = $1 AND NOT EXISTS (
		SELECT FROM team t WHERE t.organization_id = o.id)`
	// removedLast counts the removals of one side after which none was left and none was under way.
	removedLast = `SELECT count(*) FROM removal r WHERE r.organization_id = $1 AND r.side = $2 AND r.kind = $3
		AND NOT EXISTS (SELECT FROM member m WHERE $3 = 'member' AND m.organization_id = r.organization_id AND m.role = 'owner')
		AND NOT EXISTS (SELECT FROM team t WHERE $3 = 'team' AND t.organization_id = r.organization_id)
		AND NOT EXISTS (SELECT FROM removal later WHERE later.organization_id = r.organization_id AND later.kind = r.kind AND r.no = ANY(later.seen))`
)

const (
	server   = "better-auth"
	alone    = 3  // rounds of the server against itself
	besides  = 8  // rounds of the server against this package
	patience = 20 // rounds until the server must have lost one that it always loses
)

// person is a user of a race, signed in on the server.
type person struct {
	*browser
	authdb.User
}

// race is one of those that Better Auth loses. run plays a round, in which this package makes the calls with an even
// number if beside, and the server the others, or else all. It returns the wrong rows: alone, those of the server; beside,
// those that this package had a part in, and those that the server is alone to blame for.
type race struct {
	name  string
	loses bool // always, sooner or later, in every version and with every index
	run   func(r *round) (wrong, theirs int)
}

type round struct {
	*world
	outer   *check
	took    time.Duration // by atOnce
	lag     time.Duration // of this package's calls, which are so much faster that they would always come first
	beside  bool
	raw     int // answers of 500
	mu      sync.Mutex
	here    int // calls of this package that succeeded
	onThere int // of the server
}

func (r *round) person(name string) person {
	b, user := r.goUser(fmt.Sprint(name, betterauth.NewID()), false)
	return person{b, user}
}

// organization has owners, the first of which has it active, and a team of two seats beside the default one.
func (r *round) organization(owners int, metadata *string) (org string, people []person) {
	for range owners {
		people = append(people, r.person("Owner"))
	}
	made := one[authdb.Organization](r.check)(r.Organizations.Create(r.ctx, authdb.CreateOrganizationParams{
		Name: "Race", Slug: betterauth.NewID(), Metadata: metadata, OwnerID: people[0].ID, DefaultTeam: true,
	}))
	for _, p := range people[1:] {
		r.goMember(made.ID, p.ID, authdb.RoleOwner)
	}
	one[authdb.Session](r.check)(r.Sessions.SetActiveOrganization(r.ctx, authdb.SetActiveOrganizationParams{
		UserID: people[0].ID, Token: authdb.Secret(people[0].token()), OrganizationID: made.ID,
	}))
	return made.ID, people
}

func (r *round) invitation(org string, by, to person) string {
	return one[authdb.Invitation](r.check)(r.Invitations.Create(r.ctx, authdb.CreateInvitationParams{
		OrganizationID: org, InviterID: by.ID, Email: to.Email,
	})).ID
}

// atOnce runs n calls at once.
func (r *round) atOnce(n int, here func(i int) error, there func(i int) answer, allowed ...error) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if r.beside && i%2 == 0 {
				time.Sleep(r.lag)
				r.mine(here(i), allowed...)
			} else {
				r.other(there(i))
			}
		})
	}
	begin := time.Now()
	close(start)
	wg.Wait()
	r.took += time.Since(begin)
}

// mine checks that a call of this package succeeded or was refused as it may be.
func (r *round) mine(err error, allowed ...error) {
	fine := err == nil
	for _, e := range allowed {
		fine = fine || errors.Is(err, e)
	}
	r.ok(fine, "a call of Go: %v", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.here++
	}
}

// other counts what the server answered. A unique index that refuses what used to become a duplicate is a 500.
func (r *round) other(a answer) {
	r.ok(a.err == nil, "a request: %v", a)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case a.status == http.StatusOK:
		r.onThere++
	case a.status >= 500:
		r.raw++
	}
}

func (r *round) members(org, user string) int {
	return r.number(`SELECT count(*) FROM member WHERE organization_id = $1 AND user_id = $2`, org, user)
}

// last counts organizations that lost their last owner or team.
func (r *round) last(org, kind string) (wrong, theirs int) {
	none := r.number(map[string]string{"member": ownerless, "team": teamless}[kind], org)
	if !r.beside {
		if none > 0 {
			r.ok(r.number(removedLast, org, server, kind) > 0, "control: the watch misses that the server removed the last %s", kind)
		}
		return none, 0
	}
	return r.number(removedLast, org, ours, kind), none
}

// round has checks of its own, since how many there are depends on who wins.
func (w *world) round(beside bool) *round {
	own := *w
	own.check = &check{}
	return &round{world: &own, outer: w.check, beside: beside}
}

func (r *round) play(race race) (wrong, theirs int) {
	done := false
	r.group(func() {
		wrong, theirs = race.run(r)
		done = true
	})
	if !done || len(r.wrong) > 0 {
		r.outer.fail("%s, beside: %v: %q", race.name, r.beside, r.wrong)
	}
	return wrong, theirs
}

func (w *world) races() {
	w.exec(watches)
	w.watchesSee()
	for _, race := range w.allRaces() {
		lost, rounds, raw, took := 0, 0, 0, 50*time.Millisecond
		for ; rounds < alone || race.loses && lost == 0 && rounds < patience; rounds++ {
			r := w.round(false)
			wrong, _ := r.play(race)
			lost += min(1, wrong)
			raw += r.raw
			took = min(took, r.took)
		}
		if race.loses {
			w.ok(lost > 0, "control: %s: the server alone lost none of %d rounds", race.name, rounds)
		}
		mine, blamed, rawBeside := 0, 0, 0
		for i := range besides {
			r := w.round(true)
			r.lag = took * time.Duration(i) / besides // each round at another moment of the server's
			wrong, theirs := r.play(race)
			mine += wrong
			blamed += min(1, theirs)
			rawBeside += r.raw
		}
		w.equal(race.name+": wrong rows of this package", mine, 0)
		w.note("%-38s alone: wrong in %d of %2d, %2d answers 500; beside Go: %d by Go, wrong by itself in %d of %d, %2d answers 500",
			race.name, lost, rounds, raw, mine, blamed, besides, rawBeside)
	}
}

// watchesSee: what the watches are for they see, done by plain SQL on a connection of this package.
func (w *world) watchesSee() {
	r := w.round(false)
	r.check = w.check
	metadata := `{"seats":3}`
	org, owners := r.organization(2, &metadata)
	refuses := func(what, sql string, args ...any) {
		_, err := w.Pool().Exec(w.ctx, sql, args...)
		w.ok(err != nil && strings.Contains(err.Error(), what), "control: %q is not seen: %v", what, err)
	}
	id := r.invitation(org, owners[0], r.person("User"))
	refuses("a second pending", `INSERT INTO invitation (id, organization_id, email, status, expires_at, inviter_id)
		SELECT 'second', organization_id, email, status, expires_at, inviter_id FROM invitation WHERE id = $1`, id)
	one[authdb.Invitation](w.check)(w.Invitations.Cancel(w.ctx, org, id))
	refuses("that is canceled becomes", `UPDATE invitation SET status = 'accepted' WHERE id = $1`, id)
	users := []person{r.person("User"), r.person("User")}
	r.goMember(org, users[0].ID, authdb.RoleMember)
	refuses("a fourth member", `INSERT INTO member (id, organization_id, user_id, created_at) VALUES ('fourth', $1, $2, now())`, org, users[1].ID)
	team := one[authdb.Team](w.check)(w.Teams.Create(w.ctx, authdb.CreateTeamParams{OrganizationID: org, Name: "Two seats"}))
	for _, p := range owners {
		one[authdb.TeamMember](w.check)(w.TeamMembers.Create(w.ctx, authdb.CreateTeamMemberParams{OrganizationID: org, TeamID: team.ID, UserID: p.ID}))
	}
	refuses("a third seat", `INSERT INTO team_member (id, team_id, user_id) VALUES ('third', $1, $2)`, team.ID, users[0].ID)
	for kind, sql := range map[string]string{
		"member": `DELETE FROM member WHERE id = (SELECT min(id) FROM member WHERE organization_id = $1 AND role = 'owner')`,
		"team":   `DELETE FROM team WHERE id = (SELECT min(id) FROM team WHERE organization_id = $1)`,
	} {
		w.exec(sql, org)
		w.equal("last "+kind+" while there is another", w.number(removedLast, org, ours, kind), 0)
		w.exec(sql, org)
		w.equal("last "+kind, w.number(removedLast, org, ours, kind), 1)
	}
}

func (w *world) allRaces() []race {
	lastOwner := func(name string, loses bool, here func(r *round, org string, members []authdb.Member, people []person, i int) error,
		there func(org string, members []authdb.Member, people []person, i int) answer,
	) race {
		return race{name, loses, func(r *round) (int, int) {
			org, people := r.organization(2, nil)
			var members []authdb.Member
			for _, p := range people {
				members = append(members, one[authdb.Member](r.check)(r.Members.GetByUser(r.ctx, org, p.ID)))
			}
			r.atOnce(2, func(i int) error { return here(r, org, members, people, i) },
				func(i int) answer { return there(org, members, people, i) }, authdb.ErrLastOwner)
			return r.last(org, "member")
		}}
	}
	role := authdb.RoleMember
	return []race{
		{"R1 add one member x8", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			user := r.person("User")
			r.atOnce(8, func(int) error {
				_, err := r.Members.Create(r.ctx, authdb.CreateMemberParams{OrganizationID: org, UserID: user.ID})
				return err
			}, func(int) answer {
				return owners[0].post("/test/add-member", object{"userId": user.ID, "organizationId": org, "role": "member"})
			}, authdb.ErrAlreadyMember)
			return r.members(org, user.ID) - 1, 0
		}},
		{"R2 accept one invitation x8", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			user := r.person("User")
			id := r.invitation(org, owners[0], user)
			r.atOnce(8, func(int) error {
				_, err := r.Invitations.Accept(r.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true})
				return err
			}, func(int) answer {
				return user.post("/organization/accept-invitation", object{"invitationId": id})
			}, authdb.ErrNotPending)
			wrong := r.members(org, user.ID) - 1
			return max(wrong, -wrong), 0
		}},
		{"R3 invite one address x8", true, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			invite := func(int) error {
				_, err := r.Invitations.Create(r.ctx, authdb.CreateInvitationParams{OrganizationID: org, InviterID: owners[0].ID, Email: "race@example.com"})
				return err
			}
			r.atOnce(8, invite, func(int) answer {
				return owners[0].post("/organization/invite-member", object{"email": "race@example.com", "role": "member", "organizationId": org})
			})
			const pending = `SELECT count(*) - 1 FROM invitation WHERE organization_id = $1 AND status = 'pending'`
			extra := r.number(pending, org)
			if !r.beside {
				return extra, 0
			}
			r.mine(invite(0)) // closes what the server's stale checks left
			return r.number(pending, org), extra
		}},
		{"R4 invited, added, accepted", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			wrong := 0
			for i := range 2 {
				user := r.person("User")
				id := r.invitation(org, owners[0], user)
				if r.beside && i == 0 {
					_, err := r.Members.Create(r.ctx, authdb.CreateMemberParams{OrganizationID: org, UserID: user.ID})
					r.mine(err)
				} else {
					r.other(owners[0].post("/test/add-member", object{"userId": user.ID, "organizationId": org, "role": "member"}))
				}
				if r.beside && i == 1 {
					_, err := r.Invitations.Accept(r.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true})
					r.mine(err)
				} else {
					r.other(user.post("/organization/accept-invitation", object{"invitationId": id}))
				}
				wrong += r.members(org, user.ID) - 1
			}
			return wrong, 0
		}},
		lastOwner("R5 two owners leave", false, func(r *round, org string, _ []authdb.Member, people []person, i int) error {
			return r.Members.Leave(r.ctx, org, people[i].ID)
		}, func(org string, _ []authdb.Member, people []person, i int) answer {
			return people[i].post("/organization/leave", object{"organizationId": org})
		}),
		lastOwner("R6 two owners demote themselves", true, func(r *round, org string, members []authdb.Member, _ []person, i int) error {
			_, err := r.Members.Update(r.ctx, org, members[i].ID, authdb.UpdateMemberParams{Role: authdb.Set(role)})
			return err
		}, func(org string, members []authdb.Member, people []person, i int) answer {
			return people[i].post("/organization/update-member-role", object{"memberId": members[i].ID, "role": "member", "organizationId": org})
		}),
		lastOwner("R7 two owners remove each other", false, func(r *round, org string, members []authdb.Member, _ []person, i int) error {
			return r.Members.Delete(r.ctx, authdb.DeleteMemberParams{OrganizationID: org, MemberID: members[1-i].ID})
		}, func(org string, members []authdb.Member, people []person, i int) answer {
			return people[i].post("/organization/remove-member", object{"memberIdOrEmail": members[1-i].ID, "organizationId": org})
		}),
		{"R10 five accept, three members at most", false, func(r *round) (int, int) {
			metadata := `{"seats":3}`
			org, owners := r.organization(1, &metadata)
			var users []person
			var ids []string
			for range 5 {
				users = append(users, r.person("User"))
				ids = append(ids, r.invitation(org, owners[0], users[len(users)-1]))
			}
			r.atOnce(5, func(i int) error {
				_, err := r.Invitations.Accept(r.ctx, authdb.AcceptInvitationParams{InvitationID: ids[i], UserID: users[i].ID, AllowUnverified: true, MaxMembers: 3})
				return err
			}, func(i int) answer {
				return users[i].post("/api/limited/organization/accept-invitation", object{"invitationId": ids[i]})
			}, authdb.ErrLimitReached)
			over := max(0, r.number(`SELECT count(*) - 3 FROM member WHERE organization_id = $1`, org))
			if !r.beside {
				return over, 0
			}
			return max(0, r.here-2), over
		}},
		{"R11 five join a team of two seats", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			team := one[authdb.Team](r.check)(r.Teams.Create(r.ctx, authdb.CreateTeamParams{OrganizationID: org, Name: "Two seats"}))
			var users []person
			for range 5 {
				user := r.person("User")
				r.goMember(org, user.ID, authdb.RoleMember)
				users = append(users, user)
			}
			r.atOnce(5, func(i int) error {
				_, err := r.TeamMembers.Create(r.ctx, authdb.CreateTeamMemberParams{OrganizationID: org, TeamID: team.ID, UserID: users[i].ID, MaxMembers: 2})
				return err
			}, func(i int) answer {
				return owners[0].post("/api/limited/organization/add-team-member", object{"teamId": team.ID, "userId": users[i].ID})
			}, authdb.ErrLimitReached)
			over := max(0, r.number(`SELECT count(*) - 2 FROM team_member WHERE team_id = $1`, team.ID))
			if !r.beside {
				return over, 0
			}
			return max(0, r.here-2), over
		}},
		{"R12 one team member x8", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			team := one[authdb.Team](r.check)(r.Teams.Create(r.ctx, authdb.CreateTeamParams{OrganizationID: org, Name: "Two"}))
			user := r.person("User")
			r.goMember(org, user.ID, authdb.RoleMember)
			r.atOnce(8, func(int) error {
				_, err := r.TeamMembers.Create(r.ctx, authdb.CreateTeamMemberParams{OrganizationID: org, TeamID: team.ID, UserID: user.ID})
				return err
			}, func(int) answer {
				return owners[0].post("/organization/add-team-member", object{"teamId": team.ID, "userId": user.ID})
			})
			return r.number(`SELECT count(*) - 1 FROM team_member WHERE team_id = $1`, team.ID),
				r.number(`SELECT abs(member_count - 1) FROM team WHERE id = $1`, team.ID)
		}},
		{"R13 accept and cancel", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			wrong, theirs := 0, 0
			for _, accepts := range []int{0, 1} { // the call of Go with number 0 accepts, then cancels
				user := r.person("User")
				id := r.invitation(org, owners[0], user)
				accepted := false
				r.atOnce(2, func(i int) error {
					if i != accepts {
						_, err := r.Invitations.Cancel(r.ctx, org, id)
						return err
					}
					_, err := r.Invitations.Accept(r.ctx, authdb.AcceptInvitationParams{InvitationID: id, UserID: user.ID, AllowUnverified: true})
					accepted = err == nil
					return err
				}, func(i int) answer {
					if i != accepts {
						return owners[0].post("/organization/cancel-invitation", object{"invitationId": id})
					}
					return user.post("/organization/accept-invitation", object{"invitationId": id})
				}, authdb.ErrNotPending)
				status := one[authdb.Invitation](r.check)(r.Invitations.Get(r.ctx, org, id)).Status
				member := r.members(org, user.ID) == 1
				contradicts := member != (status == authdb.StatusAccepted)
				switch {
				case !r.beside && contradicts:
					wrong++
				case r.beside && accepts == 0 && accepted != member: // an acceptance is kept, a refusal changes nothing
					wrong++
				case r.beside && accepts == 1 && contradicts:
					wrong++
				case contradicts: // canceled by the server after it was accepted
					theirs++
				}
			}
			return wrong, theirs
		}},
		{"R14 accepted, then canceled", true, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			accepted := func() (string, person) {
				user := r.person("User")
				id := r.invitation(org, owners[0], user)
				r.done("accept", user.post("/organization/accept-invitation", object{"invitationId": id}))
				return id, user
			}
			id, _ := accepted()
			r.other(owners[0].post("/organization/cancel-invitation", object{"invitationId": id}))
			theirs := r.number(`SELECT count(*) FROM invitation WHERE id = $1 AND status = 'canceled'`, id)
			if !r.beside {
				return theirs, 0
			}
			id, _ = accepted()
			_, err := r.Invitations.Cancel(r.ctx, org, id)
			r.is("cancel in Go", err, authdb.ErrNotPending)
			return r.number(`SELECT count(*) FROM invitation WHERE id = $1 AND status <> 'accepted'`, id), theirs
		}},
		{"R16 one reset token x4", false, func(r *round) (int, int) {
			user := r.person("User")
			token := betterauth.NewID()[:24]
			one[authdb.Verification](r.check)(r.Verifications.Create(r.ctx, authdb.CreateVerificationParams{
				Identifier: authdb.Secret(r.version.ResetPassword(token)), Value: authdb.Secret(user.ID), ExpiresAt: time.Now().Add(time.Hour),
			}))
			r.atOnce(4, func(int) error {
				_, err := r.Verifications.Consume(r.ctx, r.version.ResetPassword(token))
				return err
			}, func(int) answer {
				return user.post("/reset-password", object{"token": token, "newPassword": password})
			}, authdb.ErrNotFound)
			twice := max(0, r.here+r.onThere-1)
			switch {
			case !r.beside:
				return twice, 0
			case r.version[1] >= 6: // its own use is a delete that says whether it deleted
				return twice, 0
			}
			return max(0, r.here-1), twice
		}},
		{"R18 delete both of two teams", false, func(r *round) (int, int) {
			org, owners := r.organization(1, nil)
			first := r.team(org)
			second := one[authdb.Team](r.check)(r.Teams.Create(r.ctx, authdb.CreateTeamParams{OrganizationID: org, Name: "Two"}))
			teams := []string{first.ID, second.ID}
			r.atOnce(2, func(i int) error {
				return r.Teams.Delete(r.ctx, authdb.DeleteTeamParams{OrganizationID: org, TeamID: teams[i]})
			},
				func(i int) answer {
					return owners[0].post("/organization/remove-team", object{"teamId": teams[i], "organizationId": org})
				}, authdb.ErrLastTeam)
			return r.last(org, "team")
		}},
	}
}
