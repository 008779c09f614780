-- Gives back the caps' places of texts that surely did not leave. In the order of phones, as the gate reserves them. One phone may
-- get back several places at once: those of several runs, when what was unknown is looked up.
WITH freed AS MATERIALIZED (
    SELECT id, phone, class, cap_day FROM messages
    WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND cap_day IS NOT NULL AND status IN ('pending', 'refused')
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
