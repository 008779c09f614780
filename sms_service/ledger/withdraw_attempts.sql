-- The attempts of a withdrawn group, in the transaction that took its messages back.
UPDATE attempts
SET status = 'refused', error = 'withdrawn', outcome_at = sms_now()
WHERE month = %(month)s::date AND claim_token = %(token)s::uuid AND status = 'submitting'
