-- The digest of a list: SHA-256 over a line for each row, in their order, with row, person and values. PostgreSQL writes
-- the same JSON always in the same way.
UPDATE recipient_lists
SET digest = (
    SELECT sha256(convert_to(coalesce(string_agg(concat_ws(' ', row, person_id, values), E'\n' ORDER BY row), ''), 'UTF8'))
    FROM recipient_rows WHERE list_id = %(list_id)s
)
WHERE id = %(list_id)s
RETURNING digest
