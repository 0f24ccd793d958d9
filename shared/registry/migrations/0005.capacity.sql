-- Capacity: what a host declares that it can hold.
-- depends: 0001.first-tables

CREATE TABLE host (
    id                  text PRIMARY KEY,
    shared_memory_mb    bigint CHECK (shared_memory_mb >= 0),
    overcommit          double precision NOT NULL DEFAULT 1 CHECK (overcommit >= 1),
    dedicated_memory_mb bigint CHECK (dedicated_memory_mb >= 0),
    dedicated_cpus      double precision CHECK (dedicated_cpus >= 0),
    awake_tenants       integer CHECK (awake_tenants >= 0),
    disk_bytes          bigint CHECK (disk_bytes >= 0),
    declared_at         timestamptz
);
COMMENT ON TABLE host IS 'What each host may hold. Null is not declared and so not limited. Locked by whoever takes room.';
INSERT INTO host (id) VALUES ('local');
