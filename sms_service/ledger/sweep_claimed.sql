-- A worker that died before the gate handed over nothing: its rows wait again. Rows that are locked belong to a
-- worker that is in the gate just now, or that was stopped there; nobody waits for those, the next sweep sees what
-- became of them.
WITH ended AS MATERIALIZED (
    SELECT id FROM messages
    WHERE month = %(month)s::date AND status = 'claimed' AND lease_until <= sms_now()
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messages m
SET status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
FROM ended e
WHERE m.month = %(month)s::date AND m.id = e.id AND m.status = 'claimed'
