-- Unknown attempts of one gateway account that may be looked up, oldest first, in the order of the partial index. It
-- only reads: stamp_asked.sql takes them by their keys. If a question had no result, the attempt is asked about again
-- when it is a quarter older: after 10, 12, 16, 20 … minutes, some 27 times until the horizon. A message's older
-- attempts are asked about too: the ledger should have their outcomes, whatever the message's status is.
SELECT a.month, a.id, a.started_at, NULL AS provider_id, m.phone, m.text
FROM attempts a
CROSS JOIN LATERAL (SELECT phone, text FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
WHERE a.account_id = (SELECT id FROM gateway_accounts WHERE name = %(account)s)
  AND a.status = 'unknown'
  AND a.started_at <= sms_now() - make_interval(secs => %(after_s)s::float)
  AND a.started_at > sms_now() - make_interval(hours => %(horizon_hours)s::int)
  AND (a.looked_up_at IS NULL OR sms_now() - a.looked_up_at >= (a.looked_up_at - a.started_at) / 4)
  AND m.phone IS NOT NULL AND m.text IS NOT NULL
ORDER BY a.started_at
LIMIT %(size)s::int
