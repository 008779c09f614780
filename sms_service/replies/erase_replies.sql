-- Empties what is personal in one month's replies of a person: theirs by name, answers to their texts, and, of phones
-- that nobody else has, those that nobody was found for. It reads the month: a person is erased seldom.
UPDATE replies
SET phone = NULL, sender = NULL, text = NULL, raw = NULL, fingerprint = NULL,
    matched_at = coalesce(matched_at, sms_now())
WHERE in_month = %(in_month)s::date
  AND (person_id = %(person_id)s::bigint OR message_id = ANY (%(message_ids)s::bigint[])
       OR (person_id IS NULL AND phone = ANY (%(phones)s::text[])))
RETURNING id
