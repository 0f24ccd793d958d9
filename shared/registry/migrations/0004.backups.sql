-- Backups: which copies of a tenant's memory exist, and the keys that open them.
-- depends: 0001.first-tables

CREATE TABLE backup_key (
    id           text PRIMARY KEY,
    substrate_id text NOT NULL UNIQUE REFERENCES substrate,
    recipient    text NOT NULL,
    sealed       bytea NOT NULL,
    sealed_with  text NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON TABLE backup_key IS 'Deleted with its substrate: then none of its backups can be read, wherever copies of them lie.';
COMMENT ON COLUMN backup_key.recipient IS 'The public half, which backups are encrypted to (age, X25519).';
COMMENT ON COLUMN backup_key.sealed IS 'The identity that opens them, under AES-256-GCM with a secret of the key ring.';

CREATE TABLE backup (
    id           text PRIMARY KEY,
    substrate_id text NOT NULL REFERENCES substrate,
    key_id       text NOT NULL,
    reason       text NOT NULL CHECK (reason IN ('schedule', 'asked', 'upgrade')),
    state        text NOT NULL CHECK (state IN ('ready', 'leaving', 'gone')),
    store        text NOT NULL CHECK (store IN ('folder', 's3')),
    object       text NOT NULL UNIQUE,
    bytes        bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_at   timestamptz NOT NULL
);
COMMENT ON COLUMN backup.state IS 'leaving: nobody may use it any more, and its object is being removed.';
CREATE INDEX backup_substrate ON backup (substrate_id, created_at);
CREATE INDEX backup_leaving ON backup (created_at) WHERE state = 'leaving';

CREATE TABLE backup_schedule (
    substrate_id text PRIMARY KEY REFERENCES substrate,
    due_at       timestamptz NOT NULL
);
COMMENT ON TABLE backup_schedule IS 'When a substrate is backed up next; one without a row has never been looked at.';
CREATE INDEX backup_schedule_due ON backup_schedule (due_at);
