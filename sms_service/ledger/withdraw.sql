-- Takes back a group that was surely not handed over: the answer to the gate's COMMIT was lost, or came too late. By the
-- claim's token, so that it does the right thing whether that COMMIT happened or not. If it is still under way this waits for it.
UPDATE messages
SET status = 'pending', claim_token = NULL, lease_until = NULL, account_id = NULL, changed_at = sms_now()
WHERE month = %(month)s::date AND run_id = %(run_id)s::bigint AND claim_token = %(token)s::uuid
  AND status IN ('claimed', 'submitting')
RETURNING id
