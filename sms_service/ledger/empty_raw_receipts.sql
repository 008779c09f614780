-- Empties these receipts of one month; what they said of which attempt stays.
UPDATE receipts SET raw = NULL, phone = NULL
WHERE in_month = %(in_month)s::date AND id = ANY (%(ids)s::bigint[]) AND (raw IS NOT NULL OR phone IS NOT NULL)
