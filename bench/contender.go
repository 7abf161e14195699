package main

import (
	"context"
	"slices"
	"time"
)

// contender does each workload in the way of one library.
type contender interface {
	// does says whether it has the workload.
	does(w *workload) bool
	// phase does the operation on each input in turn, until the limit is over (0: none), and returns how long each took
	// and the processor time of all.
	phase(ctx context.Context, w *workload, ins []*input, limit time.Duration) ([]time.Duration, time.Duration, error)
	// result does the operation once and returns its rows.
	result(ctx context.Context, w *workload, in *input) (any, error)
	close()
}

// entry is a contender before it has a connection.
type entry struct {
	name  string
	about string // how its users write it
	open  func(ctx context.Context, b *bench, at address) (contender, error)
}

const (
	floorName = "pgx"
	ourName   = "authdb"
)

// jobs are the workloads, each in one method.
type jobs interface {
	authenticate(ctx context.Context, in *input) error
	userByID(ctx context.Context, in *input) error
	userByEmail(ctx context.Context, in *input) error
	userFull(ctx context.Context, in *input) error
	organizationFull(ctx context.Context, in *input) error
	page(ctx context.Context, in *input) error
	createSession(ctx context.Context, in *input) error
	createOrganization(ctx context.Context, in *input) error
	acceptInvitation(ctx context.Context, in *input) error
	changeRole(ctx context.Context, in *input) error
	deleteUser(ctx context.Context, in *input) error
	createSessions(ctx context.Context, in *input) error
	purge(ctx context.Context, in *input) error
}

// peer is a contender in this process.
type peer struct {
	jobs
	only    []string                              // operations; empty: all
	prepare func(w *workload, ins []*input) error // what is not measured; may be nil
	end     func() error
}

func (p *peer) does(w *workload) bool { return len(p.only) == 0 || slices.Contains(p.only, w.op) }
func (p *peer) close()                { _ = p.end() } // nothing comes after it

func (p *peer) phase(
	ctx context.Context, w *workload, ins []*input, limit time.Duration,
) ([]time.Duration, time.Duration, error) {
	if p.prepare != nil {
		if err := p.prepare(w, ins); err != nil {
			return nil, 0, err
		}
	}
	times := make([]time.Duration, 0, len(ins))
	began, cpu := time.Now(), processTime()
	last := began
	for i, in := range ins {
		if err := w.do(p.jobs, ctx, in); err != nil {
			return nil, 0, err
		}
		now := time.Now()
		times = append(times, now.Sub(last))
		last = now
		if limit > 0 && i+1 >= w.least() && now.Sub(began) > limit {
			break
		}
	}
	return times, processTime() - cpu, nil
}

func (p *peer) result(ctx context.Context, w *workload, in *input) (any, error) {
	in.look = true
	_, _, err := p.phase(ctx, w, []*input{in}, 0)
	in.look = false
	return in.rows, err
}
