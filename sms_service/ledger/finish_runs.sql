-- A run of one month is finished when no row waits to leave, and closed when none is accepted or unknown any more. A
-- run of which nothing is awaited goes both steps in two calls. The first waiting row is asked for in the order of
-- its index: statistics that still say "nearly all wait" would make the planner read the month to find that none
-- does.
UPDATE runs r
SET status = CASE r.status WHEN 'running' THEN 'finished' ELSE 'closed' END,
    finished_at = CASE r.status WHEN 'running' THEN sms_now() ELSE r.finished_at END,
    closed_at = CASE r.status WHEN 'finished' THEN sms_now() END
WHERE r.month = %(month)s::date
  AND ((r.status = 'running'
       AND (
           SELECT m.id FROM messages m WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending'
           ORDER BY m.not_before, m.id LIMIT 1) IS NULL
       AND NOT EXISTS (
           SELECT FROM messages m WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status IN ('claimed', 'submitting')))
    OR (r.status = 'finished' AND r.look_at <= sms_now()
       AND NOT EXISTS (
           SELECT FROM messages m WHERE m.month = %(month)s::date AND m.run_id = r.id AND m.status IN ('accepted', 'unknown'))))
RETURNING r.id, r.status
