package relations_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/authdbtest"
	"github.com/zerostarter/authdb/internal/kit"
)

// places says in which of two organizations a load saw the member and the invitation that move together: one letter
// for each time.
type places struct{ member, invitation string }

// whole reports whether both were seen once, in the same organization.
func (p places) whole() bool { return p.member == p.invitation && (p.member == "A" || p.member == "B") }

// prepare returns a load of two organizations.
type prepare func(store *authdb.Store, orgs []authdb.Organization) (load func(context.Context) (places, error))

// observe loads from several goroutines, n times in all, while a writer moves a member and an invitation between two
// organizations, back and forth in one transaction each. It returns how many loads saw anything but a whole move, ten
// being enough, and how many moves there were.
func observe(t *testing.T, n int64, prepare prepare) (torn, moves int64) {
	t.Helper()
	store := authdbtest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	orgs := []authdb.Organization{authdbtest.Organization(t, store), authdbtest.Organization(t, store)}
	member := authdbtest.Member(t, store, func(p *authdb.CreateMemberParams) { p.OrganizationID = orgs[0].ID })
	invitation := authdbtest.Invitation(t, store, func(p *authdb.CreateInvitationParams) {
		p.OrganizationID, p.InviterID = orgs[0].ID, member.UserID
	})
	kit.Exec(t, store, `DELETE FROM member WHERE role = 'owner'`)
	load := prepare(store, orgs)

	move := func(to string) error {
		return pgx.BeginFunc(ctx, store.Pool(), func(tx pgx.Tx) error {
			_, err1 := tx.Exec(ctx, `UPDATE member SET organization_id = $1 WHERE id = $2`, to, member.ID)
			_, err2 := tx.Exec(ctx, `UPDATE invitation SET organization_id = $1 WHERE id = $2`, to, invitation.ID)
			return errors.Join(err1, err2)
		})
	}
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			if err := move(orgs[(moves+1)%2].ID); err != nil && ctx.Err() == nil {
				t.Errorf("move: %v", err)
				return
			}
			moves++
		}
	})
	var loaded, broken atomic.Int64
	for range 3 {
		readers.Go(func() {
			for loaded.Add(1) <= n && broken.Load() < 10 {
				seen, err := load(ctx)
				if err != nil {
					t.Errorf("load: %v", err)
					return
				}
				if !seen.whole() {
					broken.Add(1)
				}
			}
		})
	}
	readers.Wait()
	stop()
	writer.Wait()
	return broken.Load(), moves
}

// TestLoadShowsOneMoment: of two relations that change together, no load ever sees one before and one after. The same
// two queries without a snapshot do, which proves that the harness can see it.
func TestLoadShowsOneMoment(t *testing.T) {
	t.Parallel()
	const loads = 10_000
	loadMany := func(store *authdb.Store, orgs []authdb.Organization) func(context.Context) (places, error) {
		with := authdb.OrganizationWith{Members: authdb.All(), Invitations: authdb.All()}
		return func(ctx context.Context) (seen places, err error) {
			full, err := store.Organizations.Load(ctx, orgs, with)
			for i, org := range full {
				for range org.Members {
					seen.member += "AB"[i : i+1]
				}
				for range org.Invitations {
					seen.invitation += "AB"[i : i+1]
				}
			}
			return seen, err
		}
	}
	// Each pipelined too, but in READ COMMITTED: a snapshot for each statement.
	batch := func(store *authdb.Store, orgs []authdb.Organization) func(context.Context) (places, error) {
		return func(ctx context.Context) (seen places, err error) {
			batch := &pgx.Batch{}
			for relation, place := range map[string]*string{"member": &seen.member, "invitation": &seen.invitation} {
				batch.Queue(fmt.Sprintf(`SELECT coalesce(string_agg(CASE organization_id WHEN $1 THEN 'A' ELSE 'B' END, ''), '')
					FROM %s WHERE organization_id = ANY($2)`, relation), orgs[0].ID, []string{orgs[0].ID, orgs[1].ID},
				).QueryRow(func(row pgx.Row) error { return row.Scan(place) })
			}
			return seen, store.Pool().SendBatch(ctx, batch).Close()
		}
	}
	for name, test := range map[string]struct {
		prepare prepare
		torn    bool
	}{
		"Load":               {loadMany, false},
		"without a snapshot": {batch, true},
	} {
		t.Run(name, func(t *testing.T) {
			torn, moves := observe(t, loads, test.prepare)
			if t.Logf("%d moves, %d loads saw one half done", moves, torn); (torn > 0) != test.torn {
				t.Errorf("%d loads of up to %d saw a move half done; want any: %v", torn, loads, test.torn)
			}
			if !test.torn && moves < 100 {
				t.Errorf("%d moves are too few to see anything", moves)
			}
		})
	}
}
