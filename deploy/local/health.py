"""Waiting until a part of the stack works, and saying what it wrote when it does not."""

import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx

from deploy.local import log_lines
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor
from deploy.local.trouble import Trouble

STEP_SECONDS: Final = 0.05
DEADLINE_SECONDS: Final = 30.0
OVER: Final = frozenset({"FATAL", "EXITED"})
"""The supervisor has given up: waiting longer is no use."""

ENDS_AGAIN_SECONDS: Final = 8.0
"""How long a program may end and be started again: one may be waiting for another."""


def wait(supervisor: Supervisor, name: str, works: Callable[[], bool], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Return once the program works.

    Raises:
        Trouble: it does not within its time, with the end of its log.
    """
    began = time.monotonic()
    while not works():
        state = supervisor.state_of(name)
        waited = time.monotonic() - began
        keeps_ending = state in OVER or (state == "BACKOFF" and waited > ENDS_AGAIN_SECONDS)
        if keeps_ending or waited > seconds:
            how = "ends as soon as it is started" if keeps_ending else f"does not answer after {seconds:g} s"
            said = log_lines.errors(supervisor.tail_of(name))
            raise Trouble(f"{name} {how}.", fix=supervisor.where_to_look(name), detail=said)
        time.sleep(STEP_SECONDS)


def api(settings: LocalSettings, *, timeout: float = 10.0) -> httpx.Client:
    """A client of the API through the gateway, as a customer has it: TLS checked, wherever the name resolves to."""
    context = trust(settings)
    return httpx.Client(
        base_url=f"https://{_dial(settings)}:{settings.https_port}",
        headers={"Host": f"app.{settings.domain}:{settings.https_port}"},
        verify=context,
        timeout=timeout,
        trust_env=False,
        event_hooks={"request": [_named(f"app.{settings.domain}")]},
    )


def trust(settings: LocalSettings) -> ssl.SSLContext:
    """Trusts the machine's own authority where there is one, and what the system trusts."""
    context = ssl.create_default_context()
    if settings.tls_files is not None:
        # On this machine the operator's own certificate is beyond doubt, whoever signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with suppress(OSError):  # only its owner may read it
            context.load_verify_locations(str(settings.tls_files[0]))
    elif settings.ca_file.is_file():
        context.load_verify_locations(str(settings.ca_file))
    return context


def gateway_answers(settings: LocalSettings) -> bool:
    """Whether the gateway answers over TLS, whatever it says."""
    try:
        with api(settings, timeout=3) as client:
            client.get("/healthz")
    except (httpx.HTTPError, OSError):
        return False
    return True


def api_answers(settings: LocalSettings) -> bool:
    """Whether the control plane answers through the gateway."""
    try:
        with api(settings, timeout=3) as client:
            return client.get("/v1/plans").status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def _dial(settings: LocalSettings) -> str:
    first = settings.addresses[0]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)  # noqa: S104 - compared, not bound
    return f"[{reachable}]" if ":" in reachable else reachable


def _named(host: str) -> Callable[[httpx.Request], None]:
    def name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = host

    return name
