package rules_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/internal/kit"
)

// schedule is an order in which two or three programs take turns, down to who waits for whom.
type schedule struct {
	name    string
	given   string // SQL: what else there is
	turns   []turn
	changes string // as of a scenario
}

// turn is what one program does next.
type turn func(ctx context.Context, p *performance) error

// performance is a schedule as it runs.
type performance struct {
	stage  *stage
	actors map[string]*actor
	txs    map[string]pgx.Tx
	calls  map[string]*call
}

func (p *performance) actor(ctx context.Context, name string) (*actor, error) {
	if p.actors[name] == nil {
		a, err := p.stage.actor(ctx, slices.Index([]string{"a", "b", "c"}, name))
		if err != nil {
			return nil, err
		}
		p.actors[name] = a
	}
	return p.actors[name], nil
}

// others are all who are on the stage but one.
func (p *performance) others(name string) (others []*actor) {
	for other, a := range p.actors {
		if other != name {
			others = append(others, a)
		}
	}
	return others
}

// begins opens a transaction, in which all that the program does takes place until it ends.
func begins(name string) turn {
	return func(ctx context.Context, p *performance) error {
		a, err := p.actor(ctx, name)
		if err != nil {
			return err
		}
		tx, err := a.conn.Begin(ctx)
		if err != nil {
			return err
		}
		p.txs[name] = tx
		a.Store = p.stage.store(mutatingTx{tx, mutating{tx, &p.stage.guard, p.stage.sent, a.tries}})
		return nil
	}
}

func commits(name string) turn {
	return func(ctx context.Context, p *performance) error { return p.txs[name].Commit(ctx) }
}

func rollsBack(name string) turn {
	return func(ctx context.Context, p *performance) error { return p.txs[name].Rollback(ctx) }
}

// does is an operation that waits for nobody and returns that kind of error, or none.
func does(name string, do operation, kind error) turn {
	return func(ctx context.Context, p *performance) error {
		a, err := p.actor(ctx, name)
		if err != nil {
			return err
		}
		c := a.start(ctx, do)
		p.calls[name] = c
		if waits, err := c.waits(ctx, p.others(name)...); err != nil || waits {
			return fmt.Errorf("%s waits (%s)", name, fmt.Sprint(err))
		}
		if !isKind(c.err, kind) {
			return fmt.Errorf("%s returns %s, want %s", name, fmt.Sprint(c.err), fmt.Sprint(kind))
		}
		return nil
	}
}

// waits is an operation that must wait for another program.
func waits(name string, do operation, other string) turn {
	return func(ctx context.Context, p *performance) error {
		a, err := p.actor(ctx, name)
		if err != nil {
			return err
		}
		c := a.start(ctx, do)
		p.calls[name] = c
		if waits, err := c.waits(ctx, p.actors[other]); err != nil || !waits {
			return fmt.Errorf("%s does not wait for %s: %w", name, other, errors.Join(err, c.ended()))
		}
		return nil
	}
}

// ends says how an operation that waited ends.
func ends(name string, kind error) turn {
	return func(ctx context.Context, p *performance) error {
		if err := p.calls[name].wait(ctx); !isKind(err, kind) {
			return fmt.Errorf("%s returns %s, want %s", name, fmt.Sprint(err), fmt.Sprint(kind))
		}
		return nil
	}
}

// raw is what a server of Better Auth does, which takes no locks.
func raw(name, sql string) turn {
	return func(ctx context.Context, p *performance) error {
		a, err := p.actor(ctx, name)
		if err != nil {
			return err
		}
		_, err = a.conn.Exec(ctx, sql)
		return err
	}
}

// after is the usual schedule: a does something and holds its transaction open, b must wait for it, and a ends.
func after(first operation, end func(string) turn, second operation, kind error) []turn {
	return []turn{begins("a"), does("a", first, nil), waits("b", second, "a"), end("a"), ends("b", kind)}
}

// beside is a schedule in which b need not wait for a.
func beside(first, second operation, kind error) []turn {
	return []turn{begins("a"), does("a", first, nil), does("b", second, kind), commits("a")}
}

func (s *stage) perform(sc schedule, g *guard) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	p := &performance{s, map[string]*actor{}, map[string]pgx.Tx{}, map[string]*call{}}
	defer func() {
		for name, tx := range p.txs {
			if c := p.calls[name]; c == nil || c.isDone() { // else the connection is its call's
				_ = tx.Rollback(ctx)
			}
		}
		s.settle(ctx, cancel)
		for _, tx := range p.txs {
			_ = tx.Rollback(context.Background())
		}
	}()
	s.guard.Store(g)
	if err := s.reset(ctx, sc.given); err != nil {
		return err
	}
	before, err := s.rows(ctx)
	if err != nil {
		return err
	}
	for i, turn := range sc.turns {
		if err := turn(ctx, p); err != nil {
			return fmt.Errorf("turn %d: %w", i+1, err)
		}
	}
	return s.changed(ctx, before, sc.changes)
}

