-- The registry: who has subscribed, what runs for them, which keys open it, and what work is under way.
-- depends:

CREATE TABLE registry (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    integer NOT NULL CHECK (epoch > 0)
);
COMMENT ON COLUMN registry.epoch IS 'Grows when a backup is restored, so that policies signed since then lose.';
INSERT INTO registry (epoch) VALUES (1);

CREATE TABLE account (
    id         text PRIMARY KEY,
    created_at timestamptz NOT NULL,
    closed_at  timestamptz
);

CREATE TABLE member (
    id                 text PRIMARY KEY,
    account_id         text NOT NULL REFERENCES account,
    email              text NOT NULL CHECK (email = lower(email)),
    password_hash      text NOT NULL,
    role               text NOT NULL CHECK (role IN ('owner', 'member')),
    created_at         timestamptz NOT NULL,
    email_confirmed_at timestamptz
);
CREATE UNIQUE INDEX member_email ON member (email);
CREATE INDEX member_account ON member (account_id);

CREATE TABLE account_token (
    id         text PRIMARY KEY,
    member_id  text NOT NULL REFERENCES member,
    digest     bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX account_token_member ON account_token (member_id);

CREATE TABLE login_failure (
    subject bytea NOT NULL,
    at      timestamptz NOT NULL
);
COMMENT ON COLUMN login_failure.subject IS 'SHA-256 of the mail address or network prefix that failed: no address is kept.';
CREATE INDEX login_failure_subject ON login_failure (subject, at);

CREATE TABLE subscription (
    id             text PRIMARY KEY,
    account_id     text NOT NULL REFERENCES account,
    plan           text NOT NULL,
    terms          jsonb NOT NULL,
    trial          boolean NOT NULL,
    state          text NOT NULL CHECK (state IN ('trialing', 'active', 'past_due', 'canceled', 'ended')),
    created_at     timestamptz NOT NULL,
    period_ends_at timestamptz NOT NULL,
    due_at         timestamptz
);
COMMENT ON COLUMN subscription.terms IS 'The row of the plan table under which it was taken: a plan in use keeps its terms.';
CREATE UNIQUE INDEX subscription_one_trial ON subscription (account_id) WHERE trial;
CREATE INDEX subscription_account ON subscription (account_id);

CREATE SEQUENCE tenant_uid MINVALUE 200000 MAXVALUE 2000000000 NO CYCLE;

CREATE TABLE substrate (
    id                  text PRIMARY KEY,
    account_id          text NOT NULL REFERENCES account,
    subscription_id     text NOT NULL REFERENCES subscription,
    slug                text NOT NULL UNIQUE CHECK (slug ~ '^[a-z2-7]{10}$'),
    uid                 integer NOT NULL UNIQUE DEFAULT nextval('tenant_uid'),
    status              text NOT NULL CHECK (status IN
                            ('provisioning', 'running', 'read_only', 'suspended', 'failed', 'deleting', 'deleted')),
    status_reason       text,
    generation          integer NOT NULL DEFAULT 1,
    observed            text NOT NULL DEFAULT 'absent' CHECK (observed IN ('absent', 'running', 'unknown')),
    observed_generation integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL,
    ready_at            timestamptz,
    deleted_at          timestamptz
);
COMMENT ON COLUMN substrate.slug IS 'Never reused: the row stays when the substrate is gone.';
CREATE INDEX substrate_account ON substrate (account_id);

CREATE TABLE substrate_usage (
    substrate_id    text PRIMARY KEY REFERENCES substrate,
    atoms           bigint NOT NULL,
    storage_bytes   bigint NOT NULL,
    bootstraps      bigint NOT NULL,
    month           text NOT NULL,
    last_request_at timestamptz,
    last_client     text,
    observed_at     timestamptz NOT NULL
);

CREATE TABLE api_key (
    id              text PRIMARY KEY,
    substrate_id    text NOT NULL REFERENCES substrate,
    name            text NOT NULL,
    scopes          text[] NOT NULL,
    namespaces      text[],
    member_id       text REFERENCES member,
    state           text NOT NULL CHECK (state IN ('unclaimed', 'live', 'unclaimed_expired', 'revoked')),
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    claim_by        timestamptz,
    claimed_at      timestamptz,
    revoked_at      timestamptz,
    last_used_at    timestamptz,
    last_client     text
);
CREATE UNIQUE INDEX api_key_name ON api_key (substrate_id, lower(name)) WHERE state <> 'revoked';

CREATE TABLE api_key_secret (
    id             text PRIMARY KEY,
    key_id         text NOT NULL REFERENCES api_key ON DELETE CASCADE,
    digest         text NOT NULL UNIQUE CHECK (digest ~ '^[0-9a-f]{64}$'),
    prefix         text NOT NULL CHECK (length(prefix) = 8),
    created_at     timestamptz NOT NULL,
    not_after      timestamptz,
    ended          text CHECK (ended IN ('revoked', 'rotated')),
    ended_at       timestamptz,
    sealed         bytea,
    sealed_with    text,
    CHECK ((sealed IS NULL) = (sealed_with IS NULL))
);
COMMENT ON COLUMN api_key_secret.sealed IS 'The secret under AES-256-GCM until it is claimed; the claim destroys it.';
CREATE INDEX api_key_secret_key ON api_key_secret (key_id);
CREATE INDEX api_key_secret_prefix ON api_key_secret (prefix);

CREATE TABLE policy (
    substrate_id            text PRIMARY KEY REFERENCES substrate,
    epoch                   integer NOT NULL,
    generation              integer NOT NULL,
    jws                     text NOT NULL,
    signed_at               timestamptz NOT NULL,
    acknowledged_epoch      integer NOT NULL DEFAULT 0,
    acknowledged_generation integer NOT NULL DEFAULT 0,
    acknowledged_at         timestamptz,
    push_due_at             timestamptz
);
COMMENT ON COLUMN policy.push_due_at IS 'When the sweep carries it again; null while the tenant is not up or has it.';
CREATE INDEX policy_push_due ON policy (push_due_at) WHERE push_due_at IS NOT NULL;

CREATE TABLE operation (
    id           text PRIMARY KEY,
    kind         text NOT NULL,
    account_id   text NOT NULL REFERENCES account,
    substrate_id text NOT NULL REFERENCES substrate,
    status       text NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    step         text,
    steps        jsonb NOT NULL DEFAULT '[]',
    attempts     integer NOT NULL DEFAULT 0,
    error        jsonb,
    facts        jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    deadline_at  timestamptz NOT NULL,
    finished_at  timestamptz,
    lease_owner  text,
    lease_number bigint NOT NULL DEFAULT 0,
    lease_until  timestamptz
);
COMMENT ON COLUMN operation.lease_number IS 'Grows with every lease; each write by a worker repeats the number it holds.';
CREATE UNIQUE INDEX operation_one_active ON operation (substrate_id)
    WHERE status IN ('queued', 'running') AND kind <> 'revoke_key';
CREATE INDEX operation_due ON operation (due_at) WHERE status IN ('queued', 'running');
CREATE INDEX operation_substrate ON operation (substrate_id, created_at);

CREATE TABLE audit (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   text NOT NULL REFERENCES account,
    at           timestamptz NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('member', 'staff', 'system')),
    actor_id     text NOT NULL,
    action       text NOT NULL,
    substrate_id text,
    facts        jsonb NOT NULL
);
CREATE INDEX audit_account ON audit (account_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE idempotency (
    scope       text NOT NULL,
    key         text NOT NULL,
    request     bytea NOT NULL,
    status      integer NOT NULL,
    body        jsonb,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
COMMENT ON COLUMN idempotency.request IS 'SHA-256 of method, path and body: the same key for another request is refused.';
COMMENT ON COLUMN idempotency.body IS 'Null when the answer held a secret: that is never stored.';
