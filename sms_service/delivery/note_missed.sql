-- Keeps who was not reached by a run that has closed, and forgets it of those whom it reached. Not reached: who has no
-- usable number, and whose text did not arrive for a reason that lies with the phone. If no text of the run arrived,
-- it tells nothing of anybody's phone, only of the gateway or its receipts.
WITH told AS MATERIALIZED (
    SELECT person_id, bool_or(status = 'delivered') AS reached,
           bool_or(status = 'skipped' AND reason IN ('no_phone', 'bad_number')) AS numberless,
           bool_or(status = 'no_receipt' OR (status IN ('undelivered', 'refused')
                   AND coalesce(reason, 'unclassified') IN ('bad_number', 'unreachable', 'blocked', 'unclassified'))) AS silent
    FROM messages
    WHERE month = %(month)s::date AND run_id = %(run_id)s::bigint
    GROUP BY person_id
),
forgotten AS (
    DELETE FROM missed_texts t USING told WHERE told.reached AND t.person_id = told.person_id
),
looked AS (
    INSERT INTO missed_runs (run_id, closed_at) VALUES (%(run_id)s::bigint, %(closed_at)s::timestamptz)
    ON CONFLICT (run_id) DO UPDATE SET closed_at = excluded.closed_at
)
INSERT INTO missed_texts (person_id, run_id, campaign_id, at)
SELECT person_id, %(run_id)s::bigint, %(campaign_id)s::bigint, sms_now()
FROM told
WHERE NOT reached AND (numberless OR (silent AND EXISTS (SELECT FROM told WHERE reached)))
ON CONFLICT DO NOTHING
