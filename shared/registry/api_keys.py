"""API keys and their secrets: every statement that touches `api_key` and `api_key_secret`.

A key is what a customer names; a secret is what opens the door. A key in rotation has two secrets.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from shared.contracts.policy import Ended, KeyGrant, Scope
from shared.kernel.clock import to_ms
from shared.kernel.errors import AppError
from shared.kernel.ids import KeyId, KeySecretId, MemberId, SubstrateId
from shared.keys.format import Digest
from shared.lifecycle.api_key import State
from shared.registry.database import Row, Tx

REFUSAL_KEPT_FOR: Final = timedelta(days=30)
"""How long a secret that is over is still refused with what happened to it; later it is unknown."""

ENDED_MOST_OF_KEY: Final = 5
"""Of the secrets of one key that are over, so many of the newest stay in the policy."""

ENDED_MOST: Final = 300
"""And so many of a substrate: a policy must stay small enough to be carried, whatever a customer does."""


class KeyNameTaken(AppError):
    """Another live key of this substrate has the name."""

    code = "key_name_taken"
    status = 409
    public = "This substrate has a key called “{name}” already."
    next_action = "Choose another name, or revoke that key first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A named key, as it is shown: without any secret."""

    id: KeyId
    substrate: SubstrateId
    name: str
    prefix: str
    """The first eight characters of its newest secret."""
    scopes: tuple[Scope, ...]
    namespaces: tuple[str, ...] | None
    member: MemberId | None
    state: State
    created_at: datetime
    expires_at: datetime | None
    claim_by: datetime | None
    claimed_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_client: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One secret of a key, as the registry holds it. `sealed` is present until the claim only."""

    id: KeySecretId
    key: KeyId
    digest: Digest
    prefix: str
    created_at: datetime
    not_after: datetime | None
    sealed: bytes | None = None
    sealed_with: str | None = None

    def __repr__(self) -> str:
        """Without digest and sealed copy."""
        return f"Secret(id={self.id!r}, key={self.key!r})"


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """What a claim takes out of the registry, once."""

    id: KeySecretId
    sealed: bytes
    sealed_with: str


async def insert(tx: Tx, key: Key) -> None:
    """A new key, without a secret yet.

    Raises:
        KeyNameTaken: a live key of the substrate has this name (case does not matter).
    """
    try:
        await tx.run(
            """
            INSERT INTO api_key (id, substrate_id, name, scopes, namespaces, member_id, state, created_at, expires_at,
                                 claim_by)
            VALUES (:id, :substrate, :name, :scopes, :namespaces, :member, :state, :created_at, :expires_at, :claim_by)
            """,
            {
                "id": key.id,
                "substrate": key.substrate,
                "name": key.name,
                "scopes": [scope.value for scope in key.scopes],
                "namespaces": list(key.namespaces) if key.namespaces is not None else None,
                "member": key.member,
                "state": key.state.value,
                "created_at": key.created_at,
                "expires_at": key.expires_at,
                "claim_by": key.claim_by,
            },
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "api_key_name":
            raise KeyNameTaken(shown={"name": key.name}) from None
        raise


async def insert_secret(tx: Tx, secret: Secret) -> None:
    """A new secret of a key."""
    await tx.run(
        """
        INSERT INTO api_key_secret (id, key_id, digest, prefix, created_at, not_after, sealed, sealed_with)
        VALUES (:id, :key, :digest, :prefix, :created_at, :not_after, :sealed, :sealed_with)
        """,
        {
            "id": secret.id,
            "key": secret.key,
            "digest": secret.digest,
            "prefix": secret.prefix,
            "created_at": secret.created_at,
            "not_after": secret.not_after,
            "sealed": secret.sealed,
            "sealed_with": secret.sealed_with,
        },
    )


async def find(tx: Tx, substrate: SubstrateId, key: KeyId) -> Key | None:
    """One key of one substrate."""
    row = await tx.row(
        f"{_SELECT} WHERE k.id = :key AND k.substrate_id = :substrate", {"key": key, "substrate": substrate}
    )
    return _key(row) if row else None


async def list_of(tx: Tx, substrate: SubstrateId) -> list[Key]:
    """A substrate's keys, the oldest first, revoked ones too."""
    rows = await tx.rows(
        f"{_SELECT} WHERE k.substrate_id = :substrate ORDER BY k.created_at, k.id", {"substrate": substrate}
    )
    return [_key(row) for row in rows]