// TestSchedules plays operations against each other turn by turn. Who waits for whom is seen in pg_blocking_pids, so
// there is one order only, and one result. As the control, the same without any lock that the queries ask for.
func TestSchedules(t *testing.T) {
	t.Parallel()
	all := schedules()
	stages := newStages(t, 2)
	begin := time.Now()
	names := map[string]bool{}
	turns, failed := 0, 0
	for _, sc := range all {
		if names[sc.name] {
			t.Fatalf("two schedules are called %q", sc.name)
		}
		names[sc.name] = true
		turns += len(sc.turns)
	}
	stages.each(len(all), func(s *stage, i int) {
		if err := s.perform(all[i], nil); err != nil {
			t.Errorf("%s: %v", all[i].name, err)
		}
	})
	if t.Failed() {
		return
	}
	took := time.Since(begin)
	unlocked := &guard{every: func(sql string) string {
		if kit.QueryName(sql) == "" {
			return sql
		}
		return lockPattern.ReplaceAllString(sql, "")
	}}
	full := kit.Hard(t, 0, 1) == 1
	results := make([]error, len(all))
	stages.each(len(all), func(s *stage, i int) { results[i] = s.perform(all[i], unlocked) })
	for i, err := range results {
		if err != nil {
			failed++
			if full {
				t.Logf("without locks, %s: %.120v", all[i].name, err)
			}
		}
	}
	t.Logf("%d schedules of %d turns in %v, all as they must; without locks %d of %d fail", len(all), turns,
		took.Round(time.Millisecond), failed, len(results))
	if failed < len(results)/2 {
		t.Errorf("only %d of %d schedules need a lock: the control sees nothing", failed, len(results))
	}
}

