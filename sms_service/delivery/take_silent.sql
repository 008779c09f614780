-- Accepted texts of one gateway account that have no receipt and may be asked about. They are found through their
-- runs, as in sweep_no_receipt.sql: an index of attempts would slow down every hand-over. It only reads, like
-- take_unknown.sql, and has the same back-off.
SELECT a.month, a.id, a.started_at, a.provider_id, m.phone, m.text
FROM runs r
JOIN messages m ON m.month = r.month AND m.run_id = r.id
CROSS JOIN LATERAL (
    SELECT month, id, started_at, provider_id FROM attempts
    WHERE month = m.month AND message_id = m.id AND number = m.attempts AND status = 'accepted' AND provider_id IS NOT NULL
      AND (looked_up_at IS NULL OR sms_now() - looked_up_at >= (looked_up_at - started_at) / 4)
    LIMIT 1
) a
-- If a run ended and a row of it was accepted in the last 72 h, the clock looks at it again within this time
-- (put_off_ended.sql).
WHERE (r.status IN ('running', 'paused', 'held')
       OR (r.status IN ('finished', 'cancelled') AND r.look_at <= sms_now() + interval '72 hours'))
  AND m.status = 'accepted'
  AND m.account_id = (SELECT id FROM gateway_accounts WHERE name = %(account)s)
  AND m.changed_at <= sms_now() - make_interval(secs => %(after_s)s::float)
  AND m.changed_at > sms_now() - make_interval(secs => %(within_s)s::float)
  AND m.phone IS NOT NULL AND m.text IS NOT NULL
LIMIT %(size)s::int
