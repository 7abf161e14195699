-- name: CreateCustomer :exec
INSERT INTO customer (organization_id, plan, seats) VALUES ($1, $2, $3);

-- name: ListCustomersOfUser :many
SELECT organization.slug, member.role, customer.plan, customer.seats
FROM member
JOIN organization ON organization.id = member.organization_id
JOIN customer ON customer.organization_id = organization.id
WHERE member.user_id = $1
ORDER BY organization.slug;
