-- Empties one month's receipts of these attempts.
UPDATE receipts SET raw = NULL, phone = NULL
WHERE in_month = %(in_month)s::date AND attempt_id = ANY (%(attempt_ids)s::bigint[])
  AND (raw IS NOT NULL OR phone IS NOT NULL)
