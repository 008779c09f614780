-- Stores inbound texts as they came and in that order, in one statement, before they are acknowledged to their
-- provider.
--
-- If the provider gives an id, the text is known already if the same phone sent the same words with that id within 30
-- days: providers push again for some days, and use ids again after some months. Without an id, nobody can tell
-- whether a person wrote the same words twice or the provider delivered one text twice: both are stored, and the
-- second within ten minutes is marked as repeated. A part that comes again counts as known: a phone that sends a long
-- text twice gives it another series number.
--
-- The caller holds the senders' locks, so that if two come at once, the second sees the first.
WITH said AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY provider_id, fingerprint ORDER BY place) AS time
    FROM json_to_recordset(%(replies)s::json) AS t (
        place int, occurred_at timestamptz, provider_id text, phone text, sender text, sent_to text, text text, raw text,
        fingerprint text, part smallint, parts smallint, series text,
        extension text)
),
compared AS (
    SELECT s.*, s.time > 1 OR EXISTS (
        SELECT FROM replies r
        WHERE r.in_month >= date_trunc('month', sms_now() - interval '30 days')::date
          AND r.fingerprint = s.fingerprint AND r.account_id = %(gateway_account_id)s::bigint
          AND r.provider_id IS NOT DISTINCT FROM s.provider_id AND NOT r.repeated
          AND r.received_at > sms_now() - CASE WHEN s.provider_id IS NULL THEN interval '10 minutes' ELSE interval '30 days' END
    ) AS again
    FROM said s
)
INSERT INTO replies (
    account_id, received_at, occurred_at, provider_id, phone, sender, sent_to, text, raw, fingerprint, part, parts, series, repeated,
    extension)
SELECT %(gateway_account_id)s::bigint, sms_now(), occurred_at, provider_id, phone, sender, sent_to, text, raw, fingerprint,
       part, parts, series, again, extension
FROM compared
WHERE NOT again OR (provider_id IS NULL AND parts = 1)
ORDER BY place
RETURNING in_month, id, phone, sender, text, part, parts, series, fingerprint,
          least(received_at, occurred_at) AS said_at
