"""Putting the parts together: the only place that knows which implementation of each is used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.actions.tools import Tools
from control_plane.gateways.doorbell import CeleryDoorbell, Doorbell
from control_plane.gateways.mail import OutboxFolder
from control_plane.gateways.notices import Notices
from control_plane.gateways.passwords import Passwords
from control_plane.gateways.payments import LocalPayments
from control_plane.settings import ControlPlaneSettings
from shared.kernel import secret_files
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.ids import RandomIds
from shared.registry.database import Database
from shared.registry.publishing import Signer


@asynccontextmanager
async def connected(
    settings: ControlPlaneSettings,
    *,
    clock: Clock | None = None,
    doorbell: Doorbell | None = None,
    passwords: Passwords | None = None,
) -> AsyncIterator[Tools]:
    """The tools, with the database connected; all is given back at the end. Tests pass parts of their own."""
    ids = RandomIds()
    ring = settings.state.secrets
    signing = secret_files.load(ring, secret_files.SIGNING)[0]
    probe = secret_files.load(ring, secret_files.PROBE)[0]
    seals = tuple(secret_files.load(ring, secret_files.SEAL))
    database = await Database.connect(settings.registry_url.get_secret_value(), most=settings.database_connections)
    notices = Notices(database)
    bell = doorbell or CeleryDoorbell(settings.broker_url.get_secret_value())
    try:
        await notices.open()
        yield Tools(
            database=database,
            clock=clock or SystemClock(),
            ids=ids,
            seals=seals,
            signer=Signer(signing, probe, settings.addresses),
            doorbell=bell,
            mail=OutboxFolder(settings.state.outbox, sender=f"no-reply@{settings.domain}", ids=ids),
            payments=LocalPayments(),
            passwords=passwords or Passwords(),
            notices=notices,
            api_url=api_url(settings),
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
            confirm_mail=settings.confirm_mail,
            sign_ups_per_hour=settings.sign_ups_per_hour,
        )
    finally:
        await notices.close()
        await bell.close()
        await database.close()


def api_url(settings: ControlPlaneSettings) -> str:
    """Where this API is reached from outside."""
    port = "" if settings.https_port == 443 else f":{settings.https_port}"  # noqa: PLR2004 (RFC 9110, section 4.2.2)
    return f"https://app.{settings.domain}{port}"
