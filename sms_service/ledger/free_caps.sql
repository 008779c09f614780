-- Gives back the caps' places of texts that did not leave, for certain, by any of their attempts: an unknown text that
-- a person sent again may have arrived the first time. In the order of phones, in which the gate reserves places. One
-- phone may get back places of several runs at once, when unknown texts are looked up.
WITH freed AS MATERIALIZED (
    SELECT m.id, m.phone, m.class, m.cap_day FROM messages m
    WHERE m.month = %(month)s::date AND m.id = ANY (%(ids)s::bigint[]) AND m.cap_day IS NOT NULL AND m.status IN ('pending', 'refused')
      AND NOT EXISTS (
          SELECT FROM attempts a
          WHERE a.month = %(month)s::date AND a.message_id = m.id AND a.status NOT IN ('refused', 'throttled'))
),
places AS (
    SELECT phone, class, cap_day AS day, count(*) AS number FROM freed GROUP BY phone, class, cap_day
),
locked AS MATERIALIZED (
    SELECT c.phone, c.class, c.day, p.number
    FROM cap_uses c JOIN places p USING (phone, class, day)
    ORDER BY c.phone, c.class, c.day
    FOR UPDATE OF c
),
given AS (
    UPDATE cap_uses c SET used = greatest(c.used - l.number, 0)
    FROM locked l
    WHERE c.phone = l.phone AND c.class = l.class AND c.day = l.day
)
UPDATE messages m SET cap_day = NULL FROM freed f WHERE m.month = %(month)s::date AND m.id = f.id
