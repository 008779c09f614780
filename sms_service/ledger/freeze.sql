-- Writes a row for every recipient of these runs, also for skipped ones, with the reason. It is one statement, so that
-- the recipients found, the rows written and the counts come from one snapshot. The audience is counted from the
-- segment's rows alone, so that the sum of statuses would show a recipient whom a join lost. If several recipients
-- have one phone, the first is sent and the others name its row. The marks are replaced by the segment's compiled
-- query, the recipient's values, and the reasons for skipping (audience/skipping.py). These are the same for all these
-- runs; the query may use run.unit_path. A worker that finds a run's row locked leaves the run to the worker that
-- freezes it, so that it can hand over other texts in the meantime. A large run may first let only a few rows leave,
-- its canary: one row from each of as many units as possible, then others. A run with more recipients than its approval
-- allows for is held with its rows written, until a person says yes to the larger number. Of a quiz each person is asked
-- one question of the run's pool, which their id and the run's tell; a reminder of it draws as that run did, so that it
-- repeats to each person what they were asked.
WITH run AS MATERIALIZED (
    SELECT r.*, CASE WHEN r.asks ? 'pool'
                     THEN ARRAY(SELECT one::bigint FROM jsonb_array_elements_text(r.asks -> 'pool') AS one) END AS pool,
           coalesce((SELECT o.id FROM runs o
                     WHERE o.question_id = r.question_id AND o.asks ? 'kind' AND r.asks ? 'same_as'), r.id) AS drawn_by
    FROM runs r WHERE r.id = ANY (%(run_ids)s::bigint[]) AND r.status = 'freezing' FOR UPDATE OF r SKIP LOCKED
),
audience AS MATERIALIZED (
    SELECT run.id AS run_id, found.person_id, found.unit_id
    FROM run CROSS JOIN LATERAL (
        /*audience*/ SELECT id AS person_id, unit_id FROM people WHERE false /*end*/
    ) AS found (person_id, unit_id)
),
known AS (
    SELECT nextval('messages_id_seq') AS id, a.run_id, a.person_id, a.unit_id, units.path, people.phone,
           /*values*/ NULL::jsonb /*end*/ AS values,
           /*reason*/ NULL::text /*end*/ AS reason, drawn.id AS quiz_question_id
    FROM audience a
    JOIN run r ON r.id = a.run_id
    CROSS JOIN LATERAL (
        SELECT r.pool[1 + mod(hashint8extended(a.person_id, r.drawn_by) & 9223372036854775807,
                              cardinality(r.pool))::int] AS id
    ) AS drawn
    JOIN /*people*/ people /*end*/ ON people.id = a.person_id
    JOIN units ON units.id = a.unit_id
),
ranked AS (
    SELECT *, CASE WHEN reason IS NULL
                   THEN first_value(id) OVER (PARTITION BY run_id, phone, reason IS NULL ORDER BY person_id, unit_id)
                   ELSE id END AS sent_as
    FROM known
),
written AS (
    INSERT INTO messages (
        month, id, run_id, person_id, unit_id, unit_path, phone, class, template_version_id, route_id,
        status, reason, duplicate_of, not_before, expires_at, values, quiz_question_id, changed_at, carrier
    )
    SELECT r.month, k.id, r.id, k.person_id, k.unit_id, k.path, k.phone, r.class, r.template_version_id, r.route_id,
           CASE WHEN k.reason IS NULL AND k.sent_as = k.id THEN 'pending' ELSE 'skipped' END,
           CASE WHEN k.sent_as <> k.id THEN 'duplicate_phone' ELSE k.reason END,
           nullif(k.sent_as, k.id),
           r.launched_at, r.expires_at, k.values, k.quiz_question_id, sms_now(), carrier_of(k.phone)
    FROM ranked k JOIN run r ON r.id = k.run_id
    RETURNING month, id, run_id, unit_id, status, reason
),
noted AS (
    -- For the webhooks that want to know; if there is none, nothing is written.
    INSERT INTO happenings (kind, month, target_id, reason)
    SELECT 'message.' || status, month, id, reason FROM written
    WHERE 'message.' || status = ANY ((SELECT wanted_kinds())::text[])
),
size AS MATERIALIZED (
    SELECT run.id AS run_id, count(a.run_id) AS people FROM run LEFT JOIN audience a ON a.run_id = run.id GROUP BY run.id
),
canary AS (
    SELECT large.run_id, chosen.ids
    FROM (SELECT run_id FROM size WHERE people > %(canary_above)s::int) AS large
    CROSS JOIN LATERAL (
        SELECT array_agg(id) AS ids
        FROM (
            SELECT id
            FROM (
                (SELECT 1 AS turn, min(w.id) AS id, md5(w.unit_id::text) AS spread FROM written w
                 WHERE w.run_id = large.run_id AND w.status = 'pending'
                 GROUP BY w.unit_id ORDER BY 3 LIMIT %(canary_texts)s::int)
                UNION ALL
                (SELECT 2, w.id, '' FROM written w
                 WHERE w.run_id = large.run_id AND w.status = 'pending'
                 ORDER BY w.id LIMIT %(canary_texts)s::int)
            ) AS either
            GROUP BY id
            ORDER BY min(turn), id
            LIMIT %(canary_texts)s::int
        ) AS first
    ) AS chosen
)
UPDATE runs r
SET status = CASE WHEN size.people > r.most_people THEN 'held' ELSE 'running' END,
    held_for = CASE WHEN size.people > r.most_people THEN 'grown' END,
    reason = CASE WHEN size.people > r.most_people
        THEN 'it has ' || size.people || ' recipients; its approval allows for ' || r.most_people END,
    reason_message = CASE WHEN size.people > r.most_people THEN jsonb_build_object(
        'message', 'it has {people} recipients; its approval allows for {most}',
        'values', jsonb_build_object('people', size.people, 'most', r.most_people)) END,
    audience = size.people, canary = canary.ids, frozen_at = sms_now(),
    lane = CASE WHEN r.lane = 'urgent' OR r.kind <> 'campaign' THEN 'urgent'
                WHEN size.people <= %(small_up_to)s::int THEN 'small' ELSE 'bulk' END
FROM size LEFT JOIN canary ON canary.run_id = size.run_id
WHERE r.id = size.run_id
RETURNING r.id, r.audience