async def count_live(tx: Tx, substrate: SubstrateId) -> int:
    """How many keys count against the plan: all that are not revoked."""
    found: int = await tx.value(
        "SELECT count(*) FROM api_key WHERE substrate_id = :substrate AND state <> 'revoked'", {"substrate": substrate}
    )
    return found


async def claim_sealed(tx: Tx, substrate: SubstrateId, key: KeyId, now: datetime) -> SealedSecret | None:
    """Take the sealed copy out and destroy it, in one statement; of any number of callers one gets it.

    The inner query locks and returns the copy that the update then clears; whoever waited for the lock finds it gone.
    """
    row = await tx.row(
        """
        WITH taken AS (
            SELECT s.id, s.sealed, s.sealed_with
              FROM api_key_secret s
              JOIN api_key k ON k.id = s.key_id
             WHERE k.id = :key AND k.substrate_id = :substrate AND k.state = 'unclaimed'
               AND s.sealed IS NOT NULL AND s.ended IS NULL AND (k.claim_by IS NULL OR k.claim_by > :now)
               FOR UPDATE OF s, k
        ), emptied AS (
            UPDATE api_key_secret SET sealed = NULL, sealed_with = NULL WHERE id IN (SELECT id FROM taken)
        ), claimed AS (
            UPDATE api_key SET state = 'live', claimed_at = :now, claim_by = NULL
             WHERE id = :key AND EXISTS (SELECT 1 FROM taken)
        )
        SELECT id, sealed, sealed_with FROM taken
        """,
        {"key": key, "substrate": substrate, "now": now},
    )
    return SealedSecret(row["id"], row["sealed"], row["sealed_with"]) if row else None


async def update_state(
    tx: Tx, substrate: SubstrateId, key: KeyId, *, was: State, becomes: State, now: datetime
) -> bool:
    """Move a key on; `False` when somebody else has moved it meanwhile."""
    changed = await tx.run(
        """
        UPDATE api_key
           SET state = :becomes,
               revoked_at = CASE WHEN :becomes = 'revoked' THEN :now ELSE revoked_at END
         WHERE id = :key AND substrate_id = :substrate AND state = :was
        """,
        {"key": key, "substrate": substrate, "was": was.value, "becomes": becomes.value, "now": now},
    )
    return changed == 1


async def update_secrets_ended(tx: Tx, key: KeyId, ended: Ended, now: datetime) -> None:
    """End every secret of a key that has not ended, and destroy sealed copies."""
    await tx.run(
        """
        UPDATE api_key_secret
           SET ended = coalesce(ended, :ended), ended_at = least(coalesce(ended_at, :now), :now),
               sealed = NULL, sealed_with = NULL
         WHERE key_id = :key
        """,
        {"key": key, "ended": ended.value, "now": now},
    )


async def update_secrets_rotated(tx: Tx, key: KeyId, now: datetime, until: datetime) -> datetime | None:
    """End the secret in use at `until`, and one that is already in its grace at once; destroy sealed copies.

    No end is ever moved to later. Returns when the last of them stops working, or `None` when none works now.
    """
    rows = await tx.rows(
        """
        UPDATE api_key_secret
           SET ended_at = CASE WHEN ended IS NULL THEN :until ELSE least(ended_at, :now) END,
               ended = coalesce(ended, 'rotated'),
               sealed = NULL, sealed_with = NULL
         WHERE key_id = :key
        RETURNING least(ended_at, not_after) AS works_until
        """,
        {"key": key, "now": now, "until": until},
    )
    return max((row["works_until"] for row in rows if row["works_until"] > now), default=None)


async def list_claim_over(tx: Tx, now: datetime, limit: int) -> list[SubstrateId]:
    """Substrates with a key that nobody claimed in time."""
    rows = await tx.rows(
        """
        SELECT DISTINCT substrate_id FROM api_key
         WHERE state = 'unclaimed' AND claim_by <= :now
         ORDER BY substrate_id
         LIMIT :limit
        """,
        {"now": now, "limit": limit},
    )
    return [row["substrate_id"] for row in rows]


