-- Stores receipts as they came, in one statement, before they are acknowledged to their providers. They are one JSON
-- document, since nine arrays would cost the web process more than the INSERT costs PostgreSQL. An unknown account
-- makes it fail (account_id is never NULL), so either all are stored or none. Our own name for the attempt, if the
-- provider sends it back, is "YYYYMM-id".
INSERT INTO receipts (
    account_id, received_at, next_try_at, raw, reference, provider_id, phone, part, status, error, raw_code, occurred_at,
    month, attempt_id
)
SELECT (SELECT id FROM gateway_accounts WHERE name = t.account), sms_now(), sms_now(), t.raw, t.reference, t.provider_id, t.phone,
       t.part, t.status, t.error, t.raw_code, t.occurred_at,
       CASE WHEN t.reference ~ '^[0-9]{4}(0[1-9]|1[0-2])-[0-9]{1,18}$' THEN to_date(left(t.reference, 6), 'YYYYMM') END,
       CASE WHEN t.reference ~ '^[0-9]{4}(0[1-9]|1[0-2])-[0-9]{1,18}$' THEN substr(t.reference, 8)::bigint END
FROM json_to_recordset(%(receipts)s::json) AS t (
    account text, raw text, reference text, provider_id text, phone text, part smallint, status text, error text, raw_code text,
    occurred_at timestamptz
)
