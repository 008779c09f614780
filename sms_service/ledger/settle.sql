-- Records what a person says about an unknown row, at its latest attempt, by the same ranks as a gateway's outcome: if
-- a receipt came first, it stands. The attempt is locked before its message, as in every statement that writes both.
WITH told AS (
    UPDATE attempts a
    SET status = %(settled_as)s, settled_by = %(settled_by)s::bigint, outcome_at = coalesce(a.outcome_at, sms_now()),
        phone = coalesce(a.phone, m.phone),
        error = CASE %(settled_as)s WHEN 'refused' THEN 'unclassified' END
    FROM messages m
    WHERE m.month = %(month)s::date AND m.id = %(message_id)s::bigint AND m.status = 'unknown'
      AND a.month = %(month)s::date AND a.message_id = m.id AND a.number = m.attempts
      AND attempt_rank(%(settled_as)s) > attempt_rank(a.status)
    RETURNING a.message_id, a.number, a.error
)
UPDATE messages m
SET status = %(settled_as)s, reason = t.error, raw_code = NULL, changed_at = sms_now()
FROM told t
WHERE m.month = %(month)s::date AND m.id = t.message_id AND m.attempts = t.number AND m.status = 'unknown'
RETURNING m.id
