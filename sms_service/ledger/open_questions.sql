-- Opens the questions that these runs ask, which are being launched, and names them on the runs. A run that reminds
-- names the question of which it reminds: of another campaign (`same_as`), or that of another item of its own
-- (`of_item`). A run that is launched again, since it was held before its freeze, finds its question open.
WITH asking AS (
    SELECT id, campaign_id, item, firing, unit_path, launched_at, asks FROM runs
    WHERE id = ANY (%(run_ids)s::bigint[]) AND asks IS NOT NULL AND question_id IS NULL
),
opened AS (
    INSERT INTO questions (campaign_id, item, firing, unit_path, kind, asks, opened_at, closes_at)
    SELECT campaign_id, item, firing, unit_path, asks ->> 'kind', asks, launched_at,
           coalesce((asks ->> 'closes_at')::timestamptz, launched_at + make_interval(hours => (asks ->> 'hours')::int))
    FROM asking WHERE asks ? 'kind'
    ON CONFLICT (campaign_id, item, firing) DO NOTHING
    RETURNING id, campaign_id, item, firing
)
UPDATE runs r
SET question_id = coalesce(
    (a.asks ->> 'same_as')::bigint,
    (SELECT o.id FROM opened o WHERE o.campaign_id = a.campaign_id AND o.item = a.item AND o.firing = a.firing),
    (SELECT q.id FROM questions q WHERE q.campaign_id = a.campaign_id
     AND q.item = coalesce((a.asks ->> 'of_item')::int, a.item) AND (a.asks ? 'of_item' OR q.firing = a.firing)
     ORDER BY q.firing DESC LIMIT 1))
FROM asking a
WHERE r.id = a.id
