-- People who are not suspect any more: a text has arrived since, which took the reports back, or they have another
-- phone. Suspects are few, and a partial index has them.
UPDATE people p SET suspect_since = NULL
WHERE p.suspect_since IS NOT NULL
  AND (SELECT count(DISTINCT runs.campaign_id) FROM phone_reports r JOIN runs ON runs.id = r.run_id
       WHERE r.phone = p.phone AND r.kind = 'bad_number') < 2
