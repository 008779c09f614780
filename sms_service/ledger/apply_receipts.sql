-- Applies a batch of parked receipts. Within the gateway account a receipt is matched
-- 1. by our attempt's name, where the provider echoes it;
-- 2. else by the provider's id of a part or of the whole text, and the phone: the newest attempt of 14 days, since ids are reused;
-- 3. else to the only unknown attempt to that phone in 72 h. It then tells the provider's id of that attempt, and where ids name
--    groups, of all unknown attempts of its group: those of one claim, which the gate wrote at one moment. Where each receipt is of
--    one part, that of a long text is named first (name_parts).
-- What matches nothing stays parked and is joined again later. Which way is asked only if the one before found nothing, hence the
-- chain of lateral joins. All looks are by key, also in a month without statistics: LIMIT 1 and FOR UPDATE leave no other way.
--
-- A text is delivered when the whole is, or all its parts are; undelivered when the whole is not, or one of its parts. So the end
-- does not depend on the order in which receipts come.
WITH batch AS MATERIALIZED (
    SELECT r.*, g.receipt_parts, g.names_groups, g.names_parts, g.one_text
    FROM receipts r JOIN gateway_accounts g ON g.id = r.account_id
    WHERE r.applied_at IS NULL AND r.next_try_at <= sms_now()
    ORDER BY r.next_try_at, r.id
    LIMIT %(size)s::int
    FOR UPDATE OF r SKIP LOCKED
),
matched AS MATERIALIZED (
    SELECT b.id AS receipt_id, b.account_id, b.provider_id, b.names_groups, b.one_text, b.status, b.error, b.raw_code, b.receipt_parts,
           coalesce(b.occurred_at, b.received_at) AS at,
           coalesce(w1.month, w2.month, w3.month) AS month,
           coalesce(w1.id, w2.id, w3.id) AS attempt_id,
           w3.id IS NOT NULL AND b.provider_id IS NOT NULL AS tells_id,
           coalesce(nullif(b.part, 0::smallint), p.part, 0::smallint) AS part
    FROM batch b
    LEFT JOIN LATERAL (
        SELECT a.month, a.id FROM attempts a
        WHERE a.month = b.month AND a.id = b.attempt_id AND a.account_id = b.account_id
    ) w1 ON true
    LEFT JOIN LATERAL (
        SELECT a.month, a.id
        FROM (
            SELECT month, attempt_id AS id FROM attempt_parts
            WHERE account_id = b.account_id AND provider_id = b.provider_id AND b.attempt_id IS NULL
            UNION
            SELECT month, id FROM attempts
            WHERE account_id = b.account_id AND provider_id = b.provider_id AND b.attempt_id IS NULL
        ) named
        CROSS JOIN LATERAL (
            SELECT month, id, message_id, started_at FROM attempts WHERE month = named.month AND id = named.id LIMIT 1
        ) a
        CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
        WHERE a.started_at > sms_now() - interval '14 days' AND (m.phone = b.phone OR (b.phone IS NULL AND NOT b.names_groups))
        ORDER BY a.started_at DESC LIMIT 1
    ) w2 ON true
    LEFT JOIN LATERAL (
        SELECT u.month, u.id
        FROM (
            SELECT min(a.month) AS month, min(a.id) AS id
            FROM attempts a
            CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
            WHERE b.attempt_id IS NULL AND w2.id IS NULL AND a.account_id = b.account_id AND a.status = 'unknown' AND m.phone = b.phone
              AND a.started_at > sms_now() - interval '72 hours'
            HAVING count(*) = 1 AND NOT (b.names_parts AND bool_or(a.parts > 1))
        ) u
        -- It may as well be of a text that is on its way, whose answer is not written down yet; then it waits.
        WHERE NOT EXISTS (
            SELECT FROM attempts s
            CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = s.month AND id = s.message_id LIMIT 1) m
            WHERE s.account_id = b.account_id AND s.status = 'submitting' AND m.phone = b.phone)
    ) w3 ON true
    LEFT JOIN LATERAL (
        SELECT part FROM attempt_parts
        WHERE month = coalesce(w1.month, w2.month, w3.month) AND attempt_id = coalesce(w1.id, w2.id, w3.id)
          AND provider_id = b.provider_id
        ORDER BY part LIMIT 1
    ) p ON true
),
final AS MATERIALIZED (
    SELECT month, attempt_id,
           array_agg(DISTINCT counted.part) FILTER (WHERE status = 'delivered') AS delivered,  -- 0: the whole text
           bool_or(status = 'undelivered') AS failed,
           (array_agg(error ORDER BY receipt_id) FILTER (WHERE status = 'undelivered'))[1] AS error,
           (array_agg(raw_code ORDER BY receipt_id) FILTER (WHERE status = 'undelivered'))[1] AS failed_code,
           (array_agg(raw_code ORDER BY receipt_id) FILTER (WHERE status = 'delivered'))[1] AS delivered_code,
           min(at) FILTER (WHERE status = 'undelivered') AS failed_at,
           max(at) FILTER (WHERE status = 'delivered') AS delivered_at
    FROM matched
    CROSS JOIN LATERAL (SELECT CASE WHEN receipt_parts = 'one' THEN 0::smallint ELSE part END AS part) counted
    WHERE attempt_id IS NOT NULL AND status IN ('delivered', 'undelivered')
    GROUP BY month, attempt_id
),
told AS MATERIALIZED (
    SELECT DISTINCT ON (a.month, a.id) a.month, a.id AS attempt_id, t.provider_id
    FROM matched t
    CROSS JOIN LATERAL (
        SELECT account_id, claim_token, started_at, message_id FROM attempts WHERE month = t.month AND id = t.attempt_id LIMIT 1
    ) o
    CROSS JOIN LATERAL (
        -- Other words went in a call of their own where the provider takes one text for all its recipients.
        SELECT x.month, x.id FROM attempts x
        WHERE x.account_id = o.account_id AND x.status = 'unknown' AND x.started_at = o.started_at AND x.month = t.month
          AND (x.id = t.attempt_id
               OR (t.names_groups AND x.claim_token = o.claim_token
                   AND (NOT t.one_text
                        OR (SELECT text FROM messages WHERE month = x.month AND id = x.message_id)
                         = (SELECT text FROM messages WHERE month = x.month AND id = o.message_id))))
    ) a
    WHERE t.tells_id
    ORDER BY a.month, a.id, t.receipt_id
),
touched AS MATERIALIZED (
    -- In id order, as every statement that touches many attempts does: no deadlock with the outcomes of the same group. The row
    -- is read under its lock, so that what another applier has just written is seen.
    SELECT k.month, k.attempt_id AS id, told.provider_id, a.parts, a.delivered_parts, a.error AS said, f.delivered, f.failed, f.error,
           f.failed_code, f.delivered_code, f.failed_at, f.delivered_at
    FROM (SELECT month, attempt_id FROM final UNION SELECT month, attempt_id FROM told ORDER BY attempt_id) k
    LEFT JOIN final f ON f.month = k.month AND f.attempt_id = k.attempt_id
    LEFT JOIN told ON told.month = k.month AND told.attempt_id = k.attempt_id
    CROSS JOIN LATERAL (
        SELECT parts, delivered_parts, error FROM attempts WHERE month = k.month AND id = k.attempt_id FOR UPDATE
    ) a
),
decided AS MATERIALIZED (
    SELECT t.month, t.id, t.provider_id, t.error, t.failed_code, t.delivered_code, t.failed_at, t.delivered_at,
           d.parts AS delivered_parts,
           CASE
               WHEN t.said = 'partial' THEN NULL  -- some of its parts were never taken, whatever is said of the others
               WHEN 0 = ANY (t.delivered) OR cardinality(d.parts) >= t.parts THEN 'delivered'
               WHEN t.failed THEN 'undelivered'
           END AS status
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT part ORDER BY part) AS parts
        FROM unnest(t.delivered_parts || t.delivered) AS part WHERE part > 0
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
    WHERE a.month = d.month AND a.id = d.id
      AND (attempt_rank(d.status) > attempt_rank(a.status)
           OR d.delivered_parts IS DISTINCT FROM a.delivered_parts
           OR (a.provider_id IS NULL AND d.provider_id IS NOT NULL))
    RETURNING a.month, a.message_id, a.number, a.account_id, a.status, a.error, a.raw_code, d.status AS decided
),
said AS (
    -- A message may have two attempts in one batch: delivered on any of them decides; else the latest attempt's word.
    SELECT DISTINCT ON (month, message_id) * FROM moved WHERE status = decided ORDER BY month, message_id, status, number DESC
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
    RETURNING m.id, m.run_id, m.phone, m.unit_path, m.status, m.reason
),
phones AS (
    -- What the clock heeds: a dead phone, or one on the provider's stop list.
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
    SET applied_at = CASE WHEN t.attempt_id IS NOT NULL THEN sms_now() END,
        month = coalesce(t.month, r.month),
        attempt_id = coalesce(t.attempt_id, r.attempt_id),
        part = t.part,
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
