-- Unknown attempts of one gateway account that may be looked up, oldest first, as its partial index has them. The stamp is lease
-- and back-off in one: whoever asks stamps and commits first, so two never ask the same; and an attempt that was asked about in
-- vain is asked about again when it is a quarter older, so after 10, 12, 16, 20 … minutes and until the horizon some 27 times. A
-- message's older attempts are asked about too: what became of them belongs into the ledger, whatever the message has become.
WITH due AS MATERIALIZED (
    SELECT a.month, a.id, a.message_id, a.started_at
    FROM attempts a
    WHERE a.account_id = (SELECT id FROM gateway_accounts WHERE name = %(account)s)
      AND a.status = 'unknown'
      AND a.started_at <= sms_now() - make_interval(secs => %(after_s)s::float)
      AND a.started_at > sms_now() - make_interval(hours => %(horizon_hours)s::int)
      AND (a.looked_up_at IS NULL OR sms_now() - a.looked_up_at >= (a.looked_up_at - a.started_at) / 4)
    ORDER BY a.started_at
    LIMIT %(size)s::int
    FOR UPDATE SKIP LOCKED
),
asked AS (
    UPDATE attempts a SET looked_up_at = sms_now()
    FROM due d
    WHERE a.month = d.month AND a.id = d.id
)
SELECT d.month, d.id, d.started_at, NULL AS provider_id, m.phone, m.text
FROM due d JOIN messages m ON m.month = d.month AND m.id = d.message_id
WHERE m.phone IS NOT NULL AND m.text IS NOT NULL
