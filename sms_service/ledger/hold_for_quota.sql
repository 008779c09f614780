-- Holds runs for which a quota has not enough left, unless they are held for something else or not under way any more.
UPDATE runs r
SET status = 'held', held_for = 'quota', reason = h.reason, reason_message = h.message
FROM jsonb_to_recordset(%(held)s::jsonb) AS h (run_id bigint, reason text, message jsonb)
WHERE r.id = h.run_id AND r.status IN ('planned', 'running')
RETURNING r.id
