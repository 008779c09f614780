-- Which of these inbound texts, which may be receipts that SMPP does not mark, are about texts of ours. Either the id
-- is that of an attempt or part that went over the account to the phone within 14 days, as receipts are matched
-- (match_receipts.sql). Or the receipt is faster than the answer with the id: then the phone has a text whose
-- hand-over is under way, or ended unknown within 72 h. It only reads.
SELECT w.place
FROM unnest(%(places)s::int[], %(provider_ids)s::text[], %(phones)s::text[]) AS w (place, provider_id, phone)
WHERE EXISTS (
    SELECT
    FROM (
        SELECT month, attempt_id AS id FROM attempt_parts
        WHERE account_id = %(gateway_account_id)s::bigint AND provider_id = w.provider_id
        UNION ALL
        SELECT month, id FROM attempts
        WHERE account_id = %(gateway_account_id)s::bigint AND provider_id = w.provider_id
    ) named
    JOIN attempts a ON a.month = named.month AND a.id = named.id
    JOIN messages m ON m.month = a.month AND m.id = a.message_id
    WHERE a.started_at > sms_now() - interval '14 days' AND (w.phone IS NULL OR m.phone = w.phone)
)
OR EXISTS (
    SELECT FROM attempts
    WHERE account_id = %(gateway_account_id)s::bigint AND phone = w.phone AND status = 'unknown'
      AND started_at > sms_now() - interval '72 hours'
)
OR EXISTS (
    SELECT
    FROM attempts a
    JOIN messages m ON m.month = a.month AND m.id = a.message_id
    WHERE a.status = 'submitting' AND a.account_id = %(gateway_account_id)s::bigint AND m.phone = w.phone
)
