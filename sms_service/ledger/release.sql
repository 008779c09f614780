-- Gives back claimed rows that did not pass the gate, with the reason why they cannot go, or the time when they may. A
-- closed window or a quiet day moves not_before to the next opening, so that a night costs one look per row and not
-- one every two seconds. For the same reason a stop of some of the run's units moves it by a minute, and a gate that
-- waited in vain moves it by `again_s`. It does not wait for a locked row: that row's lease will end.
WITH mine AS MATERIALIZED (
    SELECT id, run_id, person_id, unit_id, unit_path, phone, class, cap_day, account_id
    FROM messages
    WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND status = 'claimed' AND claim_token = %(token)s::uuid
    FOR NO KEY UPDATE SKIP LOCKED
),
given_back AS (
    UPDATE messages m
    SET status = CASE
            WHEN r.status = 'cancelled' THEN 'cancelled'
            WHEN m.expires_at <= sms_now() THEN 'expired'
            WHEN against.reason IS NOT NULL OR used.up THEN 'skipped'
            ELSE 'pending'
        END,
        reason = CASE
            WHEN r.status = 'cancelled' OR m.expires_at <= sms_now() THEN NULL
            WHEN against.reason IS NOT NULL THEN against.reason
            WHEN used.up THEN 'capped'
        END,
        not_before = CASE
            WHEN closed.yes THEN next_opening(u.path, u.timezone, u.window_opens, r.class, r.kind)
            WHEN stopped.yes THEN sms_now() + interval '1 minute'
            WHEN %(again_s)s::float > 0 THEN sms_now() + make_interval(secs => %(again_s)s::float)
            ELSE m.not_before
        END,
        claim_token = NULL,
        lease_until = NULL,
        account_id = NULL,
        changed_at = sms_now()
    FROM mine c
    JOIN runs r ON r.id = c.run_id
    JOIN units u ON u.id = c.unit_id
    JOIN gateway_accounts a ON a.id = c.account_id
    LEFT JOIN people p ON p.id = c.person_id
    CROSS JOIN LATERAL (
        -- The order is that of audience/skipping.py. Nobody is who has been erased; a guest has left from the
        -- beginning.
        SELECT CASE
            WHEN p.id IS NULL OR (p.left_at IS NOT NULL AND p.kind <> 'guest') THEN 'left'
            WHEN p.lost_contact THEN 'lost_contact'
            WHEN p.phone IS NULL AND p.phone_problem IS NOT NULL THEN 'bad_number'
            WHEN p.phone IS NULL THEN 'no_phone'
            WHEN p.phone <> c.phone THEN 'new_phone'
            WHEN r.passes_opt_outs THEN (
                SELECT s.reason FROM suppressions s
                WHERE s.phone = c.phone AND s.lifted_at IS NULL AND s.reason <> 'opted_out'
                  AND (s.unit_id IS NULL OR s.unit_id = ANY (string_to_array(btrim(r.unit_path, '/'), '/')::bigint[]))
                  AND (s.class IS NULL OR s.class = r.class) AND (s.signature IS NULL OR s.signature = r.signature)
                LIMIT 1)
            ELSE find_suppression(c.phone, r.unit_path, r.class, r.signature)
        END AS reason
    ) AS against
    CROSS JOIN LATERAL (
        SELECT NOT window_is_open(u.timezone, u.window_opens, u.window_closes)
            OR is_quiet(u.path, u.timezone, r.class, r.kind) AS yes
    ) AS closed
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM stops t JOIN units tu ON tu.id = t.unit_id
            WHERE t.released_at IS NULL AND (u.path ^@ tu.path OR c.unit_path ^@ tu.path OR r.unit_path ^@ tu.path)) AS yes
    ) AS stopped
    CROSS JOIN LATERAL (
        -- A row is capped only if nothing else forbids it: a row that waits for a window, a pause or a stop may leave
        -- on another day.
        SELECT r.status = 'running' AND a.state = 'open' AND (a.simulated OR NOT r.demonstration) AND cluster_is_known()
            AND NOT closed.yes AND NOT stopped.yes
            AND NOT EXISTS (SELECT FROM stops t WHERE t.released_at IS NULL AND t.gateway_account_id = a.id)
            AND EXISTS (
                SELECT FROM cap_uses n
                WHERE n.class = c.class AND n.used >= find_cap(u.path, c.class) AND r.kind <> 'test' AND c.cap_day IS NULL
                  AND n.phone = c.phone AND n.day = (sms_now() AT TIME ZONE u.timezone)::date) AS up
    ) AS used
    WHERE m.month = %(month)s::date AND m.id = c.id
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM given_back
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id, status FROM given_back
