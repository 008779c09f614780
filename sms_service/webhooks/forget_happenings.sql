-- Deletes what happened more than so many days ago, with its deliveries, also those that wait: a receiver that was away
-- for so long is not told any more. A limited number at a time, so that no transaction is long.
WITH old AS MATERIALIZED (
    SELECT id FROM happenings
    WHERE at < sms_now() - make_interval(days => %(days)s::int)
    ORDER BY at LIMIT %(size)s::int FOR UPDATE SKIP LOCKED
),
deliveries AS (
    DELETE FROM webhook_deliveries d USING old WHERE d.happening_id = old.id
)
DELETE FROM happenings h USING old WHERE h.id = old.id
