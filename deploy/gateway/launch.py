"""How the gateway is started: plain words, so that tests and the supervisor start the same thing."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CADDYFILE: Final = HERE / "Caddyfile"
CONFINED: Final = HERE / "confined"
INTERNAL: Final = "internal"
DEVELOPMENT: Final = "development"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway: what it serves, where it listens, and the only folders that it sees."""

    domain: str
    https_port: int
    http_port: int
    bind: tuple[str, ...]
    edge: Path
    storage: Path
    """Certificates and keys; the internal authority's, if it has one."""
    mount_point: Path
    """An empty folder, on which the confined gateway's root is built."""
    tls: str = INTERNAL
    environment_name: str = DEVELOPMENT
    """`production` tells browsers to insist on HTTPS from now on."""

    @property
    def authority(self) -> Path:
        """The certificate that clients of the internal authority must trust."""
        return self.storage / "pki" / "authorities" / "local" / "root.crt"

    def environment(self) -> dict[str, str]:
        """What the Caddyfile reads. None of it is secret."""
        return {
            "LOAM_DOMAIN": self.domain,
            "LOAM_HTTPS_PORT": str(self.https_port),
            "LOAM_HTTP_PORT": str(self.http_port),
            "LOAM_BIND": " ".join(self.bind),
            "LOAM_EDGE": str(self.edge),
            "LOAM_STORAGE": str(self.storage),
            "LOAM_TLS": self.tls,
            "LOAM_ENVIRONMENT": self.environment_name,
            "HOME": str(self.storage),
            "XDG_DATA_HOME": str(self.storage),
            "XDG_CONFIG_HOME": str(self.storage),
        }

    def command(self, caddy: Path) -> list[str]:
        """Caddy as the user who starts it."""
        return [str(caddy), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]

    def confined_command(self, caddy: Path, *, uid: int, gid: int) -> list[str]:
        """Caddy as an unprivileged user in a root of its own; to be started by root."""
        places = (caddy, CADDYFILE, self.edge, self.storage)
        return [str(CONFINED), str(self.mount_point), str(uid), str(gid), *(str(place) for place in places)]


def caddy_program() -> Path:
    """The locked Caddy, beside the interpreter that runs this; it needs no other file."""
    beside = Path(sys.executable).parent / "caddy"
    return beside if os.access(beside, os.X_OK) else Path(shutil.which("caddy") or "caddy")
