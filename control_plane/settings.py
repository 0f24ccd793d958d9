"""Settings of the control plane."""

from enum import StrEnum
from pathlib import Path

from pydantic import PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.contracts.state_folder import StateFolder
from shared.kernel.settings import Domain, Port, Settings
from shared.registry.publishing import Addresses


class Environment(StrEnum):
    """How strict to be about what only a developer's machine may do."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class ControlPlaneSettings(Settings):
    """Set as `CONTROL_PLANE_<NAME>`. A missing or misspelt name stops the start."""

    model_config = SettingsConfigDict(env_prefix="CONTROL_PLANE_")

    registry_url: SecretStr
    """The control plane's database."""

    broker_url: SecretStr
    """Where Celery keeps messages. Losing them is harmless: the provisioner's sweep finds the work again."""

    state_dir: Path
    """The host's state folder: socket, key ring and outbox lie in it."""

    domain: Domain = "loam.localhost"
    """The domain under which every tenant has a host name; the API is at `app.` of it."""

    https_port: Port = 8443
    """The gateway's port, as it appears in addresses."""

    environment: Environment = Environment.DEVELOPMENT
    """`production` also tells browsers to insist on HTTPS from now on."""

    ca_file: Path | None = None
    """The certificate that clients must trust, when a private authority signed the gateway's; for connect snippets."""

    ca_bundle: Path | None = None
    """That certificate together with the public authorities', for clients that replace their trust by one file."""

    confirm_mail: bool = False
    """Whether a trial needs a confirmed mail address. Sensible once mail really goes out."""

    sign_ups_per_hour: PositiveInt = 20
    """How many times one network (IPv4 /24, IPv6 /56) may sign up in an hour."""

    database_connections: int = 10
    """The most connections to the database that are held at one time."""

    @property
    def state(self) -> StateFolder:
        """The state folder's map."""
        return StateFolder(self.state_dir)

    @property
    def addresses(self) -> Addresses:
        """Where tenants are reached."""
        return Addresses(self.domain, self.https_port)
