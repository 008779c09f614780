-- The same for receipts that are known by their ids: of a batch that failed, those that are still to be applied.
SELECT id FROM receipts
WHERE in_month = %(in_month)s::date AND id = ANY (%(ids)s::bigint[]) AND applied_at IS NULL
ORDER BY id
FOR UPDATE SKIP LOCKED
