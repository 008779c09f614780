-- Adds what replies of a batch answer to questions. An answer that the reply gave before, as a part of a long one, is
-- void.
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(answers)s::json) AS g (
        reply_id bigint, question_id bigint, month date, message_id bigint, person_id bigint, unit_path text, said text,
        choices text, people smallint, correct boolean, at timestamptz)
)
INSERT INTO answers (
    question_id, month, message_id, person_id, unit_path, said, choices, people, correct, at, reply_in_month, reply_id)
SELECT question_id, month, message_id, person_id, unit_path, said, choices, people, correct, at, %(in_month)s::date, reply_id
FROM given
ON CONFLICT (reply_id) WHERE voided_at IS NULL DO NOTHING
