-- The next rows of these runs, in the order of the key that has a run's recipients: whether they are of units with this
-- number of days (0: those that have none of their own), hold something personal, and will not move any more. A receipt
-- finds a text for 14 days; one that was accepted may be silent for 30, before it is said to have no receipt.
SELECT m.run_id, m.person_id, m.unit_id, m.id,
       coalesce(u.redact_after_days, 0) = %(days)s::int
           AND (m.phone IS NOT NULL OR m.text IS NOT NULL OR m.values IS NOT NULL) AS wanted,
       m.status NOT IN ('pending', 'claimed', 'submitting')
           AND m.changed_at < sms_now() - make_interval(days => CASE WHEN m.status IN ('accepted', 'unknown') THEN 31 ELSE 14 END) AS rests
FROM messages m LEFT JOIN units u ON u.id = m.unit_id
WHERE m.month = %(month)s::date AND m.run_id = ANY (%(run_ids)s::bigint[])
  AND (m.run_id, m.person_id, m.unit_id) > (%(run_id)s::bigint, %(person_id)s::bigint, %(unit_id)s::bigint)
ORDER BY m.run_id, m.person_id, m.unit_id
LIMIT %(size)s::int
