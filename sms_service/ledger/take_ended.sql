-- The runs whose reservations are to become what was sent, locked before these, as a freeze does it. A run that somebody
-- lets go again at this moment is locked and left to him; what he does reserves anew. The few that are due are taken
-- first: the planner would otherwise read all runs that ever ended.
WITH due AS MATERIALIZED (
    SELECT run_id FROM quota_reservations WHERE look_at <= sms_now() ORDER BY look_at, run_id LIMIT %(most)s::int
)
SELECT r.id AS run_id, r.month
FROM due
JOIN runs r ON r.id = due.run_id
WHERE r.status IN ('finished', 'closed', 'cancelled')
ORDER BY r.id
FOR NO KEY UPDATE OF r SKIP LOCKED
