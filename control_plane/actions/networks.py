"""The network that a caller's address belongs to: one customer has many addresses in it. Pure."""

import ipaddress
from typing import Final

IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 56


def prefix(network: str) -> str:
    """The network of an IP address; whatever is none is of one network."""
    try:
        address = ipaddress.ip_address(network)
    except ValueError:
        return "unknown"
    length = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX  # noqa: PLR2004 (versions of IP)
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))
