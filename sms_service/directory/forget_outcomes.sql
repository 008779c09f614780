-- Makes room for the decisions of the apply, which are compared with those that people have seen.
DELETE FROM import_outcomes WHERE import_id = %(import_id)s
