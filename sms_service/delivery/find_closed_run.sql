-- The next run that has closed and whose texts were not looked at, by the time it closed. A run that went on after
-- that has closed at another time and is looked at again. Those looked at are forgotten after a day, so only what
-- closed from shortly before the last of them on is asked for; at the very beginning, 90 days.
SELECT r.id, r.month, r.campaign_id, r.closed_at
FROM runs r
WHERE r.closed_at >= coalesce((SELECT max(closed_at) FROM missed_runs) - interval '10 minutes', sms_now() - interval '90 days')
  AND r.status = 'closed' AND r.kind = 'campaign'
  AND NOT EXISTS (SELECT FROM missed_runs m WHERE m.run_id = r.id AND m.closed_at = r.closed_at)
ORDER BY r.closed_at, r.id
LIMIT 1
