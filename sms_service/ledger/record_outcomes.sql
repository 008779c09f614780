-- Records the gateway's outcome of each attempt, whatever the message's status is by now: the attempt only moves up,
-- and the provider's id is always stored. The message follows only its latest attempt, and only while it waits for
-- this answer. A text of which only some parts could be taken comes here as `undelivered`.
WITH reported AS (
    SELECT * FROM unnest(
        %(ids)s::bigint[], %(statuses)s::text[], %(provider_ids)s::text[], %(errors)s::text[], %(raw_codes)s::text[],
        %(details)s::text[], %(retry_after)s::float[], %(blamed)s::boolean[]
    ) AS t (id, status, provider_id, error, raw_code, detail, retry_after, blamed)
),
tally AS (
    -- The breaker counts these: one row for the whole group, so that two workers never wait for one counter.
    INSERT INTO tallies (at, gateway_account_id, run_id, texts, refused, unknown, blamed)
    SELECT sms_now(), %(gateway_account_id)s::bigint, %(run_id)s::bigint, count(*),
           count(*) FILTER (WHERE status = 'refused'), count(*) FILTER (WHERE status = 'unknown'), count(*) FILTER (WHERE blamed)
    FROM reported
    WHERE status <> 'throttled' AND %(gateway_account_id)s::bigint IS NOT NULL
    HAVING count(*) > 0
),
locked AS MATERIALIZED (
    -- Locked in the order of ids, as in every statement that changes many attempts, so that it does not deadlock with
    -- the receipts of the same group. LATERAL with its lock forces one look-up for each: in a month without statistics
    -- the planner would otherwise read the whole month.
    SELECT t.*
    FROM (SELECT * FROM reported ORDER BY id) t
    CROSS JOIN LATERAL (SELECT id FROM attempts WHERE month = %(month)s::date AND id = t.id FOR UPDATE) a
),
moved AS (
    UPDATE attempts a
    SET provider_id = coalesce(a.provider_id, t.provider_id),
        status = CASE WHEN attempt_rank(t.status) > attempt_rank(a.status) THEN t.status ELSE a.status END,
        error = CASE WHEN attempt_rank(t.status) > attempt_rank(a.status) THEN t.error ELSE a.error END,
        raw_code = CASE WHEN attempt_rank(t.status) > attempt_rank(a.status) THEN t.raw_code ELSE a.raw_code END,
        detail = coalesce(t.detail, a.detail),
        -- By this phone, receipts find an attempt whose answer never came (match_unknown), also after it is not
        -- unknown any more, and an attempt that was taken in part and has no id.
        phone = CASE
            WHEN 'unknown' IN (t.status, a.status) OR (t.status = 'undelivered' AND t.provider_id IS NULL)
            THEN coalesce(a.phone, (SELECT phone FROM messages WHERE month = %(month)s::date AND id = a.message_id))
            ELSE a.phone
        END,
        outcome_at = coalesce(a.outcome_at, sms_now()),
        final_at = CASE WHEN t.status = 'undelivered' THEN coalesce(a.final_at, sms_now()) ELSE a.final_at END
    FROM locked t
    WHERE a.month = %(month)s::date AND a.id = t.id
    RETURNING a.message_id, a.number, t.status, t.error, t.raw_code, t.retry_after
),
followed AS (
    UPDATE messages m
    SET status = CASE
            WHEN o.status IN ('accepted', 'unknown', 'undelivered') THEN o.status
            WHEN m.status = 'submitting' AND o.retry_after IS NOT NULL
                 AND m.expires_at > sms_now() + make_interval(secs => o.retry_after) THEN 'pending'
            ELSE 'refused'
        END,
        reason = o.error,
        raw_code = o.raw_code,
        not_before = CASE
            WHEN o.retry_after IS NULL THEN m.not_before ELSE sms_now() + make_interval(secs => o.retry_after)
        END,
        claim_token = NULL,
        lease_until = NULL,
        changed_at = sms_now()
    FROM moved o
    WHERE m.month = %(month)s::date AND m.id = o.message_id AND m.attempts = o.number
      -- `|| ''` keeps partial indexes out of the plan, which have the whole month, so that rows are looked up by key.
      AND (m.status || '' = 'submitting' OR (m.status || '' = 'unknown' AND o.status <> 'unknown'))
    RETURNING m.id, m.status, m.reason, m.run_id, m.phone, m.unit_path
),
phones AS (
    -- Reports for the clock: a dead phone, or one on the provider's stop list.
    INSERT INTO phone_reports (phone, kind, run_id, message_id, unit_path, at)
    SELECT phone, reason, run_id, id, unit_path, sms_now() FROM followed
    WHERE status = 'refused' AND reason IN ('bad_number', 'blacklisted') AND phone IS NOT NULL
    ON CONFLICT DO NOTHING
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM followed
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id, status FROM followed
