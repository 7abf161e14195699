package races_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// betterAuth writes as a Better Auth server does: the statements of the routes and adapters of 1.7, or of versions
// before where old says so. Each commits by itself: checks first, then acts, and takes no lock.
type betterAuth struct{ pool *pgxpool.Pool }

var errRefused = errors.New("refused by a check")

// reads scans one row; errRefused if there is none.
func (b betterAuth) reads(ctx context.Context, into []any, sql string, args ...any) error {
	err := b.pool.QueryRow(ctx, sql, args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return errRefused
	}
	return err
}

// allows is a check: a count that must not be above most.
func (b betterAuth) allows(ctx context.Context, most int, sql string, args ...any) error {
	var n int
	if err := b.reads(ctx, []any{&n}, sql, args...); err != nil {
		return err
	}
	if n > most {
		return errRefused
	}
	return nil
}

// writes runs a statement and returns how many rows it met.
func (b betterAuth) writes(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := b.pool.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// act runs the steps of a route until one fails.
func act(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b betterAuth) does(ctx context.Context, sql string, args ...any) func() error {
	return func() error { return kit.ErrOf(b.writes(ctx, sql, args...)) }
}

func (b betterAuth) checks(ctx context.Context, most int, sql string, args ...any) func() error {
	return func() error { return b.allows(ctx, most, sql, args...) }
}

const (
	baMembership = `SELECT count(*) FROM member WHERE user_id = $1 AND organization_id = $2`
	baMembers    = `SELECT count(*) FROM member WHERE organization_id = $1`
	// The owners among the first hundred members; the check fails where there are fewer than two.
	baOwners = `SELECT CASE WHEN count(*) > 1 THEN 0 ELSE 1 END
		FROM (SELECT role FROM member WHERE organization_id = $1 LIMIT 100) m WHERE role = 'owner'`
	baAddMember = `INSERT INTO member (id, organization_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, now())`
)

func (b betterAuth) addMember(ctx context.Context, org, user string, limit int) error {
	return act(b.checks(ctx, 0, baMembership, user, org), b.checks(ctx, atMost(limit), baMembers, org),
		b.does(ctx, baAddMember, kit.NewID(), org, user, "member"))
}

// atMost is the count at which a check of a limit still allows one more.
func atMost(limit int) int {
	if limit == 0 {
		return 1 << 30
	}
	return limit - 1
}

// accept guards the state of the invitation, but for old versions, and does not look for a membership.
func (b betterAuth) accept(ctx context.Context, invitation, user string, old bool, limit int) error {
	var org, role, status string
	if err := b.reads(ctx, []any{&org, &role, &status}, `SELECT i.organization_id, i.role, i.status FROM invitation i
		JOIN "user" u ON u.email = i.email WHERE i.id = $1 AND u.id = $2 AND i.expires_at > now()`, invitation, user); err != nil {
		return err
	}
	if status != "pending" {
		return errRefused
	}
	if err := b.allows(ctx, atMost(limit), baMembers, org); err != nil {
		return err
	}
	guard := ` AND status = 'pending'`
	if old {
		guard = ""
	}
	n, err := b.writes(ctx, `UPDATE invitation SET status = 'accepted' WHERE id = $1`+guard, invitation)
	if err == nil && n == 0 {
		err = errRefused
	}
	if err != nil {
		return err
	}
	if _, err = b.writes(ctx, baAddMember, kit.NewID(), org, user, role); err != nil && !old {
		_, undo := b.writes(ctx, `UPDATE invitation SET status = 'pending' WHERE id = $1 AND status = 'accepted'`, invitation)
		return errors.Join(err, undo)
	}
	return err
}

// settle is cancel, which takes any state, and reject.
func (b betterAuth) settle(ctx context.Context, invitation, status string) error {
	var was string
	if err := b.reads(ctx, []any{&was}, `SELECT status FROM invitation WHERE id = $1`, invitation); err != nil {
		return err
	}
	if status == "rejected" && was != "pending" {
		return errRefused
	}
	return kit.ErrOf(b.writes(ctx, `UPDATE invitation SET status = $2 WHERE id = $1`, invitation, status))
}

func (b betterAuth) invite(ctx context.Context, org, inviter, email string) error {
	return act(
		b.checks(ctx, 0, `SELECT count(*) FROM member m JOIN "user" u ON u.id = m.user_id WHERE u.email = $1 AND m.organization_id = $2`, email, org),
		b.checks(ctx, 0, `SELECT count(*) FROM invitation WHERE email = $1 AND organization_id = $2 AND status = 'pending' AND expires_at > now()`, email, org),
		b.does(ctx, `INSERT INTO invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
			VALUES ($1, $2, $3, 'member', 'pending', now() + interval '48 hours', now(), $4)`, kit.NewID(), org, email, inviter))
}

func (b betterAuth) leave(ctx context.Context, org, member, user string) error {
	return act(b.checks(ctx, 0, baOwners, org), b.does(ctx, `DELETE FROM member WHERE id = $1`, member),
		b.does(ctx, `DELETE FROM team_member WHERE user_id = $1 AND team_id IN (SELECT id FROM team WHERE organization_id = $2)`, user, org))
}

// remove reads more than leave between check and act.
func (b betterAuth) remove(ctx context.Context, org, member, user string) error {
	return act(b.checks(ctx, 0, baOwners, org), b.checks(ctx, 1, `SELECT count(*) FROM organization WHERE id = $1`, org),
		b.checks(ctx, 1, `SELECT count(*) FROM "user" WHERE id = $1`, user), b.does(ctx, `DELETE FROM member WHERE id = $1`, member))
}

func (b betterAuth) demote(ctx context.Context, org, member string) error {
	return act(b.checks(ctx, 0, baOwners, org), b.does(ctx, `UPDATE member SET role = 'member' WHERE id = $1`, member))
}

func (b betterAuth) deleteUser(ctx context.Context, user string) error {
	return act(b.does(ctx, `DELETE FROM session WHERE user_id = $1`, user), b.does(ctx, `DELETE FROM account WHERE user_id = $1`, user),
		b.does(ctx, `DELETE FROM "user" WHERE id = $1`, user))
}

const baAddSeat = `INSERT INTO team_member (id, team_id, user_id, created_at, membership_key) VALUES ($1, $2, $3, now(),
	translate(rtrim(encode(sha256(convert_to('["' || $2 || '","' || $3 || '"]', 'UTF8')), 'base64'), '='), '+/', '-_'))`

// joinTeam raises a count that is too low, reserves a seat, and takes it.
func (b betterAuth) joinTeam(ctx context.Context, team, user string, limit int) error {
	var rows int
	if err := act(b.checks(ctx, 0, `SELECT count(*) FROM team_member WHERE team_id = $1 AND user_id = $2`, team, user), func() error {
		return b.reads(ctx, []any{&rows}, `SELECT count(*) FROM team_member WHERE team_id = $1`, team)
	}, func() error {
		return kit.ErrOf(b.writes(ctx, `UPDATE team SET member_count = $2 WHERE id = $1 AND member_count < $2`, team, rows))
	}); err != nil {
		return err
	}
	n, err := b.writes(ctx, `UPDATE team SET member_count = member_count + 1 WHERE id = $1 AND member_count < $2`, team, limit)
	if err != nil {
		return err
	}
	if n == 0 {
		return authdb.ErrLimitReached
	}
	if _, err = b.writes(ctx, baAddSeat, kit.NewID(), team, user); err != nil {
		_, undo := b.writes(ctx, `UPDATE team SET member_count = member_count - 1 WHERE id = $1 AND member_count >= 1`, team)
		return errors.Join(err, undo)
	}
	return nil
}

// joinTeamOld is that of 1.3 to 1.6, which know no count.
func (b betterAuth) joinTeamOld(ctx context.Context, team, user string, limit int) error {
	return act(b.checks(ctx, 0, `SELECT count(*) FROM team_member WHERE team_id = $1 AND user_id = $2`, team, user),
		b.checks(ctx, atMost(limit), `SELECT count(*) FROM team_member WHERE team_id = $1`, team),
		b.does(ctx, `INSERT INTO team_member (id, team_id, user_id, created_at) VALUES ($1, $2, $3, now())`, kit.NewID(), team, user))
}

func (b betterAuth) deleteTeam(ctx context.Context, org, team string) error {
	return act(b.checks(ctx, 0, `SELECT CASE WHEN count(*) > 1 THEN 0 ELSE 1 END FROM team WHERE organization_id = $1`, org),
		b.does(ctx, `DELETE FROM team_member WHERE team_id = $1`, team), b.does(ctx, `DELETE FROM team WHERE id = $1`, team))
}

// consume is the find and delete of old versions, or the delete that returns what it deleted.
func (b betterAuth) consume(ctx context.Context, identifier string, atomic bool) error {
	var id string
	if err := b.reads(ctx, []any{&id}, `SELECT id FROM verification WHERE identifier = $1 ORDER BY created_at DESC LIMIT 1`, identifier); err != nil {
		return err
	}
	n, err := b.writes(ctx, `DELETE FROM verification WHERE id = $1`, id)
	if err == nil && n == 0 && atomic {
		err = errRefused
	}
	return err
}

func (b betterAuth) link(ctx context.Context, user, identity string) error {
	return act(b.checks(ctx, 0, `SELECT count(*) FROM account WHERE provider_id = 'github' AND account_id = $1`, identity),
		b.does(ctx, `INSERT INTO account (id, account_id, provider_id, user_id, created_at, updated_at)
			VALUES ($1, $2, 'github', $3, now(), now())`, kit.NewID(), identity, user))
}

func (b betterAuth) createOrganization(ctx context.Context, slug, owner string) error {
	org := kit.NewID()
	return act(b.checks(ctx, 0, `SELECT count(*) FROM organization WHERE slug = $1`, slug),
		b.does(ctx, `INSERT INTO organization (id, name, slug, created_at) VALUES ($1, 'x', $2, now())`, org, slug),
		b.does(ctx, baAddMember, kit.NewID(), org, owner, "owner"))
}

// watches raise where an operation of this package does what it must have seen to be wrong: accepts or closes an
// invitation that is settled, adds a second invitation or a fourth member (of an organization with that note) to what
// its statement reads. They are STABLE, because such a function reads by the snapshot of the statement.
//
// And the deletion of teams is noted as that of owners is.
const watches = `
	CREATE FUNCTION watch_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('application_name') = '` + ours + `' AND OLD.status <> 'pending' AND NEW.status <> OLD.status THEN
			RAISE 'an invitation that is % becomes %', OLD.status, NEW.status;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER watch_state BEFORE UPDATE ON invitation FOR EACH ROW EXECUTE FUNCTION watch_state();
	CREATE FUNCTION watch_pending() RETURNS trigger LANGUAGE plpgsql STABLE AS $$ BEGIN
		IF current_setting('application_name') = '` + ours + `' AND EXISTS (SELECT FROM invitation i
			WHERE i.organization_id = NEW.organization_id AND i.email = NEW.email AND i.status = 'pending' AND i.expires_at > now()) THEN
			RAISE 'a second pending invitation';
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER watch_pending BEFORE INSERT ON invitation FOR EACH ROW EXECUTE FUNCTION watch_pending();
	CREATE FUNCTION watch_members() RETURNS trigger LANGUAGE plpgsql STABLE AS $$ BEGIN
		IF current_setting('application_name') = '` + ours + `'
			AND EXISTS (SELECT FROM organization o WHERE o.id = NEW.organization_id AND o.metadata = 'three members')
			AND (SELECT count(*) FROM member m WHERE m.organization_id = NEW.organization_id) >= 3 THEN
			RAISE 'a fourth member';
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER watch_members BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION watch_members();
	CREATE TABLE team_removal (no bigserial, organization_id text, side text, seen bigint[]);
	CREATE FUNCTION note_team() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO team_removal (organization_id, side, seen) SELECT OLD.organization_id, current_setting('application_name'),
			ARRAY(SELECT r.no FROM team_removal r WHERE r.organization_id = OLD.organization_id);
		RETURN OLD;
	END $$;
	CREATE TRIGGER note_team BEFORE DELETE ON team FOR EACH ROW EXECUTE FUNCTION note_team()`

// removedLastTeam is removedLastOwner for teams.
const removedLastTeam = `SELECT count(*) FROM team_removal r
	WHERE r.side = '` + ours + `' AND EXISTS (SELECT FROM organization o WHERE o.id = r.organization_id)
		AND NOT EXISTS (SELECT FROM team t WHERE t.organization_id = r.organization_id)
		AND NOT EXISTS (SELECT FROM team_removal later
			WHERE later.organization_id = r.organization_id AND r.no = ANY(later.seen))`

// foreignRace is a race that Better Auth loses. Each function runs one round and counts the wrong rows: naive has
// Better Auth on both ends, beside has it on one and this package on the other, and counts what this package did.
type foreignRace struct {
	name   string
	naive  func(t *testing.T, a *arena, b betterAuth) int
	beside func(t *testing.T, a *arena, b betterAuth) int
}

// TestRaceBesideBetterAuth: the races that Better Auth loses against itself are not lost by this package while Better
// Auth goes on writing to the same tables.
//
// What a client that takes no lock does between its check and its act is its own fault. So a row counts as wrong here
// if it is wrong whoever wrote it, or, where only Better Auth's stale check can have made it, if watches,
// removedLastOwner or removedLastTeam say that an operation of this package was part of it.
func TestRaceBesideBetterAuth(t *testing.T) {
	t.Parallel()
	a, b := newArena(t, 16), bare(t)
	kit.Exec(t, a.Store, removals)
	kit.Exec(t, a.Store, watches)
	n := kit.Hard(t, 5, 200)
	table := []string{"race: rounds of Better Auth alone that went wrong; wrong rows of this package beside it"}
	for _, race := range foreignRaces(t.Context()) {
		t.Run(race.name, func(t *testing.T) {
			lost, rows, played := 0, 0, 0
			for end := time.Now().Add(30 * time.Second); played < n || lost == 0 && time.Now().Before(end); {
				if wrong := race.naive(t, b, betterAuth{b.other}); wrong > 0 {
					lost, rows = lost+1, rows+wrong
				}
				played++
			}
			if lost == 0 {
				t.Errorf("control: Better Auth alone lost none of %d rounds", played)
			}
			mine := 0
			for range n {
				mine += race.beside(t, a, betterAuth{a.other})
			}
			if mine != 0 {
				t.Errorf("%d wrong rows in %d rounds", mine, n)
			}
			table = append(table, fmt.Sprintf("%-52s %3d of %3d (%d rows); %d in %d", race.name, lost, played, rows, mine, n))
		})
	}
	t.Log(strings.Join(table, "\n"))
}

// failures reports each error that is none of the expected ones: Better Auth's may be a raw duplicate key.
func failures(t *testing.T, errs []error, expected ...error) {
	t.Helper()
	var rest []error
	for _, err := range errs {
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "23505" {
			rest = append(rest, err)
		}
	}
	kit.Succeeded(t, rest, append(expected, errRefused)...)
}

func foreignRaces(ctx context.Context) []foreignRace {
	// sides has this package make the calls with an even number.
	sides := func(n int, mine, other func(i int) error) []error {
		return kit.AtOnce(n, func(i int) error {
			if i%2 == 0 {
				return mine(i)
			}
			return other(i)
		})
	}
	members := func(t *testing.T, a *arena, user string) int {
		return a.number(t, `SELECT count(*) - 1 FROM member WHERE user_id = $1`, user)
	}
	owners := func(name string, mine func(a *arena, org, member, user string) error,
		other func(b betterAuth, org, member, user string) error,
	) foreignRace {
		return foreignRace{name, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.owners(t, 1, 2)
			failures(t, kit.AtOnce(2, func(j int) error { return other(b, id("o", 0, 0), id("m", 0, j), id("u", 0, j)) }))
			return a.number(t, ownerless+` AND o.id = '`+id("o", 0, 0)+`'`)
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id, before := a.owners(t, 1, 2), a.number(t, removedLastOwner)
			failures(t, sides(2, func(j int) error { return mine(a, id("o", 0, 0), id("m", 0, j), id("u", 0, j)) },
				func(j int) error { return other(b, id("o", 0, 0), id("m", 0, j), id("u", 0, j)) }), authdb.ErrLastOwner)
			return a.number(t, removedLastOwner) - before
		}}
	}

	return []foreignRace{
		{"R1 add one member", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers)
			failures(t, kit.AtOnce(8, func(int) error { return b.addMember(ctx, id("o", 0), id("u", 0), 0) }))
			return members(t, a, id("u", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers)
			failures(t, sides(8, func(int) error {
				return kit.ErrOf(a.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: id("o", 0), UserID: id("u", 0)}))
			}, func(int) error { return b.addMember(ctx, id("o", 0), id("u", 0), 0) }), authdb.ErrAlreadyMember)
			return members(t, a, id("u", 0))
		}},
		{"R2 accept one invitation", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers, seedInvitations)
			failures(t, kit.AtOnce(8, func(int) error { return b.accept(ctx, id("i", 0), id("u", 0), true, 0) }))
			return members(t, a, id("u", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers, seedInvitations)
			failures(t, sides(8, func(int) error {
				return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", 0), UserID: id("u", 0), AllowUnverified: true}))
			}, func(int) error { return b.accept(ctx, id("i", 0), id("u", 0), true, 0) }), authdb.ErrNotPending)
			return members(t, a, id("u", 0))
		}},
		{"R3 invite one address", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations)
			failures(t, kit.AtOnce(8, func(int) error { return b.invite(ctx, id("o", 0), id("w", 0), "ada@example.com") }))
			return a.number(t, `SELECT count(*) - 1 FROM invitation WHERE organization_id = $1`, id("o", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations)
			invite := func(int) error {
				return kit.ErrOf(a.Invitations.Create(ctx, authdb.CreateInvitationParams{
					OrganizationID: id("o", 0), InviterID: id("w", 0), Email: "ada@example.com",
				}))
			}
			failures(t, sides(8, invite, func(int) error { return b.invite(ctx, id("o", 0), id("w", 0), "ada@example.com") }))
			failures(t, []error{invite(0)}) // what Better Auth's stale checks left is closed by the next
			return a.number(t, `SELECT count(*) - 1 FROM invitation WHERE organization_id = $1 AND status = 'pending'`, id("o", 0))
		}},
		{"R4 invited, added, accepted", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers, seedInvitations)
			failures(t, []error{b.addMember(ctx, id("o", 0), id("u", 0), 0), b.accept(ctx, id("i", 0), id("u", 0), false, 0)})
			return members(t, a, id("u", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 2, seedOrganizations, seedUsers, seedInvitations)
			failures(t, []error{
				b.addMember(ctx, id("o", 0), id("u", 0), 0),
				kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", 0), UserID: id("u", 0), AllowUnverified: true})),
				kit.ErrOf(a.Members.Create(ctx, authdb.CreateMemberParams{OrganizationID: id("o", 1), UserID: id("u", 1)})),
				b.accept(ctx, id("i", 1), id("u", 1), false, 0),
			})
			return members(t, a, id("u", 0)) + members(t, a, id("u", 1))
		}},
		owners("R5 two owners leave", func(a *arena, org, _, user string) error { return a.Members.Leave(ctx, org, user) },
			func(b betterAuth, org, member, user string) error { return b.leave(ctx, org, member, user) }),
		owners("R6 two owners demote themselves", func(a *arena, org, member, _ string) error {
			return kit.ErrOf(a.Members.Update(ctx, org, member, authdb.UpdateMemberParams{Role: authdb.Set(authdb.RoleAdmin)}))
		}, func(b betterAuth, org, member, _ string) error { return b.demote(ctx, org, member) }),
		owners("R7 two owners remove each other", func(a *arena, org, member, _ string) error {
			return a.Members.Delete(ctx, authdb.DeleteMemberParams{OrganizationID: org, MemberID: member})
		},
			func(b betterAuth, org, member, user string) error { return b.remove(ctx, org, member, user) }),
		{"R9 the only owner deletes the account", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.owners(t, 1, 1)
			failures(t, []error{b.deleteUser(ctx, id("u", 0, 0))})
			return a.number(t, ownerless+` AND o.id = '`+id("o", 0, 0)+`'`)
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id, before := a.owners(t, 2, 2), a.number(t, removedLastOwner)
			failures(t, sides(2, func(j int) error {
				return kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", 0, j)}))
			}, func(j int) error { return b.deleteUser(ctx, id("u", 0, j)) }), authdb.ErrLastOwner)
			failures(t, []error{b.deleteUser(ctx, id("u", 1, 0))})
			if err := kit.ErrOf(a.Users.Delete(ctx, authdb.DeleteUserParams{UserID: id("u", 1, 1)})); !errors.Is(err, authdb.ErrLastOwner) {
				t.Errorf("got %v, want ErrLastOwner", err)
			}
			return a.number(t, removedLastOwner) - before
		}},
		{"R10 five accept, three members at most", func(t *testing.T, a *arena, b betterAuth) int {
			id := crowdOf(t, a, 5)
			failures(t, kit.AtOnce(5, func(i int) error { return b.accept(ctx, id("i", i), id("u", i), false, 3) }))
			return max(0, a.number(t, `SELECT count(*) - 3 FROM member WHERE organization_id = $1`, id("o", 0)))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := crowdOf(t, a, 5)
			errs := sides(5, func(i int) error {
				return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", i), UserID: id("u", i), AllowUnverified: true, MaxMembers: 3}))
			}, func(i int) error { return b.accept(ctx, id("i", i), id("u", i), false, 3) })
			failures(t, errs, authdb.ErrLimitReached)
			return max(0, kit.Succeeded(t, []error{errs[0], errs[2], errs[4]}, authdb.ErrLimitReached)-2)
		}},
		{"R11 five join a team, two at most", func(t *testing.T, a *arena, b betterAuth) int {
			id := crowdOf(t, a, 5)
			failures(t, kit.AtOnce(5, func(i int) error { return b.joinTeamOld(ctx, id("t", 0), id("u", i), 2) }))
			return max(0, a.number(t, `SELECT count(*) - 2 FROM team_member WHERE team_id = $1`, id("t", 0)))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := crowdOf(t, a, 5)
			kit.Exec(t, a.Store, `UPDATE organization SET metadata = NULL WHERE id = $1`, id("o", 0))
			for i := range 5 {
				kit.Exec(t, a.Store, baAddMember, kit.NewID(), id("o", 0), id("u", i), "member")
			}
			failures(t, sides(5, func(i int) error {
				return kit.ErrOf(a.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
					OrganizationID: id("o", 0), TeamID: id("t", 0), UserID: id("u", i), MaxMembers: 2,
				}))
			}, func(i int) error { return b.joinTeam(ctx, id("t", 0), id("u", i), 2) }), authdb.ErrLimitReached)
			return max(0, a.number(t, `SELECT greatest(member_count, (SELECT count(*) FROM team_member WHERE team_id = $1)) - 2
				FROM team WHERE id = $1`, id("t", 0)))
		}},
		{"R12 one team member", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers)
			failures(t, kit.AtOnce(8, func(int) error { return b.joinTeamOld(ctx, id("t", 0), id("u", 0), 0) }))
			return a.number(t, `SELECT count(*) - 1 FROM team_member WHERE team_id = $1`, id("t", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedTeams, seedUsers, seedMembers)
			failures(t, kit.AtOnce(8, func(i int) error {
				if i == 3 { // one: several raise each other's counts
					return b.joinTeam(ctx, id("t", 0), id("u", 0), 100)
				}
				return kit.ErrOf(a.TeamMembers.Create(ctx, authdb.CreateTeamMemberParams{
					OrganizationID: id("o", 0), TeamID: id("t", 0), UserID: id("u", 0),
				}))
			}))
			return a.number(t, `SELECT count(*) - 1 FROM team_member WHERE team_id = $1`, id("t", 0)) +
				a.number(t, `SELECT abs(member_count - 1) FROM team WHERE id = $1`, id("t", 0))
		}},
		{"R13 accept and cancel", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedUsers, seedInvitations)
			failures(t, kit.AtOnce(2, func(i int) error {
				if i == 0 {
					return b.accept(ctx, id("i", 0), id("u", 0), false, 0)
				}
				return b.settle(ctx, id("i", 0), authdb.StatusCanceled)
			}))
			return a.number(t, memberOfCanceled+` AND i.id = '`+id("i", 0)+`'`)
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 3, seedOrganizations, seedTeams, seedUsers, seedInvitations)
			// Their cancel and their reject overwrite what is accepted; watches sees whether an accept followed them.
			for i, status := range []string{authdb.StatusCanceled, authdb.StatusRejected} {
				one, two := both(func() error {
					return kit.ErrOf(a.Invitations.Accept(ctx, authdb.AcceptInvitationParams{InvitationID: id("i", i), UserID: id("u", i), AllowUnverified: true}))
				}, func() error { return b.settle(ctx, id("i", i), status) })
				failures(t, []error{one, two}, authdb.ErrNotPending)
				if joined := members(t, a, id("u", i)) == 0; joined != (one == nil) {
					t.Errorf("accepted: %v, a member: %v", one, joined)
				}
			}
			one, two := both(func() error { return kit.ErrOf(a.Invitations.Cancel(ctx, id("o", 2), id("i", 2))) },
				func() error { return b.accept(ctx, id("i", 2), id("u", 2), false, 0) })
			failures(t, []error{one, two}, authdb.ErrNotPending)
			return a.number(t, memberOfCanceled+` AND i.id = '`+id("i", 2)+`'`)
		}},
		{"R16 one reset token", func(t *testing.T, a *arena, b betterAuth) int {
			return consumers(t, a, func(int, string) error { return nil }, func(identifier string) error {
				return b.consume(ctx, identifier, false)
			}, 0) - 1
		}, func(t *testing.T, a *arena, b betterAuth) int {
			return max(0, consumers(t, a, func(_ int, identifier string) error {
				return kit.ErrOf(a.Verifications.Consume(ctx, authdb.Secret(identifier)))
			}, func(identifier string) error { return b.consume(ctx, identifier, true) }, 3)-1)
		}},
		{"R17 link one identity", func(t *testing.T, a *arena, b betterAuth) int {
			id, identity := a.seed(t, 1, seedUsers), kit.NewID()
			failures(t, kit.AtOnce(4, func(int) error { return b.link(ctx, id("u", 0), identity) }))
			return a.number(t, `SELECT count(*) - 1 FROM account WHERE account_id = $1`, identity)
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id, identity := a.seed(t, 4, seedUsers), kit.NewID()
			failures(t, sides(4, func(i int) error {
				return kit.ErrOf(a.Accounts.Link(ctx, authdb.CreateAccountParams{UserID: id("u", i), ProviderID: "github", AccountID: identity}))
			}, func(i int) error { return b.link(ctx, id("u", i), identity) }), authdb.ErrAccountTaken)
			return a.number(t, `SELECT count(*) - 1 FROM account WHERE account_id = $1`, identity)
		}},
		{"R18 delete both of two teams", func(t *testing.T, a *arena, b betterAuth) int {
			id := a.seed(t, 1, seedOrganizations, seedTeams)
			failures(t, kit.AtOnce(2, func(i int) error { return b.deleteTeam(ctx, id("o", 0), id([]string{"s", "t"}[i], 0)) }))
			return a.number(t, `SELECT 1 - least(1, count(*)) FROM team WHERE organization_id = $1`, id("o", 0))
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id, before := a.seed(t, 1, seedOrganizations, seedTeams), a.number(t, removedLastTeam)
			failures(t, sides(2, func(int) error {
				return a.Teams.Delete(ctx, authdb.DeleteTeamParams{OrganizationID: id("o", 0), TeamID: id("s", 0)})
			}, func(int) error { return b.deleteTeam(ctx, id("o", 0), id("t", 0)) }), authdb.ErrLastTeam)
			return a.number(t, removedLastTeam) - before
		}},
		{"R19 create organizations with one slug", func(t *testing.T, a *arena, b betterAuth) int {
			id, slug, raw := a.seed(t, 6, seedUsers), kit.NewID(), 0
			for _, err := range kit.AtOnce(6, func(i int) error { return b.createOrganization(ctx, slug, id("u", i)) }) {
				if err != nil && !errors.Is(err, errRefused) {
					raw++ // no row, but an internal error
				}
			}
			return raw
		}, func(t *testing.T, a *arena, b betterAuth) int {
			id, slug := a.seed(t, 6, seedUsers), kit.NewID()
			errs := sides(6, func(i int) error {
				return kit.ErrOf(a.Organizations.Create(ctx, authdb.CreateOrganizationParams{
					Name: "x", Slug: slug, OwnerID: id("u", i), DefaultTeam: true,
				}))
			}, func(i int) error { return b.createOrganization(ctx, slug, id("u", i)) })
			failures(t, errs, authdb.ErrSlugTaken)
			return a.number(t, `SELECT count(*) - 1 FROM organization WHERE slug = $1`, slug) +
				a.number(t, ownerless+` AND o.slug = '`+slug+`'`)
		}},
	}
}

