-- Inbound texts as they came and in that order, in one statement, before their provider is told that we have them. One that the
-- provider names is kept once by its name; one that it does not name is a repetition if the same phone sent the same within ten
-- minutes. The caller holds the phones' locks, so that of two that come at once the second sees the first.
INSERT INTO replies (account_id, received_at, occurred_at, provider_id, phone, sent_to, text, raw, fingerprint, part, parts, series)
SELECT %(account_id)s::bigint, sms_now(), t.occurred_at, t.provider_id, t.phone, t.sent_to, t.text, t.raw, t.fingerprint,
       t.part, t.parts, t.series
FROM (
    SELECT DISTINCT ON (coalesce(provider_id, fingerprint)) *
    FROM json_to_recordset(%(replies)s::json) AS t (
        place int, occurred_at timestamptz, provider_id text, phone text, sent_to text, text text, raw text, fingerprint text,
        part smallint, parts smallint, series text)
    ORDER BY coalesce(provider_id, fingerprint), place
) t
WHERE t.provider_id IS NOT NULL OR NOT EXISTS (
    SELECT FROM replies r
    WHERE r.fingerprint = t.fingerprint AND r.account_id = %(account_id)s::bigint AND r.received_at > sms_now() - interval '10 minutes')
ORDER BY t.place
ON CONFLICT (account_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
RETURNING id, phone, text, part, parts, series, fingerprint
