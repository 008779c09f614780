-- Joins a long inbound text if all its parts are there: the row of the first gets the whole text, the others name it. The parts are
-- those of a day, since the series' numbers come again. What the whole answers is decided anew, since it may mean what no
-- part does. The caller holds the phone's lock.
WITH parts AS MATERIALIZED (
    SELECT DISTINCT ON (part) id, part, parts, text
    FROM replies
    WHERE account_id = %(account_id)s::bigint AND (phone = %(phone)s::text OR (phone IS NULL AND sender = %(sender)s::text)) AND series = %(series)s AND parts = %(parts)s::smallint AND parts > 1
      AND joined_to IS NULL AND received_at > sms_now() - interval '1 day'
    ORDER BY part, id DESC
),
whole AS (
    SELECT min(id) FILTER (WHERE part = 1) AS id, string_agg(text, '' ORDER BY part) AS text
    FROM parts
    HAVING count(*) = %(parts)s::int
)
UPDATE replies r
SET text = CASE WHEN r.id = w.id THEN w.text ELSE r.text END,
    series = CASE WHEN r.id = w.id THEN NULL ELSE r.series END,
    joined_to = CASE WHEN r.id = w.id THEN NULL ELSE w.id END,
    matched_at = CASE WHEN r.id = w.id THEN NULL ELSE r.matched_at END
FROM whole w, parts p
WHERE r.id = p.id
RETURNING r.id, r.text, r.id = w.id AS is_whole
