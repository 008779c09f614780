-- The days to be added up now: those that never were, once all that was under way when they were listed has ended; and
-- those that changed since, once the changes are over or have waited long enough.
-- Not those of archived months.
SELECT day FROM counted_days
WHERE rolled_at IS NULL AND barrier <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
UNION
SELECT d.day FROM day_changes c JOIN counted_days d ON d.day = c.day
WHERE d.rolled_at IS NOT NULL AND date_trunc('month', d.day)::date NOT IN (SELECT month FROM archived_months)
GROUP BY d.day
HAVING max(c.at) <= clock_timestamp() - make_interval(secs => %(quiet_s)s::float)
    OR min(c.at) <= clock_timestamp() - make_interval(secs => %(most_s)s::float)
ORDER BY day
LIMIT %(most)s::int
