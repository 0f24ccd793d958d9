"""What can be known to fail before anything is touched: a wrong setting must not take down a stack that works."""

import os
import ssl
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.gateway import launch
from deploy.local import folders, log_lines, ports, programs
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor
from deploy.local.trouble import Trouble

VALIDATE_SECONDS: Final = 30


def check(settings: LocalSettings) -> None:
    """Ports, addresses, certificates and the gateway's file, with what is set now.

    Raises:
        Trouble: one of them would fail, and how to mend it.
    """
    folders.check_length(settings.root)
    check_ports(settings)
    check_certificate(settings)
    check_gateway(settings)


def check_ports(settings: LocalSettings) -> None:
    """Every address and port is free, or the gateway of this stack listens there already.

    Raises:
        Trouble: they are the same, or one is not to be had.
    """
    if settings.https_port == settings.http_port:
        raise Trouble(
            f"LOAM_HTTPS_PORT and LOAM_HTTP_PORT are both {settings.https_port}.", fix="Give them different ports."
        )
    ours = Supervisor(settings).process_of("gateway")
    ports.require_free(settings.https_port, settings.addresses, setting="LOAM_HTTPS_PORT", ours=ours)
    ports.require_free(settings.http_port, settings.addresses, setting="LOAM_HTTP_PORT", ours=ours)


def check_certificate(settings: LocalSettings) -> None:
    """The operator's certificate and key are there, are what they should be, and belong together.

    Raises:
        Trouble: not so.
    """
    if settings.tls_files is None:
        return
    fix = "LOAM_TLS names two PEM files, the certificate with its chain and its key, or is `internal`."
    certificate, key = settings.tls_files
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise Trouble(f"{file}, which LOAM_TLS names, cannot be read: {error.strerror}.", fix=fix) from None
    try:
        # A password is never asked for: the gateway could not answer either.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Trouble(f"The key {key} does not belong to the certificate {certificate}.", fix=fix) from None
        raise Trouble(f"{certificate} and {key} are not a PEM certificate and its key.", fix=fix) from None


def check_gateway(settings: LocalSettings) -> None:
    """The gateway reads its file with these settings. It is tried in a folder of its own, which is thrown away.

    Raises:
        Trouble: it does not, with its words.
    """
    with tempfile.TemporaryDirectory(prefix="loam-") as folder:
        tried = replace(programs.described_gateway(settings), storage=Path(folder), tls=settings.tls)
        said = subprocess.run(
            [str(launch.caddy_program()), "validate", "--config", str(launch.CADDYFILE), "--adapter", "caddyfile"],
            env={**os.environ, **tried.environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VALIDATE_SECONDS,
            check=False,
        )
    if said.returncode != 0:
        raise Trouble(
            "The gateway would not start with these settings; nothing was changed.",
            fix="Correct LOAM_DOMAIN, LOAM_BIND, LOAM_TLS or the ports.",
            detail=log_lines.errors(said.stdout + said.stderr),
        )
