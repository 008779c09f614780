-- The months with replies that are not matched yet: one probe for each month.
SELECT s.m::date AS in_month
FROM generate_series(date_trunc('month', sms_now()) - interval '12 months', date_trunc('month', sms_now()) + interval '1 month', '1 month') AS s (m)
CROSS JOIN LATERAL (SELECT FROM replies WHERE in_month = s.m::date AND matched_at IS NULL LIMIT 1) waiting
ORDER BY s.m
