-- Handles the next reports of dead phones: people become suspect if texts of two campaigns found their phone dead. It
-- counts all reports that were not taken back, so it does not matter which slice a report is in, or how often it is
-- handled.
WITH waiting AS MATERIALIZED (
    SELECT id, phone FROM phone_reports
    WHERE heeded_at IS NULL AND kind = 'bad_number'
    ORDER BY id
    LIMIT %(size)s::int
    FOR UPDATE SKIP LOCKED
),
heeded AS (
    UPDATE phone_reports r SET heeded_at = sms_now() FROM waiting w WHERE r.id = w.id
),
dead AS MATERIALIZED (
    SELECT r.phone
    FROM phone_reports r JOIN runs ON runs.id = r.run_id
    WHERE r.kind = 'bad_number' AND r.phone IN (SELECT phone FROM waiting)
    GROUP BY r.phone
    HAVING count(DISTINCT runs.campaign_id) >= 2
),
marked AS (
    UPDATE people p SET suspect_since = sms_now()
    FROM dead d
    WHERE p.phone = d.phone AND p.suspect_since IS NULL
    RETURNING p.id
)
SELECT count(*) AS suspect FROM marked
