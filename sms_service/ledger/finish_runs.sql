-- Finishes runs of one month of which no row waits to leave, and closes runs of which no row is accepted or unknown
-- any more. A run of which nothing is awaited takes both steps, in two calls. The first waiting row is read in the
-- order of an index: as long as statistics say that nearly all rows wait, the planner would otherwise read the whole
-- month to find none.
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