async def update_last_used(tx: Tx, substrate: SubstrateId, key: KeyId, at: datetime, client: str | None) -> None:
    """Note a later use; an earlier one changes nothing."""
    await tx.run(
        """
        UPDATE api_key SET last_used_at = :at, last_client = coalesce(:client, last_client)
         WHERE id = :key AND substrate_id = :substrate AND (last_used_at IS NULL OR last_used_at < :at)
        """,
        {"key": key, "substrate": substrate, "at": at, "client": client},
    )


async def count_secrets_since(tx: Tx, substrate: SubstrateId, since: datetime) -> tuple[int, datetime | None]:
    """How many secrets a substrate was given after a moment, whatever became of them, and when the first of these."""
    row = await tx.row(
        """
        SELECT count(*) AS made, min(s.created_at) AS first
          FROM api_key_secret s
          JOIN api_key k ON k.id = s.key_id
         WHERE k.substrate_id = :substrate AND s.created_at > :since
        """,
        {"substrate": substrate, "since": since},
    )
    return (row["made"], row["first"]) if row else (0, None)


async def list_grants(tx: Tx, substrate: SubstrateId, now: datetime) -> tuple[KeyGrant, ...]:
    """A substrate's secrets as its policy names them: all that work, and the newest of those that are over.

    Those let a refusal say what happened. They are bounded in time and number; a secret that is not named is refused
    as unknown.
    """
    rows = await tx.rows(
        """
        WITH secret AS (
            SELECT k.id, k.name, k.scopes, k.namespaces, s.id AS secret_id, s.digest, s.created_at, s.not_after,
                   s.ended, s.ended_at, coalesce(least(s.ended_at, s.not_after) <= :now, false) AS is_over,
                   least(s.ended_at, s.not_after) AS over_at
              FROM api_key_secret s
              JOIN api_key k ON k.id = s.key_id
             WHERE k.substrate_id = :substrate
               AND coalesce(least(s.ended_at, s.not_after) > :kept_since, true)
        ), in_key AS (
            SELECT *, row_number() OVER (PARTITION BY id, is_over ORDER BY created_at DESC, secret_id DESC) AS place
              FROM secret
        ), in_substrate AS (
            SELECT *, row_number() OVER (PARTITION BY is_over ORDER BY over_at DESC, secret_id DESC) AS place_of_all
              FROM in_key
             WHERE NOT is_over OR place <= :most_of_key
        )
        SELECT * FROM in_substrate
         WHERE NOT is_over OR place_of_all <= :most
         ORDER BY created_at, secret_id
        """,
        {
            "substrate": substrate,
            "now": now,
            "kept_since": now - REFUSAL_KEPT_FOR,
            "most_of_key": ENDED_MOST_OF_KEY,
            "most": ENDED_MOST,
        },
    )
    return tuple(
        KeyGrant(
            key_id=row["id"],
            name=row["name"],
            digest=row["digest"],
            scopes=tuple(Scope(scope) for scope in row["scopes"]),
            namespaces=tuple(row["namespaces"]) if row["namespaces"] is not None else None,
            not_before_ms=to_ms(row["created_at"]),
            not_after_ms=to_ms(row["not_after"]) if row["not_after"] else None,
            ended=Ended(row["ended"]) if row["ended"] else None,
            ended_at_ms=to_ms(row["ended_at"]) if row["ended_at"] else None,
        )
        for row in rows
    )


async def delete_of(tx: Tx, substrate: SubstrateId) -> None:
    """Forget every key and secret of a substrate that is gone."""
    await tx.run("DELETE FROM api_key WHERE substrate_id = :substrate", {"substrate": substrate})


_SELECT = """
    SELECT k.*, (SELECT s.prefix FROM api_key_secret s WHERE s.key_id = k.id ORDER BY s.created_at DESC, s.id LIMIT 1)
               AS prefix
      FROM api_key k
"""


def _key(row: Row) -> Key:
    return Key(
        id=row["id"],
        substrate=row["substrate_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(Scope(scope) for scope in row["scopes"]),
        namespaces=tuple(row["namespaces"]) if row["namespaces"] is not None else None,
        member=row["member_id"],
        state=State(row["state"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        claim_by=row["claim_by"],
        claimed_at=row["claimed_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        last_client=row["last_client"],
    )
