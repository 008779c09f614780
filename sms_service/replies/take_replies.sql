-- The next replies of one month that are not matched yet, locked by key; replies that another worker has locked are
-- passed over.
SELECT id FROM replies
WHERE in_month = %(in_month)s::date AND matched_at IS NULL
ORDER BY id
LIMIT %(size)s::int
FOR UPDATE SKIP LOCKED
