-- Empties what texts that belong to no campaign said, except of those that are being handed over; what is counted stays.
UPDATE messages
SET text = NULL, values = NULL
WHERE month = %(month)s::date AND run_id = ANY (%(run_ids)s::bigint[]) AND status NOT IN ('pending', 'claimed', 'submitting')
