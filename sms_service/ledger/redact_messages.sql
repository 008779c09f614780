-- Empties what is personal in rows that have not moved since they were found so. The carrier is kept, since counts have
-- it: rows of before it was kept have it in the phone alone.
UPDATE messages
SET phone = NULL, text = NULL, values = NULL, carrier = coalesce(carrier, carrier_of(phone))
WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND status NOT IN ('pending', 'claimed', 'submitting')
  AND changed_at < sms_now() - make_interval(days => CASE WHEN status IN ('accepted', 'unknown') THEN 31 ELSE 14 END)
RETURNING id
