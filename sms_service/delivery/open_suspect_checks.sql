-- Asks the branches about suspects of whom they are not asked yet. Suspects are few, and a partial index has them.
INSERT INTO lost_checks (person_id, cause, campaigns, opened_at)
SELECT p.id, 'dead_number',
       (SELECT count(DISTINCT runs.campaign_id) FROM phone_reports r JOIN runs ON runs.id = r.run_id
        WHERE r.phone = p.phone AND r.kind = 'bad_number'),
       sms_now()
FROM people p
WHERE p.suspect_since IS NOT NULL AND p.left_at IS NULL AND NOT p.lost_contact
  AND NOT EXISTS (SELECT FROM lost_checks c WHERE c.person_id = p.id AND c.answer IS NULL)
ON CONFLICT (person_id) WHERE answer IS NULL DO NOTHING
