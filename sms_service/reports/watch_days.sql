-- Lists days that are over and have rows, so that their changes are noted from now on; the oldest first. A run's day is
-- the one on which it was launched, so beside the newest ones listed there are only those of other time zones.
INSERT INTO counted_days (day)
SELECT DISTINCT day FROM runs
WHERE audience IS NOT NULL AND day < %(today)s::date
  AND day >= coalesce((SELECT max(day) FROM counted_days) - 3, '-infinity')
  AND NOT EXISTS (SELECT FROM counted_days d WHERE d.day = runs.day)
ORDER BY day
LIMIT %(most)s::int
ON CONFLICT DO NOTHING
