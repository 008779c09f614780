-- Adds up a day's rows for each unit above them, as the tree was when they were frozen. Most texts have one attempt,
-- whose parts are the text's (as in counts.py). The rows of the upper units are written first, so that a question about
-- them reads few pages.
WITH counted AS MATERIALIZED (
    SELECT m.unit_path, r.unit_path AS sender_path, r.kind, r.class, r.campaign_id,
           CASE WHEN r.campaign_id IS NOT NULL THEN r.item END AS item, CASE r.kind WHEN 'campaign' THEN r.id END AS run_id,
           r.template_version_id,
           m.account_id, coalesce(m.carrier, carrier_of(m.phone)) AS carrier, m.status, m.reason, m.raw_code,
           count(*) AS messages,
           coalesce(sum(CASE
               WHEN m.attempts = 0 THEN 0
               WHEN m.attempts = 1 AND m.status IN ('accepted', 'no_receipt', 'undelivered', 'delivered')
                   AND m.parts IS NOT NULL THEN m.parts
               WHEN m.attempts = 1 AND m.status IN ('submitting', 'unknown', 'refused') THEN 0
               ELSE (SELECT coalesce(sum(a.parts), 0) FROM attempts a
                     WHERE a.month = %(month)s::date AND a.message_id = m.id
                       AND a.status IN ('accepted', 'no_receipt', 'undelivered', 'delivered'))
           END), 0) AS parts
    FROM runs r JOIN messages m ON m.month = %(month)s::date AND m.run_id = r.id
    WHERE r.month = %(month)s::date AND r.day = %(day)s::date AND r.audience IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
)
INSERT INTO daily_counts (
    day, unit_id, parent_id, own, sender_path, kind, class, campaign_id, item, run_id, template_version_id, account_id,
    carrier, status, reason, raw_code, messages, parts
)
SELECT %(day)s::date, u.id, u.parent, u.own, sender_path, kind, class, campaign_id, item, run_id, template_version_id,
       account_id, carrier, status, reason, raw_code, sum(messages), sum(parts)
FROM counted
CROSS JOIN LATERAL (SELECT string_to_array(trim(both '/' FROM unit_path), '/')::bigint[] AS ids) p
CROSS JOIN LATERAL (
    SELECT one.id, coalesce(p.ids[one.level - 1], 0) AS parent, one.level, one.level = cardinality(p.ids) AS own
    FROM unnest(p.ids) WITH ORDINALITY AS one (id, level)
) u
GROUP BY u.level, u.parent, u.id, u.own, sender_path, kind, class, campaign_id, item, run_id, template_version_id,
         account_id, carrier, status, reason, raw_code
ORDER BY u.level, u.parent, u.id
