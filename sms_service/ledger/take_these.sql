-- The same as take_receipts.sql for given ids: the receipts of a failed batch that are not applied yet.
SELECT id FROM receipts
WHERE in_month = %(in_month)s::date AND id = ANY (%(ids)s::bigint[]) AND applied_at IS NULL
ORDER BY id
FOR UPDATE SKIP LOCKED
