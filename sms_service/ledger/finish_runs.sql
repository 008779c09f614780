-- A run is finished when no row waits to leave, and closed when none is accepted or unknown any more. A run of which nothing is
-- awaited goes both steps in two calls.
UPDATE runs r
SET status = CASE r.status WHEN 'running' THEN 'finished' ELSE 'closed' END,
    finished_at = CASE r.status WHEN 'running' THEN sms_now() ELSE r.finished_at END,
    closed_at = CASE r.status WHEN 'finished' THEN sms_now() END
WHERE (r.status = 'running'
       AND NOT EXISTS (SELECT FROM messages m WHERE m.month = r.month AND m.run_id = r.id AND m.status = 'pending')
       AND NOT EXISTS (
           SELECT FROM messages m WHERE m.month = r.month AND m.run_id = r.id AND m.status IN ('claimed', 'submitting')))
   OR (r.status = 'finished'
       AND NOT EXISTS (
           SELECT FROM messages m WHERE m.month = r.month AND m.run_id = r.id AND m.status IN ('accepted', 'unknown')))
RETURNING r.id, r.status
