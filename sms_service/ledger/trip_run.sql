-- The breaker of a run: holds it if too many of its last texts were refused or are unknown, whatever the reason. A
-- person decides then.
WITH last AS (
    SELECT sum(texts) AS texts, sum(bad) AS bad
    FROM (
        SELECT t.texts, t.unknown + t.refused AS bad, sum(t.texts) OVER (ORDER BY t.id DESC) - t.texts AS newer
        FROM (
            SELECT t.* FROM tallies t JOIN runs r ON r.id = t.run_id
            WHERE t.run_id = %(run_id)s::bigint AND t.at >= r.watched_from
            ORDER BY t.id DESC LIMIT %(texts)s::int
        ) AS t
    ) AS counted
    WHERE newer < %(texts)s::int
)
UPDATE runs r
SET status = 'held',
    held_for = 'breaker',
    reason = format('%%s of its last %%s texts were refused or unknown', last.bad, last.texts),
    reason_message = jsonb_build_object(
        'message', '{bad} of its last {texts} texts were refused or unknown',
        'values', jsonb_build_object('bad', last.bad, 'texts', last.texts))
FROM last
WHERE r.id = %(run_id)s::bigint AND r.status = 'running'
  AND last.texts >= %(least)s::int AND last.bad >= %(bad_share)s::float * last.texts
RETURNING r.reason
