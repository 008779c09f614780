-- Forgets who was not reached a year ago, and which runs were looked at more than a day before the last.
WITH texts AS (
    DELETE FROM missed_texts WHERE at < sms_now() - interval '365 days'
)
DELETE FROM missed_runs WHERE closed_at < (SELECT max(closed_at) FROM missed_runs) - interval '1 day'
