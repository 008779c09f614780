-- Takes back what finish_runs did too early. A person's retry that committed while finish_runs waited for the run's
-- row was not in its snapshot; this later statement of the same transaction sees it, and the lock on the run's row
-- keeps further ones out.
UPDATE runs r
SET status = 'running', finished_at = NULL, closed_at = NULL, look_at = 'epoch'
WHERE r.id = ANY (%(ids)s::bigint[]) AND r.month = %(month)s::date
  AND EXISTS (SELECT FROM messages m WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending')
RETURNING r.id
