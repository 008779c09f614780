-- Gives back the caps' places of texts that surely did not leave. In the order of phones, as the gate reserves them.
WITH freed AS MATERIALIZED (
    SELECT id, phone, class, cap_day FROM messages
    WHERE month = %(month)s::date AND id = ANY (%(ids)s::bigint[]) AND cap_day IS NOT NULL AND status IN ('pending', 'refused')
),
locked AS MATERIALIZED (
    SELECT c.phone, c.class, c.day
    FROM cap_uses c JOIN freed f ON c.phone = f.phone AND c.class = f.class AND c.day = f.cap_day
    ORDER BY c.phone
    FOR UPDATE OF c
),
given AS (
    UPDATE cap_uses c SET used = c.used - 1
    FROM locked l
    WHERE c.phone = l.phone AND c.class = l.class AND c.day = l.day AND c.used > 0
)
UPDATE messages m SET cap_day = NULL FROM freed f WHERE m.month = %(month)s::date AND m.id = f.id
