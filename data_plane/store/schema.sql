-- History: only ever added to. An atom's newest version decides whether its name is live.
CREATE TABLE atom_version (
    idx            INTEGER PRIMARY KEY,
    namespace      TEXT NOT NULL,
    name           TEXT NOT NULL,
    version        INTEGER NOT NULL,
    forgotten      INTEGER NOT NULL,
    type           TEXT NOT NULL,
    content        TEXT NOT NULL,
    session        TEXT,
    actor          TEXT,
    occurred_at_ms INTEGER NOT NULL,
    tags           TEXT NOT NULL,
    source         TEXT,
    origin         TEXT,
    confidence     REAL,
    expires_at_ms  INTEGER,
    links          TEXT NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    -- The rest is never shown: what the members came to, who wrote it, and whether a likely secret was let in.
    digest         BLOB NOT NULL,
    key_id         TEXT NOT NULL,
    secrets_allowed INTEGER NOT NULL,
    UNIQUE (namespace, name, version)
) STRICT;

CREATE TRIGGER atom_version_is_never_changed BEFORE UPDATE ON atom_version
BEGIN SELECT RAISE(ABORT, 'history is never changed'); END;

CREATE TRIGGER atom_version_is_never_deleted BEFORE DELETE ON atom_version
BEGIN SELECT RAISE(ABORT, 'history is never deleted'); END;

-- The newest version of every name.
CREATE TABLE atom (
    namespace     TEXT NOT NULL,
    name          TEXT NOT NULL,
    idx           INTEGER NOT NULL REFERENCES atom_version (idx),
    version       INTEGER NOT NULL,
    live          INTEGER NOT NULL,
    type          TEXT NOT NULL,
    expires_at_ms INTEGER,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX atom_that_expires ON atom (expires_at_ms) WHERE live = 1 AND expires_at_ms IS NOT NULL;

-- What is searched: live versions only, by their place in history. The text itself is kept once, in atom_version.
CREATE VIRTUAL TABLE word USING fts5 (
    content, label, moment,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Numbers that are kept while they change, so that no request has to count.
CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally (name, value) VALUES ('live_atoms', 0), ('policy_epoch', -1), ('policy_generation', -1);

-- Answers to saves that carried an idempotency key.
CREATE TABLE idempotent_answer (
    key_id        TEXT NOT NULL,
    key           TEXT NOT NULL,
    request       BLOB NOT NULL,
    answer        TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (key_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_answer_by_age ON idempotent_answer (created_at_ms);
