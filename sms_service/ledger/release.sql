-- Gives back what was claimed and did not pass the gate, saying why it cannot go, or when it may. A closed window moves
-- not_before to its next opening, so that a night costs one look per row and not one every two seconds; a stop of some of the
-- run's units moves it by a minute for the same reason.
UPDATE messages m
SET status = CASE
        WHEN r.status = 'cancelled' THEN 'cancelled'
        WHEN m.expires_at <= sms_now() THEN 'expired'
        WHEN s.phone IS NOT NULL OR used.up THEN 'skipped'
        ELSE 'pending'
    END,
    reason = CASE
        WHEN r.status = 'cancelled' OR m.expires_at <= sms_now() THEN NULL
        WHEN s.phone IS NOT NULL THEN s.reason
        WHEN used.up THEN 'capped'
    END,
    not_before = CASE
        WHEN NOT window_is_open(u.timezone, u.window_opens, u.window_closes) THEN next_opening(u.timezone, u.window_opens)
        WHEN stopped.yes THEN sms_now() + interval '1 minute'
        ELSE m.not_before
    END,
    claim_token = NULL,
    lease_until = NULL,
    account_id = NULL,
    changed_at = sms_now()
FROM messages c
JOIN runs r ON r.id = c.run_id
JOIN units u ON u.id = c.unit_id
LEFT JOIN suppressions s ON s.phone = c.phone
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM caps k JOIN cap_uses n ON n.class = k.class AND n.used >= k.per_day
        WHERE k.class = c.class AND r.kind <> 'test' AND c.cap_day IS NULL
          AND n.phone = c.phone AND n.day = (sms_now() AT TIME ZONE u.timezone)::date)
        -- Only rows that nothing else forbids are capped: what waits for its window may find a new day.
        AND window_is_open(u.timezone, u.window_opens, u.window_closes) AS up
) AS used
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM stops t JOIN units tu ON tu.id = t.unit_id
        WHERE t.released_at IS NULL AND (u.path ^@ tu.path OR c.unit_path ^@ tu.path)) AS yes
) AS stopped
WHERE c.month = %(month)s::date AND c.id = ANY (%(ids)s::bigint[])
  AND m.month = %(month)s::date AND m.id = c.id
  AND m.status = 'claimed' AND m.claim_token = %(token)s::uuid
RETURNING m.id, m.status
