-- The rows of one month that have this phone; and those of these people that were skipped at it, or that have no phone:
-- it was redacted, or there was none. Run by run, since the keys of messages begin with the run: an index that began
-- with the phone would cost every text that leaves, and this is asked seldom.
SELECT m.month, m.id, m.person_id, r.launched_at, coalesce(u.path, m.unit_path) AS unit_now
FROM runs r
CROSS JOIN LATERAL (
    SELECT month, id, person_id, unit_id, unit_path FROM messages
    WHERE month = %(month)s::date AND run_id = r.id AND phone = %(phone)s AND status <> 'skipped'
    UNION ALL
    SELECT month, id, person_id, unit_id, unit_path FROM messages
    WHERE month = %(month)s::date AND run_id = r.id AND person_id = ANY (%(people)s::bigint[])
      AND ((status = 'skipped' AND phone = %(phone)s) OR phone IS NULL)
) m
LEFT JOIN units u ON u.id = m.unit_id
WHERE r.month = %(month)s::date
