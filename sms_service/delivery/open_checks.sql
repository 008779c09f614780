-- Asks the branches about people whom a run did not reach, nor campaigns before it: as many in a row as it takes.
INSERT INTO lost_checks (person_id, cause, campaigns, opened_at)
SELECT p.id, 'not_reached', missed.campaigns, sms_now()
FROM (
    SELECT person_id, count(DISTINCT campaign_id) AS campaigns
    FROM missed_texts
    WHERE person_id IN (SELECT person_id FROM missed_texts WHERE run_id = %(run_id)s::bigint)
    GROUP BY person_id
    HAVING count(DISTINCT campaign_id) >= %(campaigns)s::int
) AS missed
JOIN people p ON p.id = missed.person_id
WHERE p.left_at IS NULL AND NOT p.lost_contact
ON CONFLICT (person_id) WHERE answer IS NULL DO NOTHING
