-- Every link in its order with the entry that it names and what lies beside it, as the database wrote them, in the
-- forms of which link_trail makes the digest. It calls no function of ours, which might have been replaced. Read by a
-- cursor: a trail of years does not fit into memory.
SELECT l.position, l.entry_id, l.digest, t.id,
    to_jsonb(l.at AT TIME ZONE 'UTC') #>> '{}' AS linked_at,
    lag(l.at) OVER (ORDER BY l.position) > l.at AS earlier,
    to_jsonb(t.at AT TIME ZONE 'UTC') #>> '{}' AS at,
    t.account_id, t.act, t.target_kind, t.target_id, t.unit_path, t.details::text AS details, t.origin, t.personal,
    p.salt, p.changes
FROM public.trail_links AS l
LEFT JOIN public.trail AS t ON t.id = l.entry_id
LEFT JOIN public.trail_personal AS p ON p.entry_id = t.id
ORDER BY l.position
