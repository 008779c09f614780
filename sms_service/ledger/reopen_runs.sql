-- Takes back what finish_runs did too early. If a person's retry committed while finish_runs waited for the run's row,
-- finish_runs did not see it. This later statement of the same transaction does, and the lock on the run's row lets no
-- further retry in.
UPDATE runs r
SET status = 'running', finished_at = NULL, closed_at = NULL, look_at = 'epoch'
WHERE r.id = ANY (%(ids)s::bigint[]) AND r.month = %(month)s::date
  AND EXISTS (SELECT FROM messages m WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending')
RETURNING r.id
