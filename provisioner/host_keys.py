"""The key ring as this host needs it: who may sign policies, what probes come from, what seals backups' keys.

Read again each time, because a ring is renewed by adding a file; a handful of small files costs microseconds.
"""

from pathlib import Path

from shared.contracts.policy import Trust
from shared.contracts.signed_policy import trusted_key
from shared.kernel import secret_files
from shared.kernel.ids import SubstrateId
from shared.kernel.secret_files import Secret
from shared.keys import probe


class HostKeys:
    """Secrets in the state folder."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the state folder's `secrets`."""
        self._folder = folder

    def trust(self) -> Trust:
        """The public halves of every key that may sign policies, the newest first."""
        ring = secret_files.load(self._folder, secret_files.SIGNING)
        return Trust(keys=tuple(trusted_key(key_id=key.id, seed=key.value) for key in ring))

    def backup_ring(self) -> list[Secret]:
        """What the keys of tenants' backups are sealed with, the newest first."""
        return secret_files.load(self._folder, secret_files.BACKUP)

    def probe_tokens(self, substrate: SubstrateId, order: tuple[int, int]) -> list[str]:
        """The probe of one policy, for each secret it may have been derived from, the likeliest first."""
        ring = secret_files.load(self._folder, secret_files.PROBE)
        return [
            probe.secret_for(secret.value, substrate=substrate, epoch=order[0], generation=order[1]) for secret in ring
        ]
