"""The probe: a secret that the host derives for one policy, and that opens `whoami` only.

Control plane and provisioner hold the same secret file; the policy carries the probe's digest, so nothing has to be
handed over. The tenant's server sees its own probe only.
"""

import hashlib
import hmac
from typing import Final

PREFIX: Final = "lpb_"


def secret_for(ring: bytes, *, substrate: str, epoch: int, generation: int) -> str:
    """The probe's bearer token for one policy of one substrate."""
    message = f"{substrate}\n{epoch}\n{generation}".encode()
    return PREFIX + hmac.new(ring, message, hashlib.sha256).hexdigest()
