-- Takes due runs out of `planned`, once, and fixes what every row of the run gets: its unit's place, its local day,
-- its month, its end. A run that missed its time by more than the grace is held until a person decides; it is not sent
-- late. Every worker and the clock run this; none waits for another that is doing it at this moment.
WITH due AS (
    SELECT id FROM runs WHERE status = 'planned' AND due_at <= sms_now() FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE runs r
SET status = CASE WHEN r.due_at < sms_now() - make_interval(mins => %(grace_min)s::int) THEN 'held' ELSE 'freezing' END,
    reason = CASE WHEN r.due_at < sms_now() - make_interval(mins => %(grace_min)s::int) THEN 'its time was missed' END,
    reason_message = CASE WHEN r.due_at < sms_now() - make_interval(mins => %(grace_min)s::int)
        THEN '{"message": "its time was missed", "values": {}}'::jsonb END,
    held_for = CASE WHEN r.due_at < sms_now() - make_interval(mins => %(grace_min)s::int) THEN 'missed' END,
    launched_at = sms_now(),
    watched_from = sms_now(),
    expires_at = sms_now() + make_interval(secs => r.validity_s),
    day = (sms_now() AT TIME ZONE u.timezone)::date,
    month = date_trunc('month', sms_now() AT TIME ZONE u.timezone)::date,
    unit_path = u.path,
    demonstration = u.demonstration
FROM due, units u
WHERE r.id = due.id AND u.id = r.unit_id AND r.status = 'planned' AND r.due_at <= sms_now()
RETURNING r.id, r.status, r.asks IS NOT NULL AS asks
