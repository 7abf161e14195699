// Package sqlc shows a project with tables and sqlc queries of its own beside authdb: both in one transaction, and its
// queries join authdb's tables. billing is what sqlc makes of queries.sql.
package sqlc

import (
	"context"

	"github.com/zerostarter/authdb"
	"github.com/zerostarter/authdb/examples/sqlc/billing"
)

// SignUp makes a user, the user's organization and the customer that it becomes: all three or none. What fails for a
// reason that may pass is tried again, whichever of them it is.
func SignUp(
	ctx context.Context, store *authdb.Store, user authdb.CreateUserParams, slug, plan string, seats int32,
) (owner authdb.User, err error) {
	err = store.InTx(ctx, func(tx *authdb.Store) error {
		owner, err = tx.Users.Create(ctx, user)
		if err != nil {
			return err
		}
		org, err := tx.Organizations.Create(ctx, authdb.CreateOrganizationParams{Name: slug, Slug: slug, OwnerID: owner.ID})
		if err != nil {
			return err
		}
		return billing.New(tx.Tx()).CreateCustomer(ctx, billing.CreateCustomerParams{
			OrganizationID: org.ID, Plan: plan, Seats: seats,
		})
	})
	return owner, err
}
