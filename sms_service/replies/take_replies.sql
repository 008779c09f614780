-- The next replies of one month of which nobody has decided yet what they answer, locked by key; what another worker
-- has is passed over.
SELECT id FROM replies
WHERE in_month = %(in_month)s::date AND matched_at IS NULL
ORDER BY id
LIMIT %(size)s::int
FOR UPDATE SKIP LOCKED
