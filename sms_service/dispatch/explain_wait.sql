-- What of one run could not leave now, and why: what runnable.sql asks of the run, what gate.sql asks of each
-- recipient's unit, apart instead of as one yes or no. Of the rows it looks at the first hundred in the order in which
-- they would be claimed (of the canary, while there is one): if none of these may leave, the reasons of these are
-- the run's.
WITH standing AS MATERIALIZED (
    SELECT s.id, s.why, s.stopped_at, su.path, su.name
    FROM stops s JOIN units su ON su.id = s.unit_id
    WHERE s.released_at IS NULL
),
run AS MATERIALIZED (
    SELECT r.id, r.month, r.unit_path, r.canary, u.path, r.class, r.kind,
           window_is_open(u.timezone, u.window_opens, u.window_closes) AS window_open,
           name_quiet_day(u.path, (sms_now() AT TIME ZONE u.timezone)::date, r.class, r.kind) AS quiet,
           next_opening(u.path, u.timezone, u.window_opens, r.class, r.kind) AS opens_at
    FROM runs r JOIN units u ON u.id = r.unit_id
    WHERE r.id = %(run_id)s::bigint
),
stop AS MATERIALIZED (
    SELECT s.* FROM standing s, run r WHERE r.path ^@ s.path OR r.unit_path ^@ s.path ORDER BY s.id LIMIT 1
),
first AS MATERIALIZED (
    SELECT m.not_before, m.reason, u.path, m.unit_path,
           window_is_open(u.timezone, u.window_opens, u.window_closes)
           AND NOT is_quiet(u.path, u.timezone, r.class, r.kind) AS window_open,
           next_opening(u.path, u.timezone, u.window_opens, r.class, r.kind) AS opens_at
    FROM run r CROSS JOIN (
        (SELECT m.not_before, m.id, m.reason, m.unit_id, m.unit_path
         FROM run r, messages m
         WHERE r.canary IS NULL AND m.month = %(month)s::date AND m.run_id = r.id AND m.status = 'pending'
         ORDER BY m.not_before, m.id LIMIT 100)
        UNION ALL
        (SELECT m.not_before, m.id, m.reason, m.unit_id, m.unit_path
         FROM run r, messages m
         WHERE m.month = %(month)s::date AND m.id = ANY (r.canary) AND m.status = 'pending')
    ) m
    JOIN units u ON u.id = m.unit_id
),
judged AS MATERIALIZED (
    SELECT f.*, s.id AS stop_id, f.not_before <= sms_now() AS due
    FROM first f
    LEFT JOIN LATERAL (
        SELECT s.id FROM standing s WHERE f.path ^@ s.path OR f.unit_path ^@ s.path ORDER BY s.id LIMIT 1
    ) s ON true
),
seen AS (
    SELECT count(*) FILTER (WHERE due AND window_open AND stop_id IS NULL) AS free,
           min(opens_at) FILTER (WHERE NOT window_open) AS opens_at,
           min(stop_id) AS stop_id,
           min(not_before) FILTER (WHERE NOT due AND window_open AND stop_id IS NULL) AS not_before,
           bool_and(reason = 'rate') FILTER (WHERE NOT due AND window_open AND stop_id IS NULL) AS throttled,
           bool_or(reason IS NOT NULL) FILTER (WHERE NOT due AND window_open AND stop_id IS NULL) AS answered
    FROM judged
),
waits AS (
    -- In the order of the index: see finish_runs.sql.
    SELECT (SELECT m.id FROM messages m
            WHERE m.month = %(month)s::date AND m.run_id = %(run_id)s::bigint AND m.status = 'pending'
            ORDER BY m.not_before, m.id LIMIT 1) IS NOT NULL AS some
)
SELECT sms_now() AS at, cluster_is_known() AS known, r.window_open, r.quiet, r.opens_at, w.some AS waits, e.free,
       e.opens_at AS first_opens_at, e.not_before, e.throttled, e.answered,
       s.name AS stopped_unit, s.why AS stop_why, s.id AS stop_id,
       t.name AS first_stopped_unit, t.why AS first_stop_why, t.id AS first_stop_id
FROM run r CROSS JOIN seen e CROSS JOIN waits w
LEFT JOIN stop s ON true
LEFT JOIN standing t ON t.id = e.stop_id
