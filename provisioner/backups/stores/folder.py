"""A folder on this host, or on a disk that is mounted here: 0600, fsynced, put in place by one rename."""

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

from provisioner.backups.errors import StoreAway
from provisioner.places import folders
from shared.contracts.backups import StoreKind

NAME: Final = re.compile(r"[a-z0-9_]+/[a-z0-9_]+\.age")


class FolderStore:
    """See `provisioner.backups.stores.store.Store`."""

    kind = StoreKind.FOLDER

    def __init__(self, root: Path) -> None:
        """The folder is made when it is first needed, for its owner alone."""
        self._root = root

    def put(self, name: str, file: Path) -> None:
        """See `Store.put`."""
        target = self._path(name)
        aside = target.with_name(f".{secrets.token_hex(8)}")
        try:
            for path in (self._root, target.parent):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with file.open("rb") as source, open(_new(aside), "wb") as copy:
                    shutil.copyfileobj(source, copy, 1024 * 1024)
                    copy.flush()
                    os.fsync(copy.fileno())
                aside.replace(target)
            finally:
                aside.unlink(missing_ok=True)
            folders.sync_folder(target.parent)
            folders.sync_folder(self._root)
        except OSError as error:
            raise StoreAway(f"the folder of backups: {error.strerror}") from error

    def fetch(self, name: str, file: Path) -> bool:
        """See `Store.fetch`."""
        try:
            with self._path(name).open("rb") as source, open(_new(file), "wb") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreAway(f"the folder of backups: {error.strerror}") from error
        return True

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreAway(f"the folder of backups: {error.strerror}") from error

    def list_names(self, prefix: str) -> list[str]:
        """See `Store.list_names`."""
        found = (str(path.relative_to(self._root)) for path in self._root.glob("*/*.age"))
        return sorted(name for name in found if name.startswith(prefix))

    def _path(self, name: str) -> Path:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"no object is called {name!r}")
        return self._root / name


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
