-- Empties what is personal in one month's receipts of these attempts, and in those that only name one of these phones.
-- It reads the month: no index has phones, and a person is erased seldom.
UPDATE receipts SET raw = NULL, phone = NULL
WHERE in_month = %(in_month)s::date AND (raw IS NOT NULL OR phone IS NOT NULL)
  AND (attempt_id = ANY (%(attempt_ids)s::bigint[]) OR phone = ANY (%(phones)s::text[]))
