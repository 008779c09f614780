-- If a worker died before the gate, it handed over nothing: its rows wait again. Locked rows belong to a worker that
-- is in the gate at this moment, or was stopped there. They are not waited for; the next sweep looks at them again.
WITH ended AS MATERIALIZED (
    SELECT id FROM messages
    WHERE month = %(month)s::date AND status = 'claimed' AND lease_until <= sms_now()
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE messages m
SET status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
FROM ended e
WHERE m.month = %(month)s::date AND m.id = e.id AND m.status = 'claimed'
