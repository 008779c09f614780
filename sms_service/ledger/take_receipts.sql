-- The next parked receipts of one month that are due, oldest first, locked until they are applied. This statement only
-- locks them; the statements that follow read them by id. Receipts that another applier has locked are passed over.
SELECT id FROM receipts
WHERE in_month = %(in_month)s::date AND applied_at IS NULL AND next_try_at <= sms_now()
ORDER BY next_try_at, id
LIMIT %(size)s::int
FOR UPDATE SKIP LOCKED
