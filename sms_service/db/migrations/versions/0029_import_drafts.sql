CREATE TABLE import_files (
    import_id BIGINT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_import_files PRIMARY KEY (import_id),
    CONSTRAINT fk_import_files_import_id FOREIGN KEY (import_id) REFERENCES imports (id)
);
-- Not compressed, so that a slice is read without the rest; an xlsx is compressed itself.
ALTER TABLE import_files ALTER COLUMN content SET STORAGE EXTERNAL;

-- No foreign keys here and for the outcomes: they would be asked for each of a million rows that go with their import.
CREATE TABLE import_rows (
    import_id BIGINT NOT NULL,
    row BIGINT NOT NULL,
    cells TEXT NOT NULL,
    is_refused BOOLEAN NOT NULL,
    digest UUID,
    number TEXT,
    name TEXT,
    unit_id BIGINT,
    kind TEXT,
    phone TEXT,
    phone_problem TEXT,
    phone_problem_message JSONB,
    born_on TEXT,
    roles TEXT[],
    tags TEXT[],
    attributes JSONB,
    CONSTRAINT pk_import_rows PRIMARY KEY (import_id, row)
);

CREATE TABLE import_outcomes (
    import_id BIGINT NOT NULL,
    row BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    why TEXT,
    person_id BIGINT,
    twin BIGINT,
    candidates BIGINT[],
    CONSTRAINT pk_import_outcomes PRIMARY KEY (import_id, row),
    CONSTRAINT ck_import_outcomes_outcome
        CHECK (outcome IN ('created', 'changed', 'moved', 'unchanged', 'refused'))
);
CREATE INDEX ix_import_outcomes_import_id_outcome_row ON import_outcomes (import_id, outcome, row);

CREATE TABLE import_answers (
    import_id BIGINT NOT NULL,
    row BIGINT NOT NULL,
    person_id BIGINT,
    account_id BIGINT,
    CONSTRAINT pk_import_answers PRIMARY KEY (import_id, row),
    CONSTRAINT fk_import_answers_import_id FOREIGN KEY (import_id) REFERENCES imports (id),
    CONSTRAINT fk_import_answers_person_id FOREIGN KEY (person_id) REFERENCES people (id),
    CONSTRAINT fk_import_answers_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
);

CREATE TABLE column_meanings (
    unit_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    header TEXT NOT NULL,
    meaning TEXT NOT NULL,
    CONSTRAINT pk_column_meanings PRIMARY KEY (unit_id, kind, header),
    CONSTRAINT ck_column_meanings_kind CHECK (kind IN ('units', 'people')),
    CONSTRAINT fk_column_meanings_unit_id FOREIGN KEY (unit_id) REFERENCES units (id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON import_files, import_rows, import_outcomes, import_answers, column_meanings
    TO sms_app;

-- A person's attributes as a file says them: those in `names` are replaced by what it says. A birthday known to the day
-- is not replaced by the first of its month, which may stand for the month.
CREATE FUNCTION said_attributes(held JSONB, said JSONB, names TEXT[]) RETURNS JSONB LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN right(said ->> 'born_on', 3) = '-01' AND left(held ->> 'born_on', 8) = left(said ->> 'born_on', 8)
        THEN (held - names) || said || jsonb_build_object('born_on', held -> 'born_on')
        ELSE (held - names) || said END
$$;
