-- The parts of a long inbound text, if all are there. Only parts of one day count, since a phone uses the series'
-- numbers again. `text` is the whole, and `whole_id` the row of the first part. It only reads, since the parts may
-- have come in two months (tests/db/test_shapes.py); the caller holds the phone's lock.
WITH parts AS MATERIALIZED (
    SELECT DISTINCT ON (part) in_month, id, part, text
    FROM replies
    WHERE in_month >= date_trunc('month', sms_now() - interval '1 day')::date
      AND account_id = %(gateway_account_id)s::bigint
      AND (phone = %(phone)s::text OR (phone IS NULL AND sender = %(sender)s::text))
      AND series = %(series)s AND parts = %(parts)s::smallint AND parts > 1
      AND joined_to IS NULL AND received_at > sms_now() - interval '1 day'
    ORDER BY part, id DESC
)
SELECT p.in_month, p.id, w.whole_id, w.text
FROM (
    SELECT min(id) FILTER (WHERE part = 1) AS whole_id, string_agg(text, '' ORDER BY part) AS text
    FROM parts
    HAVING count(*) = %(parts)s::int
) w
CROSS JOIN parts p
ORDER BY p.in_month, p.id
