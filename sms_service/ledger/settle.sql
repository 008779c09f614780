-- Records what a person says about unknown rows of one month, at their latest attempts, by the same ranks as a gateway's
-- outcome: if a receipt came first, it stands. The attempts are locked before their messages, and in the order of ids,
-- as in every statement that changes many. LATERAL with its lock forces one look-up for each.
WITH wanted AS MATERIALIZED (
    SELECT a.id
    FROM (SELECT DISTINCT id FROM unnest(%(ids)s::bigint[]) AS t (id)) t
    CROSS JOIN LATERAL (SELECT id, attempts FROM messages WHERE month = %(month)s::date AND id = t.id AND status || '' = 'unknown') m
    JOIN attempts a ON a.month = %(month)s::date AND a.message_id = m.id AND a.number = m.attempts
),
locked AS MATERIALIZED (
    SELECT a.id
    FROM (SELECT id FROM wanted ORDER BY id) w
    CROSS JOIN LATERAL (SELECT id FROM attempts WHERE month = %(month)s::date AND id = w.id FOR UPDATE) a
),
told AS (
    UPDATE attempts a
    SET status = %(settled_as)s, settled_by = %(settled_by)s::bigint, outcome_at = coalesce(a.outcome_at, sms_now()),
        phone = coalesce(a.phone, (SELECT phone FROM messages WHERE month = %(month)s::date AND id = a.message_id)),
        error = CASE %(settled_as)s WHEN 'refused' THEN 'unclassified' END
    FROM locked l
    WHERE a.month = %(month)s::date AND a.id = l.id AND attempt_rank(%(settled_as)s) > attempt_rank(a.status)
    RETURNING a.message_id, a.number, a.error
),
settled AS (
    UPDATE messages m
    SET status = %(settled_as)s, reason = t.error, raw_code = NULL, changed_at = sms_now()
    FROM told t
    WHERE m.month = %(month)s::date AND m.id = t.message_id AND m.attempts = t.number AND m.status || '' = 'unknown'
    RETURNING m.id, m.status, m.reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, %(month)s::date, id, reason FROM settled
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
)
SELECT id FROM settled
