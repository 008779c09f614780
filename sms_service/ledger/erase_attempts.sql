-- The same of the rows' attempts; `detail` is in the provider's words.
UPDATE attempts SET phone = NULL, detail = NULL
WHERE month = %(month)s::date AND message_id = ANY (%(ids)s::bigint[]) AND (phone IS NOT NULL OR detail IS NOT NULL)
