-- Names the parts of unknown long texts by receipts that have come for them, at accounts whose receipts are each of one part. Such a
-- receipt has an id that nothing of ours has, since the answer that had it never came; but if only one unknown attempt of that account
-- went to its phone in 72 h, the id is that of one of its parts. Which one does not matter, as all of them have to arrive: ids get the
-- free numbers in the order of their receipts. Attempts are locked by id, before the parts are written, as outcomes do it; who comes
-- second finds a number taken (DO NOTHING), and its receipt waits for the next look. The receipts are then due at once, and match by id.
WITH parked AS MATERIALIZED (
    SELECT r.account_id, r.phone, r.provider_id, min(r.id) AS first
    FROM receipts r JOIN gateway_accounts g ON g.id = r.account_id
    WHERE r.applied_at IS NULL AND g.names_parts AND r.tries > 0 AND r.attempt_id IS NULL
      AND r.provider_id IS NOT NULL AND r.phone IS NOT NULL AND r.received_at > sms_now() - interval '72 hours'
    GROUP BY r.account_id, r.phone, r.provider_id
    ORDER BY first
    LIMIT %(size)s::int
),
strange AS (
    SELECT p.* FROM parked p
    WHERE NOT EXISTS (
            SELECT FROM attempt_parts n JOIN attempts a ON a.month = n.month AND a.id = n.attempt_id
            WHERE n.account_id = p.account_id AND n.provider_id = p.provider_id AND a.started_at > sms_now() - interval '14 days')
      AND NOT EXISTS (
            SELECT FROM attempts a
            WHERE a.account_id = p.account_id AND a.provider_id = p.provider_id AND a.started_at > sms_now() - interval '14 days')
      -- It may as well be of a text that is on its way, whose answer is not written down yet; then it waits.
      AND NOT EXISTS (
            SELECT FROM attempts a JOIN messages m ON m.month = a.month AND m.id = a.message_id
            WHERE a.account_id = p.account_id AND a.status = 'submitting' AND m.phone = p.phone)
),
meant AS MATERIALIZED (
    SELECT s.account_id, s.provider_id, s.first, a.month, a.id
    FROM strange s
    CROSS JOIN LATERAL (
        SELECT min(a.month) AS month, min(a.id) AS id
        FROM attempts a
        CROSS JOIN LATERAL (SELECT phone FROM messages WHERE month = a.month AND id = a.message_id LIMIT 1) m
        WHERE a.account_id = s.account_id AND a.status = 'unknown' AND m.phone = s.phone
          AND a.started_at > sms_now() - interval '72 hours'
        HAVING count(*) = 1 AND bool_and(a.parts > 1)
    ) a
),
locked AS MATERIALIZED (
    SELECT k.month, k.id, a.parts
    FROM (SELECT DISTINCT month, id FROM meant ORDER BY id) k
    CROSS JOIN LATERAL (SELECT parts FROM attempts WHERE month = k.month AND id = k.id AND status = 'unknown' FOR UPDATE) a
),
free AS (
    SELECT l.month, l.id, s.part, row_number() OVER (PARTITION BY l.month, l.id ORDER BY s.part) AS place
    FROM locked l
    CROSS JOIN LATERAL generate_series(1, l.parts) AS s (part)
    WHERE NOT EXISTS (SELECT FROM attempt_parts p WHERE p.month = l.month AND p.attempt_id = l.id AND p.part = s.part)
),
named AS (
    INSERT INTO attempt_parts (month, attempt_id, part, account_id, provider_id)
    SELECT f.month, f.id, f.part, m.account_id, m.provider_id
    FROM (SELECT *, row_number() OVER (PARTITION BY month, id ORDER BY first) AS place FROM meant) m
    JOIN free f ON f.month = m.month AND f.id = m.id AND f.place = m.place
    ORDER BY f.id, f.part
    ON CONFLICT DO NOTHING
    RETURNING account_id, provider_id
)
-- Whoever applies receipts locks them before attempts, so what is locked is left to its own time.
UPDATE receipts SET next_try_at = sms_now()
WHERE id IN (
    SELECT r.id FROM receipts r JOIN named n ON n.account_id = r.account_id AND n.provider_id = r.provider_id
    WHERE r.applied_at IS NULL
    FOR NO KEY UPDATE OF r SKIP LOCKED)
