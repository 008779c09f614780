-- Heeds the next reports of dead phones: who has a phone that texts of two campaigns found dead is suspect. The count
-- is of all that was reported and not taken back, so it does not matter which slice a report is in, nor how often it
-- is heeded.
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
