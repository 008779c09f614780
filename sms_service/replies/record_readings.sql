-- Records what the replies of one month answer and mean, which this transaction has locked. What one was read as
-- before, as a part of a long one, is kept.
WITH found AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(readings)s::json) AS f (
        id bigint, month date, message_id bigint, person_id bigint, unit_path text, meaning text, rule text,
        question_id bigint, inbox boolean)
),
before AS (
    INSERT INTO reply_readings (
        reply_in_month, reply_id, meaning, rule, question_id, month, message_id, read_by, replaced_at)
    SELECT r.in_month, r.id, r.meaning, r.rule, r.question_id, r.month, r.message_id, r.read_by, sms_now()
    FROM found f JOIN replies r ON r.in_month = %(in_month)s::date AND r.id = f.id
    WHERE r.rule <> 'provider_stop'
)
UPDATE replies r
SET matched_at = sms_now(), month = f.month, message_id = f.message_id, person_id = f.person_id, unit_path = f.unit_path,
    meaning = f.meaning, rule = f.rule, question_id = f.question_id,
    inbox_status = CASE WHEN f.inbox THEN coalesce(r.inbox_status, 'unread') ELSE r.inbox_status END
FROM found f
WHERE r.in_month = %(in_month)s::date AND r.id = f.id
