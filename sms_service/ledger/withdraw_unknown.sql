-- Messages of a withdrawn group whose lease had ended before, so that the sweep made them unknown. They go again only
-- if a person says so, as after a gateway's refusal that comes as late: the run may be over by now.
UPDATE messages m
SET status = 'refused', reason = 'not_taken', raw_code = NULL, changed_at = sms_now()
FROM unnest(%(ids)s::bigint[], %(numbers)s::int[]) AS w (id, number)
WHERE m.month = %(month)s::date AND m.id = w.id AND m.attempts = w.number AND m.status || '' = 'unknown'
RETURNING m.id
