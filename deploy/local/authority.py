"""The machine's own certificate authority, put where clients may read it."""

import ssl
from pathlib import Path
from typing import Final

import certifi

from deploy.local import folders, programs
from deploy.local.settings import LocalSettings

SYSTEM_ROOTS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)


def publish(settings: LocalSettings) -> bool:
    """Write the authority's certificate and the bundle; whether there is one, or none is needed.

    `SSL_CERT_FILE` replaces all that a program trusts. So it is pointed at the bundle, which holds the system's
    roots too: everything else in that shell goes on working.
    """
    if settings.tls_files is not None:
        for stale in (settings.ca_file, settings.ca_bundle):
            stale.unlink(missing_ok=True)
        return True
    try:
        certificate = programs.described_gateway(settings).authority.read_text()
    except FileNotFoundError:
        return False
    folders.write(settings.ca_file, certificate, mode=0o644)
    folders.write(settings.ca_bundle, f"{system_roots().rstrip()}\n{certificate}", mode=0o644)
    return True


def system_roots() -> str:
    """The roots that this machine trusts; the locked ones where it has none of its own."""
    for name in (ssl.get_default_verify_paths().openssl_cafile, *SYSTEM_ROOTS):
        try:
            found = Path(name).read_text()
        except OSError:
            continue
        if "BEGIN CERTIFICATE" in found:
            return found
    return certifi.contents()
