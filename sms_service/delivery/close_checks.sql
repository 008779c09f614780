-- Closes checks that need no answer any more: the person has left or is known to be out of reach, or is reached again
-- (a text arrived, or the number that seemed dead is no longer theirs). Only open ones are read.
UPDATE lost_checks c
SET answer = CASE WHEN p.left_at IS NOT NULL OR p.lost_contact THEN 'gone' ELSE 'reached' END, answered_at = sms_now()
FROM people p
WHERE p.id = c.person_id AND c.answer IS NULL
  AND (p.left_at IS NOT NULL OR p.lost_contact
       OR (c.cause = 'dead_number' AND p.suspect_since IS NULL)
       OR (c.cause = 'other_person' AND NOT EXISTS (
           SELECT FROM suppressions s
           WHERE s.phone = p.phone AND s.reason = 'wrong_person' AND s.lifted_at IS NULL))
       OR (c.cause = 'not_reached' AND NOT EXISTS (SELECT FROM missed_texts t WHERE t.person_id = p.id)))
