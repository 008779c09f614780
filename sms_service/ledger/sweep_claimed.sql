-- A worker that died before the gate handed over nothing: its rows wait again.
UPDATE messages
SET status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
WHERE status = 'claimed' AND lease_until <= sms_now()
