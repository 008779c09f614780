-- A person retries refused rows, or sends unknown ones again: they wait again, with a new validity. The run's row is
-- locked first, in the mode of an update: a cancel that has committed is seen here, and a later cancel waits for this,
-- as the gate does. If an outcome or a receipt is being written to a row at this moment, the row is left out (SKIP
-- LOCKED): the outcome says more than a person could know, and nobody waits for rows, so nobody deadlocks. An unknown
-- attempt is not changed: its receipt may still come, and `delivered` then ends the row, even if it waits to go again.
-- Caps: a refused row gave its place back, an unknown one keeps it.
WITH run AS MATERIALIZED (
    SELECT id, sms_now() + make_interval(secs => validity_s) AS expires_at
    FROM runs
    WHERE id = %(run_id)s::bigint AND month = %(month)s::date AND status IN ('running', 'paused', 'held', 'finished', 'closed')
    FOR NO KEY UPDATE
),
wanted AS MATERIALIZED (
    SELECT m.id, m.status, m.phone IS NULL AS redacted,
           CASE m.status WHEN 'refused' THEN coalesce(m.reason, 'unclassified') ELSE m.status END AS kind
    FROM run r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
    WHERE (%(ids)s::bigint[] IS NULL AND m.status = %(status)s) OR m.id = ANY (%(ids)s::bigint[])
),
free AS MATERIALIZED (
    SELECT m.id
    FROM run r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
    WHERE m.status = %(status)s AND m.phone IS NOT NULL
      AND (%(ids)s::bigint[] IS NULL OR m.id = ANY (%(ids)s::bigint[]))
      AND (m.status <> 'refused' OR coalesce(m.reason, 'unclassified') = ANY (%(classes)s::text[]))
    FOR NO KEY UPDATE OF m SKIP LOCKED
),
moved AS (
    UPDATE messages m
    SET status = 'pending', reason = NULL, raw_code = NULL, account_id = NULL,
        not_before = sms_now(), expires_at = r.expires_at, changed_at = sms_now()
    FROM run r, free f
    WHERE m.month = %(month)s::date AND m.id = f.id AND m.status = %(status)s
    RETURNING m.id
),
reopened AS (
    UPDATE runs
    SET status = CASE WHEN runs.status IN ('finished', 'closed') THEN 'running' ELSE runs.status END,
        expires_at = r.expires_at, finished_at = NULL, closed_at = NULL, look_at = 'epoch', watched_from = sms_now()
    FROM run r
    WHERE runs.id = r.id AND EXISTS (SELECT FROM moved)
)
SELECT w.kind,
       CASE
           WHEN m.id IS NOT NULL THEN NULL
           WHEN w.status <> %(status)s THEN w.status
           WHEN w.status = 'refused' AND w.kind <> ALL (%(classes)s::text[]) THEN w.kind
           WHEN w.redacted THEN 'redacted'
           ELSE 'busy'
       END AS left_for,
       array_agg(w.id ORDER BY w.id) AS ids
FROM wanted w LEFT JOIN moved m ON m.id = w.id
GROUP BY 1, 2
