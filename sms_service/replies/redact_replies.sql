-- Empties old replies of one month, except those that wait for their text or for a person. With `raw_only` the record as
-- it came alone; what it says stays.
UPDATE replies
SET phone = CASE WHEN %(raw_only)s::boolean THEN phone END, sender = CASE WHEN %(raw_only)s::boolean THEN sender END,
    text = CASE WHEN %(raw_only)s::boolean THEN text END, raw = NULL,
    fingerprint = CASE WHEN %(raw_only)s::boolean THEN fingerprint END
WHERE in_month = %(in_month)s::date AND id = ANY (%(ids)s::bigint[])
  AND (%(raw_only)s::boolean OR (matched_at IS NOT NULL AND coalesce(inbox_status, '') NOT IN ('unread', 'assigned')))
RETURNING id
