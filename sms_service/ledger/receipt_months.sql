-- The months of parked receipts that are due: one probe for each month of the last year, and one month ahead, since a
-- clock may be set back. Most often only the present month has any: a receipt is tried for seven days, and once more
-- after a long outage.
SELECT s.m::date AS in_month
FROM generate_series(date_trunc('month', sms_now()) - interval '12 months', date_trunc('month', sms_now()) + interval '1 month', '1 month') AS s (m)
CROSS JOIN LATERAL (
    SELECT FROM receipts WHERE in_month = s.m::date AND applied_at IS NULL AND next_try_at <= sms_now() LIMIT 1
) due
ORDER BY s.m
