-- What each reply of a batch may answer; the caller has locked the batch (take_replies.sql), reads it (reading.py), and
-- then records it (record_readings.sql). A reply belongs to the recipient of the last text that was handed over to its
-- phone within the 14 days before, over the reply's own gateway account if there is such a text. Without such a text it
-- belongs to a person who has the phone, if there is one. `asked`: of each campaign that asks something the last text
-- with a question, or the one that the reply's extension number names; texts stay in it until 14 days after their question
-- closed. Parts of long replies are treated like
-- whole ones.
--
-- messages has no index by phone alone, which would slow down every hand-over. But a run has at most one row of a
-- phone that was not skipped, and a unique index finds it. So this goes through runs: first those of the units above a
-- person who has the phone, which are few however much the city sends; and only if none of them fits (the phone or the
-- person has moved), the newest 500 of all. A provider's clock may be some minutes behind ours, and a time after the
-- moment at which the reply arrived counts as that moment. `said_at` is by its clock, so that of two replies the one
-- that was written later counts, whichever came first; it is never before the text that it answers (`started_at`).
--
-- It only reads, since it goes through the runs of several months (tests/db/test_shapes.py).
WITH batch AS MATERIALIZED (
    SELECT id, account_id, phone, text AS said, extension, joined_to IS NULL AND (parts = 1 OR series IS NULL) AS is_whole,
           least(received_at, occurred_at + interval '5 minutes') AS at,
           least(received_at, occurred_at) AS said_at, coalesce(rule = 'provider_stop', false) AS is_provider_stop
    FROM replies
    WHERE in_month = %(in_month)s::date AND id = ANY (%(ids)s::bigint[])
),
above AS MATERIALIZED (
    -- For "/1/5/49/" also "/1/5/" and "/1/".
    SELECT DISTINCT b.id, substr(u.path, 1, n) AS path
    FROM batch b
    JOIN people p ON p.phone = b.phone
    JOIN units u ON u.id = p.unit_id
    CROSS JOIN LATERAL generate_series(2, length(u.path)) AS n
    WHERE substr(u.path, n, 1) = '/'
),
-- The runs of these units of the last 14 days, and older ones whose question was open then: never all of history.
runs_above AS MATERIALIZED (
    SELECT b.id, b.account_id, b.phone, b.at, r.id AS run_id, r.month, r.campaign_id, r.question_id, true AS is_recent
    FROM batch b
    JOIN above a ON a.id = b.id
    JOIN runs r ON r.unit_path = a.path AND r.launched_at <= b.at AND r.launched_at > b.at - interval '14 days'
    UNION ALL
    SELECT b.id, b.account_id, b.phone, b.at, r.id, r.month, r.campaign_id, r.question_id, false
    FROM batch b
    JOIN above a ON a.id = b.id
    JOIN questions q ON q.closes_at > b.at - interval '14 days' AND q.opened_at <= b.at - interval '14 days'
    JOIN runs r ON r.question_id = q.id AND r.unit_path = a.path AND r.launched_at <= b.at - interval '14 days'
),
near AS MATERIALIZED (
    SELECT b.id, b.campaign_id, b.question_id, b.is_recent, s.*
    FROM runs_above b
    CROSS JOIN LATERAL (
        SELECT m.month, m.id AS message_id, m.person_id, m.unit_path, m.text, m.quiz_question_id, t.account_id = b.account_id AS same, t.started_at
        FROM messages m
        JOIN attempts t ON t.month = m.month AND t.message_id = m.id
        WHERE m.month = b.month AND m.run_id = b.run_id AND m.phone = b.phone AND m.status <> 'skipped'
          AND t.started_at <= b.at AND t.status NOT IN ('refused', 'throttled')
    ) s
),
far AS MATERIALIZED (
    SELECT b.id, r.campaign_id, r.question_id, true AS is_recent, s.*
    FROM batch b
    CROSS JOIN LATERAL (
        SELECT id, month, campaign_id, question_id FROM runs
        WHERE launched_at <= b.at AND launched_at > b.at - interval '14 days'
          AND b.id NOT IN (SELECT id FROM near)
        ORDER BY launched_at DESC
        LIMIT 500
    ) r
    CROSS JOIN LATERAL (
        SELECT m.month, m.id AS message_id, m.person_id, m.unit_path, m.text, m.quiz_question_id, t.account_id = b.account_id AS same, t.started_at
        FROM messages m
        JOIN attempts t ON t.month = m.month AND t.message_id = m.id
        WHERE m.month = r.month AND m.run_id = r.id AND m.phone = b.phone AND m.status <> 'skipped'
          AND t.started_at <= b.at AND t.status NOT IN ('refused', 'throttled')
    ) s
),
texts AS MATERIALIZED (
    SELECT * FROM near UNION ALL SELECT * FROM far
),
answered AS (
    SELECT DISTINCT ON (id) * FROM texts WHERE is_recent ORDER BY id, same DESC, started_at DESC, message_id DESC
),
asked AS (
    SELECT id, json_agg(json_build_object(
        'question_id', question_id, 'month', month, 'message_id', message_id, 'person_id', person_id,
        'unit_path', unit_path, 'started_at', started_at,
        'quiz', (SELECT json_build_array(q.options, q.right_choices) FROM quiz_questions q WHERE q.id = quiz_question_id)
        ) ORDER BY started_at DESC, message_id DESC) AS asked
    FROM (
        -- By the campaign that asked it, not by that of a reminder. Numbers are as `gateways/extensions.py` writes them.
        SELECT DISTINCT ON (t.id, q.campaign_id) t.*
        FROM texts t JOIN batch b ON b.id = t.id JOIN questions q ON q.id = t.question_id
        ORDER BY t.id, q.campaign_id, right('00000' || q.id, length(b.extension)) = b.extension DESC NULLS LAST,
                 t.started_at DESC, t.message_id DESC
    ) last_of_campaign
    GROUP BY id
)
SELECT b.id, a.month, a.message_id, coalesce(a.person_id, h.person_id) AS person_id, coalesce(a.unit_path, h.path) AS unit_path,
       b.phone, b.said, b.extension, b.said_at, b.is_whole, b.is_provider_stop, a.text AS answered,
       a.id IS NOT NULL AND a.question_id IS NULL AS asks_nothing, k.asked
FROM batch b
LEFT JOIN answered a ON a.id = b.id
LEFT JOIN asked k ON k.id = b.id
LEFT JOIN LATERAL (
    SELECT p.id AS person_id, u.path
    FROM people p JOIN units u ON u.id = p.unit_id
    WHERE p.phone = b.phone AND a.id IS NULL
    ORDER BY p.left_at IS NOT NULL, p.id LIMIT 1
) h ON true
