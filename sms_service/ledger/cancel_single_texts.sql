-- Texts that belong to no campaign are to be emptied: those that wait are not sent. What is claimed stays as it is.
UPDATE messages
SET status = 'cancelled', changed_at = sms_now()
WHERE month = %(month)s::date AND run_id = ANY (%(run_ids)s::bigint[]) AND status = 'pending'
