-- What no link holds and should: entries that the trigger did not see, that were deleted before they were linked
-- (`gone`), or that wait for too long.
SELECT coalesce(t.id, u.entry_id) AS id, t.at::text AS at, t.id IS NULL AS gone, u.entry_id IS NOT NULL AS waits
FROM public.trail AS t
FULL JOIN public.trail_unlinked AS u ON u.entry_id = t.id
LEFT JOIN public.trail_links AS l ON l.entry_id = t.id
WHERE l.entry_id IS NULL
    AND (u.entry_id IS NULL OR t.id IS NULL OR t.at < clock_timestamp() - make_interval(secs => %(late_s)s::float))
ORDER BY 1
