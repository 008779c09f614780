-- Who a day's rows are for, by the unit for which they were found.
SELECT m.unit_path, r.unit_path AS sender_path, r.kind, r.class, r.campaign_id, m.status, m.reason,
       array_agg(DISTINCT m.person_id) AS people
FROM runs r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
WHERE r.month = %(month)s::date AND r.day = %(day)s::date AND r.audience IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7
