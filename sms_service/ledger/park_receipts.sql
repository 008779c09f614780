-- Receipts that match no text so far are tried again: at first after 2 s, in the end about every hour, for seven days;
-- then they are only listed. Each has its own time, so that many foreign receipts do not delay others.
UPDATE receipts r
SET tries = least(r.tries + 1, 30000),
    next_try_at = CASE
        WHEN r.received_at < sms_now() - interval '7 days' THEN 'infinity'
        ELSE sms_now() + make_interval(secs => least(3600, 2 ^ least(r.tries + 1, 12)))
    END,
    note = t.note
FROM unnest(%(ids)s::bigint[], %(notes)s::text[]) AS t (id, note)
WHERE r.in_month = %(in_month)s::date AND r.id = t.id
