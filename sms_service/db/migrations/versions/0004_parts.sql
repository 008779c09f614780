-- Receipts of single parts, and provider ids that name a whole group.

-- From gateways.toml and from what the adapter declares, for the statement that applies receipts.
ALTER TABLE gateway_accounts
    ADD COLUMN receipt_parts TEXT DEFAULT 'all' NOT NULL,
    ADD COLUMN names_groups BOOLEAN DEFAULT false NOT NULL,
    ADD CONSTRAINT ck_gateway_accounts_receipt_parts CHECK (receipt_parts IN ('all', 'one'));

-- The parts that are known to be delivered, in the attempt's own row: whoever changes it holds the row's lock, so that two receipts
-- applied at once never miss each other.
ALTER TABLE attempts ADD COLUMN delivered_parts SMALLINT[];

-- What the provider calls each part, where it names parts.
CREATE TABLE attempt_parts (
    month DATE NOT NULL,
    attempt_id BIGINT NOT NULL,
    part SMALLINT NOT NULL,
    account_id BIGINT NOT NULL,
    provider_id TEXT NOT NULL,
    CONSTRAINT pk_attempt_parts PRIMARY KEY (month, attempt_id, part),
    CONSTRAINT ck_attempt_parts_part CHECK (part > 0)
);
CREATE INDEX ix_attempt_parts_account_id_provider_id ON attempt_parts (account_id, provider_id);
GRANT SELECT, INSERT ON attempt_parts TO sms_app;
