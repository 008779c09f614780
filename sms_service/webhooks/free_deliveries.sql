-- What was being sent when its process died goes again: the receiver knows by the id what it has had.
UPDATE webhook_deliveries SET status = 'pending', lease_until = NULL, not_before = sms_now()
WHERE status = 'sending' AND lease_until <= sms_now()
RETURNING id
