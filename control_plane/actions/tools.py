"""What every action is handed: the database, the time, the key ring and what is outside."""

from dataclasses import dataclass

from control_plane.gateways.doorbell import Doorbell
from control_plane.gateways.mail import Mail
from control_plane.gateways.notices import Notices
from control_plane.gateways.passwords import Passwords
from control_plane.gateways.payments import Payments
from shared.kernel.clock import Clock
from shared.kernel.ids import Ids
from shared.kernel.secret_files import Secret
from shared.registry.account_tokens import Bearer
from shared.registry.audit import Actor, ActorKind
from shared.registry.database import Database
from shared.registry.publishing import Addresses, Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Made once, in `control_plane.wiring`."""

    database: Database
    clock: Clock
    ids: Ids
    seals: tuple[Secret, ...]
    """What first keys are sealed with; the newest first."""
    signer: Signer
    doorbell: Doorbell
    mail: Mail
    payments: Payments
    passwords: Passwords
    notices: Notices
    api_url: str
    ca_file: str | None
    """What clients must trust when a private authority signed the gateway's certificate."""
    ca_bundle: str | None
    """That together with the public authorities', for clients that take one file instead of their own trust."""
    confirm_mail: bool
    """Whether a trial needs a confirmed mail address."""
    sign_ups_per_hour: int
    """How many times one network may sign up in an hour."""

    @property
    def addresses(self) -> Addresses:
        """Where tenants are reached."""
        return self.signer.addresses


def acting(caller: Bearer) -> Actor:
    """The caller, for the audit."""
    return Actor(ActorKind.MEMBER, caller.member)
