-- Whether it is the account's turn to be asked for new receipts and replies. One process writes the stamp, before it
-- asks the provider, so that neither restarts nor more workers make it ask more often.
UPDATE gateway_accounts SET pulled_at = sms_now()
WHERE name = %(account)s AND (pulled_at IS NULL OR pulled_at <= sms_now() - make_interval(secs => %(every_s)s::float))
RETURNING id
