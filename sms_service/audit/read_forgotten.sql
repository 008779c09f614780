-- Entries whose values before and after are gone, although the trail has no erasure of what they are about.
SELECT t.id FROM public.trail AS t
WHERE t.personal IS NOT NULL
    AND NOT EXISTS (SELECT FROM public.trail_personal AS p WHERE p.entry_id = t.id)
    AND NOT EXISTS (
        SELECT FROM public.trail AS e
        WHERE e.target_kind = t.target_kind AND e.target_id = t.target_id AND e.act = 'person.erase' AND e.id > t.id)
ORDER BY t.id
