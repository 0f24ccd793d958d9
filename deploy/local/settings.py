"""Settings of the local stack: what one machine's operator may choose."""

import ipaddress
import os
import socket
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import PositiveInt, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.contracts.state_folder import StateFolder
from shared.kernel import product
from shared.kernel.settings import Domain, Port, Settings

INTERNAL: Final = "internal"
PAIR: Final = 2


class RuntimeChoice(StrEnum):
    """How tenants run."""

    AUTO = "auto"
    """In containers where a Docker engine answers or can be installed, otherwise as processes."""
    DOCKER = "docker"
    PROCESS = "process"


def default_state_dir() -> Path:
    """`/var/lib/loam` for root, otherwise a folder of the user's own (XDG base directories)."""
    if os.geteuid() == 0:
        return Path("/var/lib") / product.NAME
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / product.NAME


class LocalSettings(Settings):
    """Set as `LOAM_<NAME>`. A misspelt name stops the command."""

    model_config = SettingsConfigDict(env_prefix="LOAM_", env_ignore_empty=True)

    state_dir: Path | None = None
    """Where everything is kept. Default: `/var/lib/loam` as root, `~/.local/state/loam` otherwise."""

    domain: Domain = "loam.localhost"
    """Tenants are at `<slug>.` of it, the API at `app.` of it."""

    https_port: Port = 8443
    """Where the gateway serves."""

    http_port: Port = 8080
    """Where plain HTTP is refused, so that nobody believes it works."""

    bind: str = ""
    """Addresses to listen on, separated by spaces. Default: loopback, IPv4 and IPv6."""

    runtime: RuntimeChoice = RuntimeChoice.AUTO
    """`auto`, `docker` or `process`. Processes isolate tenants little: for trying out only."""

    tls: str = "internal"
    """`internal` (an authority of the machine's own), or two files, separated by a space.

    The first holds the certificate for `*.<domain>` with its chain, the second its key, both PEM:
    `LOAM_TLS="/etc/ssl/loam.pem /etc/ssl/loam.key"`. After a renewal, `loam up` takes the new ones.
    """

    sign_ups_per_hour: PositiveInt | None = None
    """How many times one network may sign up in an hour.

    Default: 1000 where only this machine reaches the gateway, otherwise the control plane's own, 20.
    """

    demo: bool = True
    """Whether `up` makes a demonstration account with a memory server."""

    sleep_after: timedelta | None = None
    """How long nobody must have used a memory server before it sleeps, such as `PT2S`. Default: as its plan says."""

    api_key: SecretStr | None = None
    """Not used here: connect snippets tell customers to keep their key in `LOAM_API_KEY`."""

    token: SecretStr | None = None
    """An account token for the customer's commands; it wins over the one that `loam account login` keeps."""

    api_url: str = ""
    """Another control plane for the customer's commands, such as `https://app.example.org`. Default: this machine's."""

    @field_validator("state_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("bind")
    @classmethod
    def _addresses(cls, value: str) -> str:
        try:
            return " ".join(str(ipaddress.ip_address(word)) for word in value.split())
        except ValueError:
            raise ValueError("IP addresses of this machine, separated by spaces") from None

    @field_validator("tls")
    @classmethod
    def _internal_or_two_files(cls, value: str) -> str:
        words = value.split()
        if words != [INTERNAL] and not (len(words) == PAIR and all(Path(word).is_absolute() for word in words)):
            raise ValueError(
                "`internal`, or the paths of two files, a certificate's and its key's, separated by a space"
            )
        return " ".join(words)

    @field_validator("api_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("an address that begins with https://, such as https://app.example.org")
        return value.rstrip("/")

    @property
    def tls_files(self) -> tuple[Path, Path] | None:
        """The certificate and its key, where the operator brings them."""
        if self.tls == INTERNAL:
            return None
        certificate, key = self.tls.split()
        return Path(certificate), Path(key)

    @property
    def root(self) -> Path:
        """The state folder."""
        return self.state_dir or default_state_dir()

    @property
    def state(self) -> StateFolder:
        """The state folder's map."""
        return StateFolder(self.root)

    @property
    def addresses(self) -> tuple[str, ...]:
        """What the gateway listens on."""
        if self.bind:
            return tuple(self.bind.split())
        return ("127.0.0.1", "::1") if _has_ipv6_loopback() else ("127.0.0.1",)

    @property
    def is_loopback_only(self) -> bool:
        """Whether nobody but this machine reaches the gateway."""
        return all(ipaddress.ip_address(address).is_loopback for address in self.addresses)

    @property
    def dashboard_url(self) -> str:
        """Where people begin."""
        return f"https://app.{self.domain}:{self.https_port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that clients must trust, where the machine's own authority signs."""
        return self.root / "ca.pem"

    @property
    def ca_bundle(self) -> Path:
        """That certificate and the system's, for clients that replace all they trust by one file."""
        return self.root / "ca-bundle.pem"

    @property
    def staff_token_file(self) -> Path:
        """Opens the staff's API; 0600."""
        return self.root / "staff_token"

    @property
    def programs(self) -> Path:
        """Copies of programs that other users than ours must be able to read."""
        return self.root / "programs"

    @property
    def run(self) -> Path:
        """The supervisor's configuration and socket."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One file a program, rotated."""
        return self.root / "logs"


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