// schedules are the races that the operations must not lose.
func schedules() []schedule {
	return []schedule{
		{name: "revoke waits for a refresh", turns: after(doRefresh("bob1", true), commits, doRevoke("bob1"), nil), changes: `- session bob1`},
		{
			name:    "refresh of a revoked session",
			turns:   after(doRevoke("bob1"), commits, doRefresh("bob1", true), authdb.ErrNotFound),
			changes: `- session bob1`,
		},
		{
			name:    "refresh after a revocation that is rolled back",
			turns:   after(doRevoke("bob1"), rollsBack, doRefresh("bob1", true), nil),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name:    "two refreshes, one write",
			turns:   after(doRefresh("bob1", true), commits, doRefresh("bob1", false), nil),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name:    "two refreshes, the first rolled back",
			turns:   after(doRefresh("bob1", true), rollsBack, doRefresh("bob1", true), nil),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name: "three refreshes, one write",
			turns: []turn{
				begins("a"),
				does("a", doRefresh("bob1", true), nil),
				waits("b", doRefresh("bob1", false), "a"),
				waits("c", doRefresh("bob1", false), "b"),
				commits("a"),
				ends("b", nil),
				ends("c", nil),
			},
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{
			name:    "revoke all waits for a refresh",
			turns:   after(doRefresh("bob1", true), commits, doRevokeAll("bob", "bob-old bob1 bob2 bob3"), nil),
			changes: `- session bob-old,bob1,bob2,bob3`,
		},
		{
			name: "refresh after revoking all",
			turns: after(doRevokeAll("bob", "bob-old bob1 bob2 bob3"), commits,
				doRefresh("bob1", true), authdb.ErrNotFound),
			changes: `- session bob-old,bob1,bob2,bob3`,
		},
		{
			name:    "refresh after revoking all was rolled back",
			turns:   after(doRevokeAll("bob", "bob-old bob1 bob2 bob3"), rollsBack, doRefresh("bob1", true), nil),
			changes: `~ session bob1 expires_at=06-08T12:00:00 updated`,
		},
		{name: "sign-in after revoking all", turns: after(doRevokeAll("bob", "bob-old bob1 bob2 bob3"), commits, doLogin("bob"), nil), changes: `
				+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=bob
				- session bob-old,bob1,bob2,bob3`},
		{
			name:    "revoke all waits for a sign-in",
			turns:   after(doLogin("bob"), commits, doRevokeAll("bob", "bob-old bob1 bob2 bob3 new1"), nil),
			changes: `- session bob-old,bob1,bob2,bob3`,
		},
		{
			name:    "revoke all after a sign-in that is rolled back",
			turns:   after(doLogin("bob"), rollsBack, doRevokeAll("bob", "bob-old bob1 bob2 bob3"), nil),
			changes: `- session bob-old,bob1,bob2,bob3`,
		},
		{
			name: "revoke all between begin and sign-in",
			turns: []turn{
				begins("a"),
				does("a", doAuthenticate("dan1", "dan1", "dan", "", ""), nil),
				does("b", doRevokeAll("bob", "bob-old bob1 bob2 bob3"), nil),
				does("a", doLogin("bob"), nil),
				commits("a"),
			},
			changes: `
				+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=bob
				- session bob-old,bob1,bob2,bob3`,
		},
		{
			name: "revoke all between sign-in and commit",
			turns: []turn{
				begins("a"),
				does("a", doLogin("bob"), nil),
				waits("b", doRevokeAll("bob", "bob-old bob1 bob2 bob3 new1 new3"), "a"),
				does("c", doLogin("bob"), nil),
				commits("a"),
				ends("b", nil),
			},
			changes: `- session bob-old,bob1,bob2,bob3`,
		},
		{name: "sign-in after revoking the others", turns: after(doRevokeOthers("bob", "bob1", "bob-old bob2 bob3"), commits, doLogin("bob"), nil), changes: `
				+ session new1 expires_at=06-08T12:00:00 ip_address= token=token2 user_agent= user_id=bob
				- session bob-old,bob2,bob3`},
		{
			name:    "revoke others waits for a sign-in",
			turns:   after(doLogin("bob"), commits, doRevokeOthers("bob", "bob1", "bob-old bob2 bob3 new1"), nil),
			changes: `- session bob-old,bob2,bob3`,
		},
		{name: "purge passes over a session that is prolonged", turns: beside(doProlong("bob-old"), doPurge(100, 1), nil), changes: `
				- session dan-old
				~ session bob-old expires_at=06-01T13:00:00 updated`},
		{
			name:    "prolonging a purged session",
			turns:   after(doPurge(100, 2), commits, doProlong("bob-old"), authdb.ErrNotFound),
			changes: `- session bob-old,dan-old`,
		},
		{
			name:    "refresh of an expired session beside a purge",
			turns:   beside(doPurge(100, 2), doRefresh("bob-old", true), authdb.ErrNotFound),
			changes: `- session bob-old,dan-old`,
		},
		{name: "refresh beside a purge", turns: beside(doPurge(100, 2), doRefresh("bob1", true), nil), changes: `
				- session bob-old,dan-old
				~ session bob1 expires_at=06-08T12:00:00 updated`},
		{name: "purge beside a refresh", turns: beside(doRefresh("bob1", true), doPurge(100, 2), nil), changes: `
				- session bob-old,dan-old
				~ session bob1 expires_at=06-08T12:00:00 updated`},
		{name: "two purges share the work", turns: beside(doPurge(1, 1), doPurge(100, 1), nil), changes: `- session bob-old,dan-old`},
		{
			name:    "purge beside revoking all",
			turns:   beside(doRevokeAll("bob", "bob-old bob1 bob2 bob3"), doPurge(100, 1), nil),
			changes: `- session bob-old,bob1,bob2,bob3,dan-old`,
		},
		{
			name:    "revoke all waits for a purge",
			turns:   after(doPurge(100, 2), commits, doRevokeAll("bob", "bob1 bob2 bob3"), nil),
			changes: `- session bob-old,bob1,bob2,bob3,dan-old`,
		},
		{
			name:    "two purges of verifications share the work",
			turns:   beside(doPurgeVerifications(1, 1), doPurgeVerifications(100, 3), nil),
			changes: `- verification dead,late-a,late-b,stale`,
		},
		{
			name: "refresh after deleting the user",
			turns: after(doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), commits,
				doRefresh("bob1", true), authdb.ErrNotFound),
			changes: bobDeleted,
		},
		{
			name: "deleting a user waits for a refresh",
			turns: after(doRefresh("bob1", true), commits,
				doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), nil),
			changes: bobDeleted,
		},
		{
			name: "sign-in after deleting the user",
			turns: after(doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""), commits,
				doLogin("dan"), authdb.ErrReference),
			changes: danDeleted,
		},
		{
			name: "deleting a user waits for a sign-in",
			turns: after(doLogin("dan"), commits,
				doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1 new1", ""), nil),
			changes: danDeleted,
		},
		{
			name: "sign-in after a deletion that is rolled back",
			turns: after(doDeleteUser("dan", authdb.DeleteUserParams{}, "dan-old dan1", ""), rollsBack,
				doLogin("dan"), nil),
			changes: `+ session new2 expires_at=06-08T12:00:00 ip_address= token=token3 user_agent= user_id=dan`,
		},
		{
			name: "deleting a user waits for its organization to be active",
			turns: after(doActivate("bob", "bob1", "globex"), commits,
				doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), nil),
			changes: bobDeleted,
		},
		{
			name: "making an organization active after deleting the user",
			turns: after(doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), commits,
				doActivate("bob", "bob1", "globex"), authdb.ErrNotFound),
			changes: bobDeleted,
		},
		{
			name: "deleting a user waits for a team to be active",
			turns: after(doActivateTeam("bob", "bob1", "red"), commits,
				doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), nil),
			changes: bobDeleted,
		},
		{
			name: "making a team active after deleting the user",
			turns: after(doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), commits,
				doActivateTeam("bob", "bob1", "red"), authdb.ErrNotFound),
			changes: bobDeleted,
		},
		{
			name: "deleting a user while a session makes an organization active",
			turns: []turn{
				begins("a"),
				raw("a", "SELECT FROM organization o JOIN member m ON m.organization_id = o.id WHERE m.id = 'acme-bob' FOR KEY SHARE"),
				waits("b", doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), "a"),
				does("a", doActivate("bob", "bob2", "acme"), nil),
				commits("a"),
				ends("b", nil),
			},
			changes: bobDeleted,
		},
		{
			name: "deleting a user while a session makes a team active",
			turns: []turn{
				begins("a"),
				raw("a", `SELECT FROM organization o JOIN member m ON m.organization_id = o.id JOIN team t ON
					t.organization_id = o.id JOIN team_member tm ON tm.team_id = t.id AND tm.user_id = m.user_id
					WHERE tm.id = 'red-bob' FOR KEY SHARE`),
				waits("b", doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), "a"),
				does("a", doActivateTeam("bob", "bob1", "red"), nil),
				commits("a"),
				ends("b", nil),
			},
			changes: bobDeleted,
		},
		{
			name:  "removing a member waits for its organization to be active",
			turns: after(doActivate("bob", "bob1", "globex"), commits, doRemoveMember("globex", "globex-bob"), nil),
			changes: `
				- member globex-bob
				- team_member gold-bob
				~ session bob1,bob2,bob3 active_organization_id=NULL active_team_id=NULL updated
				~ team gold member_count=1 updated`,
		},
		{
			name: "making an organization active after the removal",
			turns: after(doRemoveMember("globex", "globex-bob"), commits,
				doActivate("bob", "bob1", "globex"), authdb.ErrNotMember),
			changes: `
				- member globex-bob
				- team_member gold-bob
				~ session bob2,bob3 active_organization_id=NULL active_team_id=NULL updated
				~ team gold member_count=1 updated`,
		},
		{
			name:    "making an organization active after a removal that is rolled back",
			turns:   after(doRemoveMember("globex", "globex-bob"), rollsBack, doActivate("bob", "bob1", "globex"), nil),
			changes: `~ session bob1 active_organization_id=globex active_team_id=NULL updated`,
		},
		{
			name:  "deleting a team waits for it to be active",
			turns: after(doActivateTeam("ann", "ann1", "blue"), commits, doDeleteTeam("acme", "blue", false), nil),
			changes: `
				- team blue
				- team_member blue-ann
				~ invitation to-dan team_id=red
				~ session ann1,ann2 active_team_id=NULL updated`,
		},
		{
			name: "making a team active after its deletion",
			turns: after(doDeleteTeam("acme", "blue", false), commits,
				doActivateTeam("ann", "ann1", "blue"), authdb.ErrNotMember),
			changes: blueDeleted,
		},
		{
			name:  "quitting a team waits for it to be active",
			turns: after(doActivateTeam("ann", "ann1", "blue"), commits, doQuit("acme", "blue", "ann"), nil),
			changes: `
				- team_member blue-ann
				~ session ann1,ann2 active_team_id=NULL updated
				~ team blue member_count=0 updated`,
		},
		{
			name: "making a team active after quitting it",
			turns: after(doQuit("acme", "blue", "ann"), commits,
				doActivateTeam("ann", "ann1", "blue"), authdb.ErrNotMember),
			changes: `
				- team_member blue-ann
				~ session ann2 active_team_id=NULL updated
				~ team blue member_count=0 updated`,
		},
		{
			name:    "removing a member waits for a team to be active",
			turns:   after(doActivateTeam("ann", "ann1", "blue"), commits, doRemoveMember("acme", "acme-ann"), nil),
			changes: annRemoved,
		},
		{
			name: "making a team active after the member's removal",
			turns: after(doRemoveMember("acme", "acme-ann"), commits,
				doActivateTeam("ann", "ann1", "blue"), authdb.ErrNotMember),
			changes: annRemoved,
		},
		{
			name: "deleting an organization waits for it to be active",
			turns: after(doActivate("bob", "bob1", "globex"), commits,
				doDeleteOrganization("globex", "bob1 bob2 bob3 otto1"), nil),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- team gold
				- team_member gold-bob,gold-otto
				~ session bob1,bob2,bob3,otto1 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "making an organization active after its deletion",
			turns: after(doDeleteOrganization("globex", "bob2 bob3 otto1"), commits,
				doActivate("bob", "bob1", "globex"), authdb.ErrNotMember),
			changes: globexDeleted,
		},
		{
			name: "deleting an organization waits for a team to be active",
			turns: after(doActivateTeam("ann", "ann1", "blue"), commits,
				doDeleteOrganization("acme", "ann1 ann2 bob-old bob1 olga1"), nil),
			changes: acmeDeleted,
		},
		{
			name: "making a team active after deleting the organization",
			turns: after(doDeleteOrganization("acme", "ann1 ann2 bob-old bob1 olga1"), commits,
				doActivateTeam("ann", "ann1", "blue"), authdb.ErrNotMember),
			changes: acmeDeleted,
		},
		{
			name:    "cancel after accept",
			turns:   after(doAccept("to-cyd", "cyd", false), commits, doCancel("acme", "to-cyd"), authdb.ErrNotPending),
			changes: cydAccepted,
		},
		{
			name:    "accept after cancel",
			turns:   after(doCancel("acme", "to-cyd"), commits, doAccept("to-cyd", "cyd", false), authdb.ErrNotPending),
			changes: `~ invitation to-cyd status=canceled`,
		},
		{
			name:    "accept after a cancel that is rolled back",
			turns:   after(doCancel("acme", "to-cyd"), rollsBack, doAccept("to-cyd", "cyd", false), nil),
			changes: cydAccepted,
		},
		{
			name:    "cancel after an accept that is rolled back",
			turns:   after(doAccept("to-cyd", "cyd", false), rollsBack, doCancel("acme", "to-cyd"), nil),
			changes: `~ invitation to-cyd status=canceled`,
		},
		{
			name:    "reject after accept",
			turns:   after(doAccept("to-cyd", "cyd", false), commits, doReject("to-cyd", "cyd"), authdb.ErrNotPending),
			changes: cydAccepted,
		},
		{
			name:    "accept after reject",
			turns:   after(doReject("to-cyd", "cyd"), commits, doAccept("to-cyd", "cyd", false), authdb.ErrNotPending),
			changes: `~ invitation to-cyd status=rejected`,
		},
		{name: "accept twice", turns: after(doAccept("to-cyd", "cyd", false), commits, doAccept("to-cyd", "cyd", true), nil), changes: cydAccepted},
		{
			name:  "accept after an accept that is rolled back",
			turns: after(doAccept("to-cyd", "cyd", false), rollsBack, doAccept("to-cyd", "cyd", false), nil),
			changes: `
				+ member new2 organization_id=acme role=member user_id=cyd
				+ team_member 67e93c13c027ccfbd6d792ad8b5bb282 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ team red member_count=3 updated`,
		},
		{name: "accepting two invitations", turns: beside(doAccept("to-cyd", "cyd", false), doAccept("to-cyd-2", "cyd", false), nil), changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ member new2 organization_id=globex role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				+ team_member a8ac48862562e739d8cb68f99b8ee04a team_id=gold user_id=cyd
				~ invitation to-cyd,to-cyd-2 status=accepted
				~ team gold,red member_count=3 updated`},
		{
			name: "invite twice",
			turns: after(doInvite("acme", "olga", "hal", "new1"), commits,
				doInvite("acme", "ann", "hal", "new1"), nil),
			changes: `+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending`,
		},
		{
			name: "invite after an invitation that is rolled back",
			turns: after(doInvite("acme", "olga", "hal", "new1"), rollsBack,
				doInvite("acme", "ann", "hal", "new2"), nil),
			changes: `+ invitation new2 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending`,
		},
		{
			name: "invite again after accept",
			turns: after(doAccept("to-cyd", "cyd", false), commits,
				doInvite("acme", "olga", "cyd", ""), authdb.ErrAlreadyMember),
			changes: cydAccepted,
		},
		{
			name:  "accept after inviting again",
			turns: after(doInvite("acme", "ann", "cyd", "to-cyd"), commits, doAccept("to-cyd", "cyd", false), nil),
			changes: `
				+ member new2 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd expires_at=06-03T12:00:00 inviter_id=ann status=accepted team_id=NULL`,
		},
		{
			name:  "removing the inviter waits for the invitation",
			turns: after(doInvite("acme", "ann", "hal", "new1"), commits, doRemoveMember("acme", "acme-ann"), nil),
			changes: `
				+ invitation new1 email=hal@x.io expires_at=06-03T12:00:00 inviter_id=ann organization_id=acme role=member status=pending
				- member acme-ann
				- team_member blue-ann,red-ann
				~ session ann1,ann2 active_organization_id=NULL active_team_id=NULL updated
				~ team blue member_count=0 updated
				~ team red member_count=1 updated`,
		},
		{
			name: "invite after removing the inviter",
			turns: after(doRemoveMember("acme", "acme-ann"), commits,
				doInvite("acme", "ann", "hal", ""), authdb.ErrNotMember),
			changes: annRemoved,
		},
		{
			name:  "changing the address waits for accept",
			turns: after(doAccept("to-cyd", "cyd", false), commits, doSetEmail("cyd", "new", true), nil),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				+ team_member 334fa4d2cc1db55760b2efde623f5e35 team_id=red user_id=cyd
				~ invitation to-cyd status=accepted
				~ invitation to-cyd-2 status=canceled
				~ team red member_count=3 updated
				~ user cyd email=new@x.io updated`,
		},
		{
			name:  "accept while the address is changed",
			turns: after(doSetEmail("cyd", "new", true), commits, doAccept("to-cyd", "cyd", false), authdb.ErrNotRecipient),
			changes: `
				~ invitation to-cyd,to-cyd-2 status=canceled
				~ user cyd email=new@x.io updated`,
		},
		{
			name: "deleting an organization waits for an invitation",
			turns: after(doInvite("globex", "otto", "hal", "new1"), commits,
				doDeleteOrganization("globex", "bob2 bob3 otto1"), nil),
			changes: globexDeleted,
		},
		{
			name: "invite after deleting the organization",
			turns: after(doDeleteOrganization("globex", "bob2 bob3 otto1"), commits,
				doInvite("globex", "otto", "hal", ""), authdb.ErrNotMember),
			changes: globexDeleted,
		},
		{
			name: "deleting an organization waits for accept",
			turns: after(doAccept("to-cyd-2", "cyd", false), commits,
				doDeleteOrganization("globex", "bob2 bob3 otto1"), nil),
			changes: globexDeleted,
		},
		{
			name: "accept after deleting the organization",
			turns: after(doDeleteOrganization("globex", "bob2 bob3 otto1"), commits,
				doAccept("to-cyd-2", "cyd", false), authdb.ErrNotFound),
			changes: globexDeleted,
		},
		{
			name: "deleting a user waits for accept",
			turns: after(doAccept("to-cyd", "cyd", false), commits,
				doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), nil),
			changes: `
				- user cyd
				~ invitation to-cyd status=accepted
				~ team red updated`,
		},
		{
			name: "accept after deleting the user",
			turns: after(doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), commits,
				doAccept("to-cyd", "cyd", false), authdb.ErrNotFound),
			changes: `- user cyd`,
		},
		{
			name: "deleting a user whose seat was left over, who accepts",
			given: `INSERT INTO team_member (id, team_id, user_id) VALUES ('red-cyd', 'red', 'cyd');
				UPDATE team SET member_count = 3 WHERE id = 'red'`,
			turns: []turn{
				begins("a"),
				raw("a", `SELECT FROM "user" WHERE id = 'cyd' FOR UPDATE`),
				waits("b", doAccept("to-cyd", "cyd", false), "a"),
				does("a", doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), nil),
				commits("a"),
				ends("b", authdb.ErrNotFound),
			},
			changes: `
				- team_member red-cyd
				- user cyd
				~ team red member_count=2 updated`,
		},
		{
			name: "creating an organization after deleting the user",
			turns: after(doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), commits,
				doCreateOrganization("cyd", "new", true), authdb.ErrReference),
			changes: `- user cyd`,
		},
		{
			name: "deleting a user waits for an organization to be created",
			turns: after(doCreateOrganization("cyd", "new", true), commits,
				doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), authdb.ErrLastOwner),
			changes: `
				+ member new2 organization_id=new1 role=owner user_id=cyd
				+ organization new1 name=New slug=new
				+ team new3 member_count=1 name=New organization_id=new1
				+ team_member new4 team_id=new3 user_id=cyd`,
		},
		{
			name:  "removing a member waits for a team to be joined",
			turns: after(doJoin("acme", "blue", 0, "bob"), commits, doRemoveMember("acme", "acme-bob"), nil),
			changes: `
				- member acme-bob
				- team_member red-bob
				~ session bob-old active_organization_id=NULL updated
				~ session bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob3 active_team_id=NULL updated
				~ team blue updated
				~ team red member_count=1 updated`,
		},
		{
			name: "joining a team after the removal",
			turns: after(doRemoveMember("acme", "acme-bob"), commits,
				doJoin("acme", "blue", 0, "bob"), authdb.ErrNotMember),
			changes: bobRemoved,
		},
		{
			name:  "joining a team after a removal that is rolled back",
			turns: after(doRemoveMember("acme", "acme-bob"), rollsBack, doJoin("acme", "blue", 0, "bob"), nil),
			changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`,
		},
		{name: "accept after deleting the team", turns: after(doDeleteTeam("acme", "red", false), commits, doAccept("to-cyd", "cyd", false), nil), changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				- team red
				- team_member red-ann,red-bob
				~ invitation to-cyd status=accepted team_id=NULL
				~ invitation to-dan team_id=blue
				~ session ann1,bob1,bob3 active_team_id=NULL updated`},
		{
			name:  "deleting a team waits for accept",
			turns: after(doAccept("to-cyd", "cyd", false), commits, doDeleteTeam("acme", "red", false), nil),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				- team red
				- team_member red-ann,red-bob
				~ invitation to-cyd status=accepted
				~ invitation to-dan team_id=blue
				~ session ann1,bob1,bob3 active_team_id=NULL updated`,
		},
		{
			name: "joining a team after its deletion",
			turns: after(doDeleteTeam("acme", "blue", false), commits,
				doJoin("acme", "blue", 0, "bob"), authdb.ErrNotFound),
			changes: blueDeleted,
		},
		{
			name:    "deleting a team waits for it to be joined",
			turns:   after(doJoin("acme", "blue", 0, "bob"), commits, doDeleteTeam("acme", "blue", false), nil),
			changes: blueDeleted,
		},
		{
			name: "deleting two teams",
			turns: after(doDeleteTeam("acme", "blue", false), commits,
				doDeleteTeam("acme", "red", false), authdb.ErrLastTeam),
			changes: blueDeleted,
		},
		{
			name: "joining the last seat",
			turns: after(doJoin("acme", "blue", 2, "bob"), commits,
				doJoin("acme", "blue", 2, "olga"), authdb.ErrLimitReached),
			changes: `
				+ team_member new1 team_id=blue user_id=bob
				~ team blue member_count=2 updated`,
		},
		{
			name: "adding the last member",
			turns: after(doAddMember("acme", "cyd", 4), commits,
				doAddMember("acme", "dan", 4), authdb.ErrLimitReached),
			changes: `
				+ member new1 organization_id=acme role=member user_id=cyd
				~ invitation to-cyd status=canceled`,
		},
		{
			name:    "adding the last team",
			turns:   after(doCreateTeam("acme", 3), commits, doCreateTeam("acme", 3), authdb.ErrLimitReached),
			changes: `+ team new1 member_count=0 name=New organization_id=acme`,
		},
		{
			name: "accepting the last place",
			turns: after(doAddMember("acme", "dan", 4), commits,
				doAccept("to-cyd", "cyd", false, within(4, 0)), authdb.ErrLimitReached),
			changes: `
				+ member new1 organization_id=acme role=member user_id=dan
				~ invitation to-dan status=canceled`,
		},
		{
			name:  "two owners leave",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doLeave("acme", "olga"), commits, doLeave("acme", "ann"), authdb.ErrLastOwner),
			changes: `
				- member acme-olga
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name:    "two owners leave, the first not after all",
			given:   "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns:   after(doLeave("acme", "olga"), rollsBack, doLeave("acme", "ann"), nil),
			changes: annRemoved,
		},
		{
			name:  "an owner leaves, the other is demoted",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doLeave("acme", "olga"), commits,
				doSetRole("acme", "acme-ann", "member"), authdb.ErrLastOwner),
			changes: `
				- member acme-olga
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name:  "an owner is demoted, the other leaves",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doSetRole("acme", "acme-ann", "member"), commits,
				doLeave("acme", "olga"), authdb.ErrLastOwner),
			changes: `~ member acme-ann role=member`,
		},
		{
			name:  "two owners are demoted",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doSetRole("acme", "acme-ann", "member"), commits,
				doSetRole("acme", "acme-olga", "member"), authdb.ErrLastOwner),
			changes: `~ member acme-ann role=member`,
		},
		{
			name:  "an owner leaves while a server removes the other, which commits",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: []turn{
				begins("a"),
				raw("a", "DELETE FROM member WHERE id = 'acme-ann'"),
				waits("b", doLeave("acme", "olga"), "a"),
				commits("a"),
				ends("b", authdb.ErrLastOwner),
			},
			changes: `- member acme-ann`,
		},
		{
			name:  "an owner leaves while a server removes the other, which rolls back",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: []turn{
				begins("a"),
				raw("a", "DELETE FROM member WHERE id = 'acme-ann'"),
				waits("b", doLeave("acme", "olga"), "a"),
				rollsBack("a"),
				ends("b", nil),
			},
			changes: `
				- member acme-olga
				~ session olga1 active_organization_id=NULL updated`,
		},
		{
			name:  "an owner is deleted, the other leaves",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doDeleteUser("olga", authdb.DeleteUserParams{}, "olga1", ""), commits,
				doLeave("acme", "ann"), authdb.ErrLastOwner),
			changes: olgaDeleted,
		},
		{
			name:  "an owner leaves, the other is deleted",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doLeave("acme", "ann"), commits,
				doDeleteUser("olga", authdb.DeleteUserParams{}, "", ""), authdb.ErrLastOwner),
			changes: annRemoved,
		},
		{
			name:  "two owners are deleted",
			given: "UPDATE member SET role = 'owner' WHERE id = 'acme-ann'",
			turns: after(doDeleteUser("olga", authdb.DeleteUserParams{}, "olga1", ""), commits,
				doDeleteUser("ann", authdb.DeleteUserParams{}, "", ""), authdb.ErrLastOwner),
			changes: olgaDeleted,
		},
		{
			name: "a member is removed and its user deleted",
			turns: after(doRemoveMember("acme", "acme-bob"), commits,
				doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), nil),
			changes: bobDeleted,
		},
		{
			name: "a user is deleted and its member removed",
			turns: after(doDeleteUser("bob", authdb.DeleteUserParams{}, "bob-old bob1 bob2 bob3", ""), commits,
				doRemoveMember("acme", "acme-bob"), authdb.ErrNotFound),
			changes: bobDeleted,
		},
		{
			name:    "two users link one identity",
			turns:   after(doLink("ann", "104", "new"), commits, doLink("bob", "104", "new"), authdb.ErrAccountTaken),
			changes: `+ account new1 access_token=new account_id=104 provider_id=github user_id=ann`,
		},
		{
			name:    "two users link one identity, the first not after all",
			turns:   after(doLink("ann", "104", "new"), rollsBack, doLink("bob", "104", "new"), nil),
			changes: `+ account new2 access_token=new account_id=104 provider_id=github user_id=bob`,
		},
		{
			name:    "a user links an identity twice",
			turns:   after(doLink("ann", "104", "new"), commits, doLink("ann", "104", "newer"), nil),
			changes: `+ account new1 access_token=newer account_id=104 provider_id=github user_id=ann`,
		},
		{
			name: "two accounts are unlinked",
			turns: after(doUnlink("bob", "bob-github", false), commits,
				doUnlink("bob", "bob-password", false), authdb.ErrLastAccount),
			changes: `- account bob-github`,
		},
		{
			name: "two accounts are unlinked, the first not after all",
			turns: after(doUnlink("bob", "bob-github", false), rollsBack,
				doUnlink("bob", "bob-password", false), nil),
			changes: `- account bob-password`,
		},
		{
			name:    "a verification is consumed twice",
			turns:   after(doConsume("reset", "reset-a"), commits, doConsume("reset", ""), authdb.ErrNotFound),
			changes: `- verification reset-a,reset-b`,
		},
		{
			name:    "a verification is consumed after all",
			turns:   after(doConsume("reset", "reset-a"), rollsBack, doConsume("reset", "reset-a"), nil),
			changes: `- verification reset-a,reset-b`,
		},
		{
			name: "a code is right after a wrong guess",
			turns: []turn{
				begins("a"),
				does("a", doGuess("code", "111111"), authdb.ErrWrongCode),
				waits("b", doGuess("code", "123456"), "a"),
				commits("a"),
				ends("b", nil),
			},
			changes: `- verification code-a,code-b`,
		},
		{
			name: "two wrong guesses are two",
			turns: []turn{
				begins("a"),
				does("a", doGuess("code", "111111"), authdb.ErrWrongCode),
				waits("b", doGuess("code", "222222"), "a"),
				waits("c", doGuess("code", "123456"), "b"),
				commits("a"),
				ends("b", authdb.ErrWrongCode),
				ends("c", authdb.ErrTooManyAttempts),
			},
			changes: `~ verification code-a updated value=123456:3`,
		},
		{
			name:    "a right code is right once",
			turns:   after(doGuess("code", "123456"), commits, doGuess("code", "123456"), authdb.ErrNotFound),
			changes: `- verification code-a,code-b`,
		},
		{
			name: "deleting an owner with the organization waits for it to be active",
			turns: after(doActivate("bob", "bob1", "globex"), commits,
				doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"), nil),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob,gold-otto
				- user otto
				~ session bob1,bob2,bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "making an organization active after deleting its owner with it",
			turns: after(doDeleteUser("otto", authdb.DeleteUserParams{DeleteOrganizations: true}, "otto1", "globex"), commits,
				doActivate("bob", "bob1", "globex"), authdb.ErrNotMember),
			changes: `
				- invitation to-cyd-2,to-fay-2
				- member globex-bob,globex-otto
				- organization globex
				- session otto1
				- team gold
				- team_member gold-bob,gold-otto
				- user otto
				~ session bob2,bob3 active_organization_id=NULL active_team_id=NULL updated`,
		},
		{
			name: "deleting an owner with the organization waits for a team to be active",
			turns: after(doActivateTeam("ann", "ann1", "blue"), commits,
				doDeleteUser("olga", authdb.DeleteUserParams{DeleteOrganizations: true}, "olga1", "acme"), nil),
			changes: `
				- account olga-password
				- invitation to-ann,to-cyd,to-dan,to-eve,to-fay,to-gil,to-gil-2
				- member acme-ann,acme-bob,acme-olga
				- organization acme
				- session olga1
				- team blue,red
				- team_member blue-ann,red-ann,red-bob
				- user olga
				~ session ann1,ann2,bob1 active_organization_id=NULL active_team_id=NULL updated
				~ session bob-old active_organization_id=NULL updated`,
		},
		{
			name: "a successor is deleted",
			turns: after(doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), commits,
				doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "", ""), authdb.ErrReference),
			changes: `- user cyd`,
		},
		{
			name: "deleting a successor waits for the inheritance",
			turns: after(doDeleteUser("olga", authdb.DeleteUserParams{SuccessorID: "cyd"}, "olga1", "acme"), commits,
				doDeleteUser("cyd", authdb.DeleteUserParams{}, "", ""), authdb.ErrLastOwner),
			changes: `
				+ member a62bd0f640dac9384718944f3d5a3c4f organization_id=acme role=owner user_id=cyd
				- account olga-password
				- invitation to-ann,to-cyd,to-eve,to-fay,to-gil,to-gil-2
				- member acme-olga
				- session olga1
				- user olga`,
		},
	}
}
