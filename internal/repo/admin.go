package repo

import (
	"context"
	"slices"
	"time"

	"github.com/zerostarter/authdb/internal/admindb"
	"github.com/zerostarter/authdb/internal/dbgen"
)

// AdministerUser changes a user on behalf of an administrator. A ban ends the user's sessions, which it returns.
func (r *Repo) AdministerUser(
	ctx context.Context, name string, p admindb.AdministerUserParams,
) (ended []dbgen.Session, err error) {
	name = about(ctx, name, p)
	p.Now, p.BanExpires = r.Now(), UTC(p.BanExpires)
	steps := []Step{
		lock((*queries).LockUserAndActor, admindb.LockUserAndActorParams{ID: p.ID, ActorID: p.ActorID}),
		verdict((*queries).AdministerUser, p),
	}
	if p.Banned == nil || !*p.Banned {
		_, err = r.write(ctx, name, Key{}, steps...)
		return nil, err
	}
	list := ask((*queries).ListSessionsOfUser, []string{p.ID}, &ended)
	err = r.writeOnce(ctx, name, Key{}, slices.Insert(steps, 1, list)...)
	return ended, err
}

// Impersonate makes a session of a user for an administrator.
func (r *Repo) Impersonate(
	ctx context.Context, name string, p admindb.ImpersonateParams, lifetime time.Duration,
) (row dbgen.Session, err error) {
	name = about(ctx, name, p)
	now := r.Now()
	p.ID, p.Token, p.Now, p.ExpiresAt = r.idOr(""), r.sources.Token(), now, utc(now.Add(lifetime))
	done, err := r.write(ctx, name, Key{"session", p.ID},
		lock((*queries).LockUserAndActor, admindb.LockUserAndActorParams{ID: p.UserID, ActorID: p.ActorID}),
		verdict((*queries).Impersonate, p), ask((*queries).GetSessionByToken, p.Token, &row))
	if done != "" {
		return Read(ctx, r, name, (*queries).GetSession, dbgen.GetSessionParams{ID: done, UserID: p.UserID})
	}
	return row, err
}

// StopImpersonating ends an impersonating session, and returns the administrator's own.
func (r *Repo) StopImpersonating(
	ctx context.Context, name string, p admindb.StopImpersonatingParams,
) (own dbgen.Session, err error) {
	name = about(ctx, name, p)
	p.Now = r.Now()
	err = r.writeThenRead(ctx, name, ask((*queries).GetSessionByToken, p.OwnToken, &own),
		verdict((*queries).StopImpersonating, p))
	return own, err
}
