-- Adds to how many texts by which the service answers by itself phones got on their days, and returns how many these
-- are now. The rows stay locked, in one order, so that of two who want places of several phones none waits in a circle.
INSERT INTO answer_uses AS u (day, phone, used)
SELECT day, phone, used FROM jsonb_to_recordset(%(uses)s::jsonb) AS w (day date, phone text, used smallint)
ORDER BY day, phone
ON CONFLICT (day, phone) DO UPDATE SET used = u.used + excluded.used
RETURNING day, phone, used
