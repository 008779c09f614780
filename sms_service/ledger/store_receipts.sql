-- Receipts as they came, in one statement, before the provider is told that we have them. Our own name for the attempt, where the
-- provider echoes it, is "YYYYMM-id".
INSERT INTO receipts (
    account_id, received_at, next_try_at, raw, reference, provider_id, phone, part, status, error, raw_code, occurred_at,
    month, attempt_id
)
SELECT a.id, sms_now(), sms_now(), t.raw, t.reference, t.provider_id, t.phone, t.part, t.status, t.error, t.raw_code, t.occurred_at,
       CASE WHEN t.reference ~ '^[0-9]{4}(0[1-9]|1[0-2])-[0-9]{1,18}$' THEN to_date(left(t.reference, 6), 'YYYYMM') END,
       CASE WHEN t.reference ~ '^[0-9]{4}(0[1-9]|1[0-2])-[0-9]{1,18}$' THEN substr(t.reference, 8)::bigint END
FROM gateway_accounts a, unnest(
    %(raws)s::text[], %(references)s::text[], %(provider_ids)s::text[], %(phones)s::text[], %(parts)s::smallint[],
    %(statuses)s::text[], %(errors)s::text[], %(raw_codes)s::text[], %(occurred)s::timestamptz[]
) AS t (raw, reference, provider_id, phone, part, status, error, raw_code, occurred_at)
WHERE a.name = %(account)s
