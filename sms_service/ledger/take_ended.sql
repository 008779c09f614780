-- The runs whose reservations are to become what was sent, locked before these, as a freeze does it. A run that somebody
-- lets go again at this moment is locked and left to him; what he does reserves anew.
SELECT r.id AS run_id, r.month
FROM quota_reservations q
JOIN runs r ON r.id = q.run_id
WHERE q.look_at <= sms_now() AND r.status IN ('finished', 'closed', 'cancelled')
ORDER BY q.look_at, r.id
LIMIT %(most)s::int
FOR NO KEY UPDATE OF r SKIP LOCKED
