-- name: TakeMark :exec
-- Only one call gets the mark of an id, however late the others come.
INSERT INTO authdb.mark (id, operation, answer, created_at) VALUES (@id, @operation, @answer::text, @now);

-- name: GiveUpMark :exec
-- A mark without an answer: the write of that id can never be applied.
INSERT INTO authdb.mark (id, operation, created_at) VALUES (@id, 'given up', @now) ON CONFLICT DO NOTHING;

-- name: GetMark :one
SELECT * FROM authdb.mark WHERE id = @id;

-- name: AnswerMark :exec
UPDATE authdb.mark SET answer = @answer WHERE id = @id;

-- name: DeleteExpiredMarks :execrows
-- SKIP LOCKED: another purge deletes the rows that it has locked.
DELETE FROM authdb.mark WHERE id = ANY(ARRAY(
    SELECT due.id FROM authdb.mark due
    WHERE due.created_at < @before::timestamp
    ORDER BY due.created_at
    LIMIT (SELECT @row_limit::integer)
    FOR UPDATE SKIP LOCKED
));

-- name: RowExists :one
-- In any scope: the row was made here, and nothing of it is returned.
SELECT (CASE @table_name::text
    WHEN 'user' THEN EXISTS (SELECT 1 FROM "user" r WHERE r.id = @id)
    WHEN 'session' THEN EXISTS (SELECT 1 FROM session r WHERE r.id = @id)
    WHEN 'account' THEN EXISTS (SELECT 1 FROM account r WHERE r.id = @id)
    WHEN 'verification' THEN EXISTS (SELECT 1 FROM verification r WHERE r.id = @id)
    WHEN 'organization' THEN EXISTS (SELECT 1 FROM organization r WHERE r.id = @id)
    WHEN 'member' THEN EXISTS (SELECT 1 FROM member r WHERE r.id = @id)
    WHEN 'team' THEN EXISTS (SELECT 1 FROM team r WHERE r.id = @id)
    WHEN 'team_member' THEN EXISTS (SELECT 1 FROM team_member r WHERE r.id = @id)
    WHEN 'invitation' THEN EXISTS (SELECT 1 FROM invitation r WHERE r.id = @id)
END)::boolean AS found;
