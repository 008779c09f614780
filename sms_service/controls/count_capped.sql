-- How many of these recipients have had as many texts of a class on a day as the caps of their units allow.
SELECT count(*)
FROM unnest(%(person_ids)s::bigint[], %(unit_ids)s::bigint[]) AS w (person_id, unit_id)
JOIN people p ON p.id = w.person_id
JOIN units u ON u.id = w.unit_id
JOIN cap_uses n ON n.phone = p.phone AND n.class = %(class_)s::text AND n.day = %(day)s::date
WHERE n.used >= find_cap(u.path, n.class)
