-- Life in time: what the clock does to subscriptions, why a substrate is restricted, deletions that can be undone, receipts.
-- depends: 0001.first-tables

ALTER TABLE subscription ADD COLUMN state_since timestamptz;
UPDATE subscription SET state_since = created_at;
ALTER TABLE subscription ALTER COLUMN state_since SET NOT NULL;
ALTER TABLE subscription ADD COLUMN canceled_from text CHECK (canceled_from IN ('trialing', 'active', 'past_due'));
COMMENT ON COLUMN subscription.due_at IS 'When the clock does the next thing to it; null when nothing is to come.';
COMMENT ON COLUMN subscription.canceled_from IS 'What it was before it was canceled, so that it can be resumed as that.';
CREATE INDEX subscription_due ON subscription (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE restriction (
    substrate_id text NOT NULL REFERENCES substrate,
    reason       text NOT NULL CHECK (reason IN ('rolled_back', 'forked', 'deletion', 'support', 'canceled', 'payment',
                                                 'storage', 'migration')),
    since        timestamptz NOT NULL,
    PRIMARY KEY (substrate_id, reason)
);
COMMENT ON TABLE restriction IS 'Why a substrate is read_only. Several may hold at once; lifting one keeps the others.';

ALTER TABLE operation ADD COLUMN held_until timestamptz;
COMMENT ON COLUMN operation.held_until IS 'Asked for and not begun: until then it can be undone, and nothing else waits for it.';
DROP INDEX operation_one_active;
CREATE UNIQUE INDEX operation_one_active ON operation (substrate_id)
    WHERE status IN ('queued', 'running') AND kind <> 'revoke_key' AND held_until IS NULL;
CREATE UNIQUE INDEX operation_one_held ON operation (substrate_id) WHERE status = 'queued' AND held_until IS NOT NULL;

CREATE TABLE receipt (
    substrate_id text PRIMARY KEY REFERENCES substrate,
    account_id   text NOT NULL REFERENCES account,
    destroyed_at timestamptz NOT NULL,
    body         jsonb NOT NULL
);
COMMENT ON TABLE receipt IS 'What was destroyed, when, and when the last backup of it ends. Holds nothing that was remembered.';
