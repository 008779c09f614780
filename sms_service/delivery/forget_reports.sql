-- Deletes what was reported of phones so many days ago and was heeded, the oldest first, a limited number at a time.
DELETE FROM phone_reports WHERE id IN (
    SELECT id FROM phone_reports
    WHERE at < sms_now() - make_interval(days => %(days)s::int) AND heeded_at IS NOT NULL
    ORDER BY at LIMIT %(size)s::int FOR UPDATE SKIP LOCKED
)
