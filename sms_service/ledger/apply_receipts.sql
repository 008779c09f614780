-- Applies a batch of parked receipts. Within the gateway account a receipt is matched by our attempt's name where the provider
-- echoes it; else by the provider's id and the phone, newest attempt of 14 days, since ids are reused; else, if exactly one
-- unknown attempt went to that phone within 72 h, to that one. What matches nothing stays parked and is joined again later.
WITH batch AS MATERIALIZED (
    SELECT * FROM receipts
    WHERE applied_at IS NULL AND next_try_at <= sms_now()
    ORDER BY next_try_at, id
    LIMIT %(size)s::int
    FOR UPDATE SKIP LOCKED
),
matched AS MATERIALIZED (
    SELECT b.id AS receipt_id, b.status, b.error, b.raw_code, coalesce(b.occurred_at, b.received_at) AS at, f.month, f.id AS attempt_id
    FROM batch b
    LEFT JOIN LATERAL (
        SELECT month, id FROM (
            SELECT 1 AS way, a.month, a.id FROM attempts a
            WHERE a.month = b.month AND a.id = b.attempt_id AND a.account_id = b.account_id
            UNION ALL
            (SELECT 2, a.month, a.id FROM attempts a JOIN messages m ON m.month = a.month AND m.id = a.message_id
             WHERE b.attempt_id IS NULL AND a.account_id = b.account_id AND a.provider_id = b.provider_id
               AND (b.phone IS NULL OR m.phone = b.phone) AND a.started_at > sms_now() - interval '14 days'
             ORDER BY a.started_at DESC LIMIT 1)
            UNION ALL
            (SELECT 3, min(a.month), min(a.id) FROM attempts a JOIN messages m ON m.month = a.month AND m.id = a.message_id
             WHERE b.attempt_id IS NULL AND a.account_id = b.account_id AND a.status = 'unknown' AND m.phone = b.phone
               AND a.started_at > sms_now() - interval '72 hours'
             HAVING count(*) = 1)
        ) AS ways
        ORDER BY way LIMIT 1
    ) AS f ON true
),
final AS MATERIALIZED (
    -- One per attempt; delivered wins over undelivered.
    SELECT DISTINCT ON (month, attempt_id) * FROM matched
    WHERE attempt_id IS NOT NULL AND status IN ('delivered', 'undelivered')
    ORDER BY month, attempt_id, status, receipt_id
),
locked AS MATERIALIZED (
    SELECT a.month, a.id FROM attempts a JOIN final f ON a.month = f.month AND a.id = f.attempt_id ORDER BY a.id FOR UPDATE OF a
),
moved AS (
    UPDATE attempts a
    SET status = f.status, error = f.error, raw_code = f.raw_code, final_at = f.at
    FROM final f JOIN locked l ON l.month = f.month AND l.id = f.attempt_id
    WHERE a.month = f.month AND a.id = f.attempt_id AND attempt_rank(f.status) > attempt_rank(a.status)
    RETURNING a.month, a.message_id, a.number, a.account_id, a.status, a.error, a.raw_code
),
said AS (
    -- A message may have two attempts in one batch: delivered on any of them decides; else the latest attempt's word.
    SELECT DISTINCT ON (month, message_id) * FROM moved ORDER BY month, message_id, status, number DESC
),
texts AS (
    UPDATE messages m
    SET status = s.status, reason = s.error, raw_code = s.raw_code, account_id = s.account_id,
        claim_token = NULL, lease_until = NULL, changed_at = sms_now()
    FROM said s
    WHERE m.month = s.month AND m.id = s.message_id
      AND ((s.status = 'delivered' AND m.status NOT IN ('skipped', 'delivered'))
           OR (s.status = 'undelivered' AND m.attempts = s.number
               AND m.status IN ('submitting', 'unknown', 'refused', 'accepted', 'no_receipt')))
    RETURNING m.id
),
marked AS (
    UPDATE receipts r
    SET applied_at = CASE WHEN t.attempt_id IS NOT NULL THEN sms_now() END,
        month = coalesce(t.month, r.month),
        attempt_id = coalesce(t.attempt_id, r.attempt_id),
        tries = least(r.tries + 1, 30000),
        -- Back-off from 2 s to about an hour for seven days; then it is only listed.
        next_try_at = CASE
            WHEN r.received_at < sms_now() - interval '7 days' THEN 'infinity'
            ELSE sms_now() + make_interval(secs => least(3600, 2 ^ least(r.tries + 1, 12)))
        END,
        note = CASE
            WHEN t.attempt_id IS NULL THEN 'no attempt of this account matches'
            WHEN r.status = 'unclassified' THEN 'the provider''s code is not in its table'
        END
    FROM matched t
    WHERE r.id = t.receipt_id
    RETURNING r.applied_at
)
SELECT count(*) AS seen, count(applied_at) AS applied, (SELECT count(*) FROM texts) AS moved FROM marked
