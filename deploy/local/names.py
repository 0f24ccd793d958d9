"""Name resolution: browsers resolve `*.localhost` by themselves, the C library, and so Node and Python, do not."""

import socket
from typing import Final

from deploy.local import packages
from deploy.local.trouble import Trouble

PACKAGE: Final = "libnss-myhostname"


def resolves(domain: str) -> bool:
    """Whether a tenant's host name would be found by programs on this machine."""
    try:
        socket.getaddrinfo(f"any-tenant.{domain}", None)
    except OSError:
        return False
    return True


def ensure(domain: str) -> str | None:
    """Make `*.localhost` resolve if need and right be; what the person should know, if it still does not."""
    if resolves(domain):
        return None
    if domain.endswith(".localhost") and packages.may_install():
        try:
            packages.install([PACKAGE])
        except Trouble:
            return advice(domain)
    return None if resolves(domain) else advice(domain)


def advice(domain: str) -> str:
    """What a person can do about names that do not resolve."""
    if not domain.endswith(".localhost"):
        return f"Names under {domain} do not resolve here: add a wildcard record *.{domain} to your DNS."
    return (
        f"Names under {domain} resolve in browsers and curl, but not for Node and Python clients. On Debian and "
        f"Ubuntu, as root: apt-get install {PACKAGE}; elsewhere add the instance's host name to /etc/hosts."
    )
