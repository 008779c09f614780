-- The runs that are frozen and have no post yet for a channel of their campaign. Found by the active campaigns that
-- have channels (an index of them alone) and, of each, the runs of the last two days: a clock that was away for longer
-- posts nothing that is so old; what goes to those who joined a series late was posted before. A campaign is active
-- until the clock has ended it, which comes after this.
SELECT r.id AS run_id, r.unit_id, r.template_version_id, r.values, r.signature, r.segment_rule, r.audience, r.due_at,
       r.expires_at, c.name, u.name AS unit, u.timezone, v.body, ch.id AS channel_id,
       ch.state <> 'removed' AND u.path ^@ owner.path AS usable
FROM campaigns c
JOIN runs r ON r.campaign_id = c.id AND r.frozen_at > sms_now() - interval '2 days'
JOIN units u ON u.id = r.unit_id
JOIN template_versions v ON v.id = r.template_version_id
CROSS JOIN LATERAL unnest(c.channels) AS wanted (channel_id)
JOIN channels ch ON ch.id = wanted.channel_id
JOIN units owner ON owner.id = ch.unit_id
WHERE c.status = 'active' AND c.channels <> '{}'
  AND r.kind = 'campaign' AND r.status <> 'cancelled'
  AND NOT (r.of_cohort AND r.firing > 1)
  AND NOT EXISTS (SELECT FROM channel_posts p WHERE p.run_id = r.id AND p.channel_id = ch.id)
ORDER BY r.id, ch.id
LIMIT 200
