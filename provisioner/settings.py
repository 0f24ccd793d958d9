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


class BackupStore(StrEnum):
    """Where backups are kept."""

    FOLDER = "folder"
    S3 = "s3"


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

    canary_every: timedelta = timedelta(seconds=10)
    """How often the worker sends itself a message through the broker; deaf for six of these, it ends."""

    sleep_after: timedelta | None = None
    """How long nobody must have used a shared tenant's server before it sleeps. Default: as its plan says."""

    starts_at_a_time: int = Field(default=3, ge=1)
    """How many sleeping servers are woken together. More of them on few cores only make each other slow."""

    starts_waiting: int = Field(default=16, ge=0)
    """How many more may wait for their turn; beyond it a request is told at once to come again."""

    operations_at_a_time: int = Field(default=32, ge=1)
    """How many operations one worker carries out together; most of them wait."""

    backup_every: timedelta = timedelta(days=1)
    """How often every memory is backed up, each at its own time of the day. Zero is never."""

    backup_store: BackupStore = BackupStore.FOLDER
    """Where backups are kept: `folder`, or `s3` for any S3-compatible store."""

    backup_folder: Path | None = None
    """The folder for the store `folder`; `backups` in the state folder if left out. Better another machine's disk."""

    backup_s3_endpoint: str = ""
    """The address of the store `s3` (`https://…`); empty is Amazon's."""

    backup_s3_region: str = "us-east-1"
    """The region that requests to the store `s3` are signed for."""

    backup_s3_bucket: str = ""
    """The bucket; it must exist."""

    backup_s3_credentials: Path | None = None
    """A file, 0400, with the access key's id on its first line and its secret on the second."""

    shared_memory_mb: int | None = Field(default=None, ge=0)
    """Memory that shared tenants are packed into. Default: half of the machine's."""

    overcommit: float = Field(default=20.0, ge=1)
    """How many times that memory may be promised to shared tenants; asleep they take none."""

    dedicated_memory_mb: int | None = Field(default=None, ge=0)
    """Memory that is reserved for dedicated tenants, never overcommitted. Default: a quarter of the machine's."""

    dedicated_cpus: float | None = Field(default=None, ge=0)
    """CPUs that are reserved for dedicated tenants. Default: not limited."""

    awake_tenants: int | None = Field(default=None, ge=0)
    """How many tenants may be awake at one time. Default: not limited."""

    disk_bytes: int | None = Field(default=None, ge=0)
    """Disk that may be promised to tenants. Default: not limited."""

    log_level: LogLevel = LogLevel.INFO
    """The least important log lines that are written."""
