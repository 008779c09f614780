-- Empties what is personal in rows that no hand-over needs any more; what is counted stays.
UPDATE messages SET phone = NULL, text = NULL, values = NULL
WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND status NOT IN ('pending', 'claimed', 'submitting')
