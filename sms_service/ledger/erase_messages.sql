-- Empties what is personal in rows that no hand-over needs any more; what is counted stays. The carrier is among it: rows
-- of before it was kept have it in the phone alone.
UPDATE messages SET phone = NULL, text = NULL, values = NULL, carrier = coalesce(carrier, carrier_of(phone))
WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND status NOT IN ('pending', 'claimed', 'submitting')
