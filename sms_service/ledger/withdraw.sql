-- Takes back a group that was not handed over, for certain, because the answer to the gate's COMMIT was lost or came
-- too late. It finds the rows by the claim's token, so it is right whether that COMMIT happened or not. If the COMMIT
-- is still under way, this statement waits for it.
UPDATE messages
SET status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
WHERE month = %(month)s::date AND run_id = %(run_id)s::bigint AND claim_token = %(token)s::uuid
  AND status IN ('claimed', 'submitting')
RETURNING id
