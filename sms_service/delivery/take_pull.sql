-- Whose turn it is to be asked for what is new: the stamp is written before the provider is asked, and by one
-- process, so that neither restarts nor more workers ask more often.
UPDATE gateway_accounts SET pulled_at = sms_now()
WHERE name = %(account)s AND (pulled_at IS NULL OR pulled_at <= sms_now() - make_interval(secs => %(every_s)s::float))
RETURNING id
