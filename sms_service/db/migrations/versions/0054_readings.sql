-- What a campaign's texts ask; part of what is approved. A run carries a copy, as it does of its text.
ALTER TABLE campaigns ADD COLUMN IF NOT EXISTS asks JSONB;
ALTER TABLE campaign_items ADD COLUMN IF NOT EXISTS asks JSONB;
ALTER TABLE runs ADD COLUMN IF NOT EXISTS asks JSONB, ADD COLUMN IF NOT EXISTS question_id BIGINT;

-- What a reply means, by which rule, and where it waits for a person.
ALTER TABLE replies
    ADD COLUMN IF NOT EXISTS rule TEXT,
    ADD COLUMN IF NOT EXISTS question_id BIGINT,
    ADD COLUMN IF NOT EXISTS inbox_status TEXT,
    ADD COLUMN IF NOT EXISTS assigned_to BIGINT,
    ADD COLUMN IF NOT EXISTS read_by BIGINT;
ALTER TABLE replies DROP CONSTRAINT IF EXISTS ck_replies_meaning;
-- Not valid: rows of before have 'stop' or nothing, and nobody waits until all are read.
ALTER TABLE replies ADD CONSTRAINT ck_replies_meaning CHECK (meaning IN (
    'stop', 'resume', 'yes', 'no', 'choice', 'wrong_person', 'free_text', 'ambiguous', 'empty', 'automatic')) NOT VALID;
ALTER TABLE replies DROP CONSTRAINT IF EXISTS ck_replies_inbox_status;
ALTER TABLE replies ADD CONSTRAINT ck_replies_inbox_status CHECK (
    inbox_status IN ('unread', 'assigned', 'answered', 'closed')) NOT VALID;
