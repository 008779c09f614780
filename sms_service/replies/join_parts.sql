-- Joins the parts of a long inbound text that came in one month (find_parts.sql): the row of the first part gets the
-- whole text, and the others name that row. What the whole text answers is decided again, since it may mean something
-- that no part means. The caller holds the phone's lock.
UPDATE replies r
SET text = CASE WHEN r.id = %(whole_id)s::bigint THEN %(text)s::text ELSE r.text END,
    series = CASE WHEN r.id = %(whole_id)s::bigint THEN NULL ELSE r.series END,
    joined_to = CASE WHEN r.id = %(whole_id)s::bigint THEN NULL ELSE %(whole_id)s::bigint END,
    matched_at = CASE WHEN r.id = %(whole_id)s::bigint THEN NULL ELSE r.matched_at END
WHERE r.in_month = %(in_month)s::date AND r.id = ANY (%(ids)s::bigint[])
