"""The server's settings: where its folders are.

A plain struct and not pydantic-settings, which would cost every tenant six megabytes; the rule about unknown names is
the same one.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from shared.kernel.ids import SubstrateId
from shared.kernel.setting_names import SettingMissing, refuse_unknown

PREFIX: Final = "TENANT_"


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Set as `TENANT_<NAME>`. A missing or misspelt name stops the start."""

    substrate: SubstrateId
    """The substrate this server is: a policy of another one is refused."""

    data_dir: Path = Path("/data")
    """Where the memory is kept: SQLite's files."""

    keys_dir: Path = Path("/keys")
    """Where the log's key is kept, apart from the data."""

    host_dir: Path = Path("/host")
    """Where the host puts policy and trust; the server only reads it."""

    edge_dir: Path = Path("/run/edge")
    """Where `live.sock` is made, which the gateway connects to."""

    control_dir: Path = Path("/run/control")
    """Where `control.sock` is made, which the provisioner connects to."""

    log_level: str = "INFO"
    """The least important log lines that are written."""

    @classmethod
    def load(cls) -> "TenantSettings":
        """Settings from the environment.

        Raises:
            UnknownSetting: a variable with the prefix names no setting.
            SettingMissing: one without a default was not given.
        """
        names = cls.__struct_fields__
        refuse_unknown(PREFIX, names)
        given = {name: value for name in names if (value := os.environ.get(f"{PREFIX}{name.upper()}"))}
        if "substrate" not in given:
            raise SettingMissing(shown={"name": f"{PREFIX}SUBSTRATE"})
        return msgspec.convert(given, cls, dec_hook=_decode)

    @property
    def database(self) -> Path:
        """The memory's file."""
        return self.data_dir / "memory.db"

    @property
    def live_socket(self) -> Path:
        """See `shared.contracts.state_folder.TenantFolders.live_socket`."""
        return self.edge_dir / "live.sock"

    @property
    def control_socket(self) -> Path:
        """See `shared.contracts.state_folder.TenantFolders.control_socket`."""
        return self.control_dir / "control.sock"


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise TypeError(f"no setting is a {kind.__name__}")
