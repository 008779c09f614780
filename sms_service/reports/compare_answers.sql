-- Who was asked and what came of it, by unit: each question and person once, by the rules of the pages that list them
-- (replies/gathering.py, replies/quiz_rows.py), for all questions of a period in one statement. A person counts under
-- the unit of their row, where it stood at freeze: below `above` ("/5/"), or, of `each`, by itself; `by_question` the
-- lines are the questions, and that without one is of the events. A reminder of a
-- quiz asks nobody anew, so its runs are not among `run_ids`; those of other questions are.
WITH asking AS MATERIALIZED (
    SELECT r.id AS run_id, r.month, q.id AS question_id, q.kind, q.closes_at, (q.asks ->> 'tries')::int AS tries
    FROM runs r JOIN questions q ON q.id = r.question_id
    WHERE r.month = ANY (%(months)s::date[]) AND r.id = ANY (%(run_ids)s::bigint[])
),
texted AS MATERIALIZED (
    SELECT a.question_id, a.kind, m.id, m.person_id, m.unit_id, m.unit_path, m.status AS own_status, s.status AS sent_status,
           CASE WHEN s.person_id <> m.person_id THEN s.person_id END AS shares_with
    FROM asking a
    JOIN messages m ON m.month = a.month AND m.run_id = a.run_id
    LEFT JOIN messages s ON s.month = m.month AND s.id = m.duplicate_of
    WHERE m.month = ANY (%(months)s::date[])
),
asked AS MATERIALIZED (
    SELECT question_id, kind, person_id, (array_agg(unit_id ORDER BY id))[1] AS unit_id,
           (array_agg(unit_path ORDER BY id))[1] AS unit_path, max(shares_with) AS shares_with,
           bool_or(coalesce(sent_status, own_status) IN ('submitting', 'accepted', 'unknown', 'delivered', 'no_receipt'))
               AS reached
    FROM texted WHERE kind <> 'quiz'
    GROUP BY question_id, kind, person_id
    UNION ALL
    (SELECT DISTINCT ON (question_id, person_id)
            question_id, kind, person_id, unit_id, unit_path, NULL,
            CASE WHEN shares_with IS NULL THEN own_status ELSE sent_status END
                NOT IN ('skipped', 'refused', 'undelivered', 'expired', 'cancelled')
     FROM texted WHERE kind = 'quiz'
     ORDER BY question_id, person_id, own_status = 'skipped', id)
),
in_time AS MATERIALIZED (
    SELECT DISTINCT ON (w.id) w.id, w.question_id, w.person_id, w.said, w.choices, w.correct, w.at, w.reply_id, a.kind, a.tries
    FROM asking a JOIN answers w ON w.question_id = a.question_id
    WHERE w.voided_at IS NULL AND w.at <= a.closes_at
    ORDER BY w.id
),
counting AS (
    SELECT DISTINCT ON (question_id, person_id) question_id, person_id, said, NULL::boolean AS correct
    FROM (
        SELECT question_id, person_id, said, at, id FROM in_time WHERE kind <> 'quiz'
        UNION ALL
        SELECT t.question_id, k.person_id, t.said, t.at, t.id
        FROM in_time t JOIN asked k ON k.question_id = t.question_id AND k.shares_with = t.person_id
        WHERE t.kind <> 'quiz' AND t.reply_id IS NOT NULL
    ) given
    ORDER BY question_id, person_id, said = 'free_text', at DESC, id DESC
),
graded AS (
    SELECT question_id, person_id, 'choice' AS said, bool_or(coalesce(correct, false)) AS correct
    FROM (
        SELECT *, row_number() OVER (PARTITION BY question_id, person_id ORDER BY at, choices, id) AS turn
        FROM in_time WHERE kind = 'quiz' AND said = 'choice'
    ) tried
    WHERE turn <= tries
    GROUP BY question_id, person_id
),
answered AS (
    SELECT k.question_id, k.kind, k.unit_id, k.unit_path, k.reached, g.said, g.correct, NULL::boolean AS came
    FROM asked k
    LEFT JOIN (TABLE counting UNION ALL TABLE graded) g ON g.question_id = k.question_id AND g.person_id = k.person_id
    UNION ALL
    SELECT NULL, 'event', t.unit_id, coalesce(m.unit_path, u.path), NULL, NULL, NULL, t.came
    FROM attendances t
    JOIN units u ON u.id = t.unit_id
    LEFT JOIN LATERAL (
        SELECT unit_path FROM messages
        WHERE month = ANY (%(event_months)s::date[]) AND run_id = ANY (%(event_runs)s::bigint[])
          AND person_id = t.person_id AND unit_id = t.unit_id
        ORDER BY id LIMIT 1
    ) m ON true
    WHERE t.campaign_id = ANY (%(event_ids)s::bigint[])
)
SELECT CASE WHEN %(by_question)s::boolean THEN question_id
            WHEN %(each)s::bigint[] IS NOT NULL THEN unit_id
            ELSE coalesce(nullif(split_part(split_part(unit_path, %(above)s::text, 2), '/', 1), '')::bigint,
                          %(own)s::bigint)
       END AS line,
       count(*) FILTER (WHERE kind <> 'event') AS asked,
       count(said) AS answered,
       count(*) FILTER (WHERE said IS NULL AND reached) AS silent,
       count(*) FILTER (WHERE said IS NULL AND NOT reached) AS unreached,
       count(*) FILTER (WHERE kind = 'rsvp') AS invited,
       count(*) FILTER (WHERE kind = 'rsvp' AND said = 'yes') AS yes,
       count(*) FILTER (WHERE kind = 'rsvp' AND said = 'no') AS no,
       count(*) FILTER (WHERE kind = 'rsvp' AND said IS NULL AND reached) AS invited_silent,
       count(*) FILTER (WHERE kind = 'rsvp' AND said IS NULL AND NOT reached) AS invited_unreached,
       count(*) FILTER (WHERE kind = 'quiz') AS quizzed,
       count(*) FILTER (WHERE kind = 'quiz' AND said IS NOT NULL) AS quiz_answered,
       count(*) FILTER (WHERE correct) AS quiz_right,
       count(came) AS expected,
       count(*) FILTER (WHERE came) AS came
FROM answered
WHERE CASE WHEN %(each)s::bigint[] IS NOT NULL THEN unit_id = ANY (%(each)s::bigint[])
           ELSE position(%(above)s::text IN unit_path) > 0 END
GROUP BY 1