// crowdOf is one organization that has three members at most, with n users who are invited to it, and a team.
func crowdOf(t *testing.T, a *arena, n int) func(letter string, i int) string {
	t.Helper()
	id := a.seed(t, n, seedOrganizations, seedTeams, seedUsers, seedInvitations)
	kit.Exec(t, a.Store, `UPDATE invitation SET organization_id = $1, team_id = NULL, inviter_id = $2 WHERE id LIKE $3`,
		id("o", 0), id("w", 0), strings.TrimSuffix(id("i", 0), "1")+"%")
	kit.Exec(t, a.Store, `UPDATE organization SET metadata = 'three members' WHERE id = $1`, id("o", 0))
	return id
}

// consumers use up one reset token, six at once, the first few by this package, and returns how many could.
func consumers(t *testing.T, a *arena, mine func(i int, identifier string) error, other func(identifier string) error, first int) (ok int) {
	t.Helper()
	identifier := "reset-password:" + kit.NewID()
	kit.Exec(t, a.Store, `INSERT INTO verification (id, identifier, value, expires_at) VALUES ($1, $2, 'x', now() + interval '1 hour')`,
		kit.NewID(), identifier)
	errs := kit.AtOnce(6, func(i int) error {
		if i < first {
			return mine(i, identifier)
		}
		return other(identifier)
	})
	failures(t, errs, authdb.ErrNotFound)
	return kit.Succeeded(t, errs, authdb.ErrNotFound, errRefused)
}
