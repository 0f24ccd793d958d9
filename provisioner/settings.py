"""The provisioner's settings."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.kernel.settings import Domain, Port, Settings


class Environment(StrEnum):
    """What kind of stack this is."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class RuntimeKind(StrEnum):
    """How tenants' servers run."""

    DOCKER = "docker"
    PROCESS = "process"


class LogLevel(StrEnum):
    """How important a log line must be to be written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class ProvisionerSettings(Settings):
    """Set as `PROVISIONER_<NAME>`. A missing or misspelt name stops the start."""

    model_config = SettingsConfigDict(env_prefix="PROVISIONER_", env_ignore_empty=True)

    state_dir: Path
    """The state folder: everything of every tenant on this host."""

    registry_url: SecretStr = SecretStr("")
    """The control plane's database (`postgresql://…`). The waker needs none."""

    broker_url: SecretStr = SecretStr("")
    """Where Celery keeps messages (`redis://…` or `redis+socket:///…`).

    Losing them is harmless: the sweep finds the work again.
    """

    domain: Domain = "loam.localhost"
    """Tenants are reached at `<slug>.<domain>`."""

    https_port: Port = 8443
    """The gateway's HTTPS port, as tenants' addresses carry it."""

    environment: Environment = Environment.DEVELOPMENT
    """`production` refuses the runtime `process`."""

    ca_file: Path | None = None
    """The gateway's certificate authority; none when its certificates are publicly trusted."""

    gateway_address: str = "127.0.0.1"
    """Where the gateway is dialled to see whether a tenant is ready, whatever names resolve to."""

    gateway_group: int | None = None
    """The group id that the gateway runs in; it gets the tenants' live sockets. None when everything is one user's."""

    runtime: RuntimeKind = RuntimeKind.DOCKER
    """How tenants' servers run: `docker`, or `process` where there is no engine."""

    tenant_image: str = ""
    """The tenant's image, for the runtime `docker`."""

    tenant_python: Path | None = None
    """The interpreter with the tenant's packages, for the runtime `process`."""

    sweep_every: timedelta = timedelta(seconds=1)
    """How often due work is looked for: what a lost message costs."""

    watch_every: timedelta = timedelta(seconds=10)
    """How often what runs here is compared with what should."""

    operations_at_a_time: int = Field(default=32, ge=1)
    """How many operations one worker carries out together; most of them wait."""

    log_level: LogLevel = LogLevel.INFO
    """The least important log lines that are written."""
