-- Applies receipts that came in one month to their attempts of one month, gives attempts the ids that only receipts
-- have told, and marks the receipts as applied. The receipts are locked (take_receipts) and their attempts found
-- (match_receipts, match_unknown). The month is a parameter, as in every statement that changes rows: PostgreSQL 18
-- crashes if it chooses partitions while it reads a changed row again.
--
-- A text is delivered if the whole is reported delivered, or all its parts are; it is undelivered if the whole is
-- reported undelivered, or one of its parts is. So the result does not depend on the order in which receipts come.
WITH matched AS MATERIALIZED (
    SELECT t.receipt_id, t.attempt_id, CASE WHEN g.receipt_parts = 'one' THEN 0::smallint ELSE t.part END AS counted,
           r.status, r.error, r.raw_code, coalesce(r.occurred_at, r.received_at) AS at
    FROM unnest(%(receipt_ids)s::bigint[], %(attempt_ids)s::bigint[], %(parts)s::smallint[]) AS t (receipt_id, attempt_id, part)
    CROSS JOIN LATERAL (
        SELECT account_id, status, error, raw_code, occurred_at, received_at FROM receipts
        WHERE in_month = %(in_month)s::date AND id = t.receipt_id LIMIT 1
    ) r
    JOIN gateway_accounts g ON g.id = r.account_id
),
said AS MATERIALIZED (
    SELECT attempt_id,
           array_agg(DISTINCT counted) FILTER (WHERE status = 'delivered') AS delivered,  -- 0: the whole text
           bool_or(status = 'undelivered') AS failed,
           (array_agg(error ORDER BY receipt_id) FILTER (WHERE status = 'undelivered'))[1] AS error,
           (array_agg(raw_code ORDER BY receipt_id) FILTER (WHERE status = 'undelivered'))[1] AS failed_code,
           (array_agg(raw_code ORDER BY receipt_id) FILTER (WHERE status = 'delivered'))[1] AS delivered_code,
           min(at) FILTER (WHERE status = 'undelivered') AS failed_at,
           max(at) FILTER (WHERE status = 'delivered') AS delivered_at
    FROM matched
    WHERE status IN ('delivered', 'undelivered')
    GROUP BY attempt_id
),
told AS MATERIALIZED (
    SELECT * FROM unnest(%(told_ids)s::bigint[], %(told_names)s::text[]) AS t (attempt_id, provider_id)
),
touched AS MATERIALIZED (
    -- Locked in the order of ids, as in every statement that changes many attempts, so that it does not deadlock with
    -- the outcomes of the same group. The row is read under its lock, so it has what another applier has just written.
    SELECT k.attempt_id AS id, told.provider_id, a.parts, a.delivered_parts, a.error AS known, s.delivered, s.failed, s.error,
           s.failed_code, s.delivered_code, s.failed_at, s.delivered_at
    FROM (SELECT attempt_id FROM said UNION SELECT attempt_id FROM told ORDER BY attempt_id) k
    LEFT JOIN said s ON s.attempt_id = k.attempt_id
    LEFT JOIN told ON told.attempt_id = k.attempt_id
    CROSS JOIN LATERAL (
        SELECT parts, delivered_parts, error FROM attempts WHERE month = %(month)s::date AND id = k.attempt_id FOR UPDATE
    ) a
),
decided AS MATERIALIZED (
    SELECT t.id, t.provider_id, t.error, t.failed_code, t.delivered_code, t.failed_at, t.delivered_at,
           d.parts AS delivered_parts,
           CASE
               WHEN t.known = 'partial' THEN NULL  -- some of its parts were never taken, so no receipt can deliver it
               WHEN 0 = ANY (t.delivered) OR cardinality(d.parts) >= t.parts THEN 'delivered'
               WHEN t.failed THEN 'undelivered'
           END AS status
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT part ORDER BY part) AS parts
        FROM unnest(t.delivered_parts || t.delivered) AS part WHERE part BETWEEN 1 AND t.parts
    ) d
),
moved AS (
    UPDATE attempts a
    SET provider_id = coalesce(a.provider_id, d.provider_id),
        delivered_parts = d.delivered_parts,
        status = CASE WHEN attempt_rank(d.status) > attempt_rank(a.status) THEN d.status ELSE a.status END,
        error = CASE
            WHEN attempt_rank(d.status) > attempt_rank(a.status) THEN CASE d.status WHEN 'undelivered' THEN d.error END
            ELSE a.error
        END,
        raw_code = CASE
            WHEN attempt_rank(d.status) > attempt_rank(a.status)
            THEN CASE d.status WHEN 'undelivered' THEN d.failed_code ELSE d.delivered_code END
            ELSE a.raw_code
        END,
        final_at = CASE
            WHEN attempt_rank(d.status) > attempt_rank(a.status)
            THEN CASE d.status WHEN 'undelivered' THEN d.failed_at ELSE d.delivered_at END
            ELSE a.final_at
        END
    FROM decided d
    WHERE a.month = %(month)s::date AND a.id = d.id
      AND (attempt_rank(d.status) > attempt_rank(a.status)
           OR d.delivered_parts IS DISTINCT FROM a.delivered_parts
           OR (a.provider_id IS NULL AND d.provider_id IS NOT NULL))
    RETURNING a.message_id, a.number, a.account_id, a.status, a.error, a.raw_code, d.status AS decided
),
followed AS (
    -- A message may have two attempts in one batch. If either was delivered, the message is; else the latest counts.
    SELECT DISTINCT ON (message_id) * FROM moved WHERE status = decided ORDER BY message_id, status, number DESC
),
texts AS (
    UPDATE messages m
    SET status = f.status, reason = f.error, raw_code = f.raw_code, account_id = f.account_id,
        claim_token = NULL, lease_until = NULL, changed_at = sms_now()
    FROM followed f
    WHERE m.month = %(month)s::date AND m.id = f.message_id
      AND ((f.status = 'delivered' AND m.status NOT IN ('skipped', 'delivered'))
           OR (f.status = 'undelivered' AND m.attempts = f.number
               AND m.status IN ('submitting', 'unknown', 'refused', 'accepted', 'no_receipt')))
    RETURNING m.id, m.run_id, m.phone, m.unit_path, m.status, m.reason
),
phones AS (
    -- Reports for the clock: a dead phone, or one on the provider's stop list.
    INSERT INTO phone_reports (phone, kind, run_id, message_id, unit_path, at)
    SELECT phone, reason, run_id, id, unit_path, sms_now() FROM texts
    WHERE status = 'undelivered' AND reason IN ('bad_number', 'blacklisted') AND phone IS NOT NULL
    ON CONFLICT DO NOTHING
),
revived AS (
    DELETE FROM phone_reports p USING texts t WHERE t.status = 'delivered' AND p.phone = t.phone AND p.kind = 'bad_number'
),
marked AS (
    UPDATE receipts r
    SET applied_at = sms_now(), month = %(month)s::date, attempt_id = t.attempt_id, part = t.part, tries = least(r.tries + 1, 30000),
        note = CASE WHEN r.status = 'unclassified' THEN 'the provider''s code is not in its table' END
    FROM unnest(%(receipt_ids)s::bigint[], %(attempt_ids)s::bigint[], %(parts)s::smallint[]) AS t (receipt_id, attempt_id, part)
    WHERE r.in_month = %(in_month)s::date AND r.id = t.receipt_id
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM texts
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT count(*) AS moved FROM texts
