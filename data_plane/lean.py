"""Keeping a tenant small: what libraries would import though nothing here uses it.

Measured per tenant: rich (coloured tracebacks for a terminal) 3 MB, pydantic and attrs (other ways to write request
types) 8 MB, uvicorn's command line 1.5 MB, the MCP SDK's client 12 MB. `tests/data_plane/test_small.py` holds the bar.
"""

import importlib
import importlib.util
import sys
import types
from typing import Any, Final

UNUSED: Final = ("rich",)
"""Not in a tenant's image; where it is installed for other programs, structlog would import it."""


def leave_out_unused() -> None:
    """Before anything else is imported by a tenant's own process."""
    for name in UNUSED:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # how import knows that a module is not there
    without_init("uvicorn")
    config = importlib.import_module("uvicorn.config")
    # The one name that uvicorn's own modules take from the package itself.
    sys.modules["uvicorn"].__dict__.setdefault("Config", config.Config)


def without_init(*packages: str) -> None:
    """Let a package's modules be imported without running its `__init__`, which would import all the others.

    Nothing changes where the package was imported before, as in tests.
    """
    for name in packages:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:  # a broken installation fails where it is used
            return
        package = types.ModuleType(name)
        package.__spec__ = spec
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[name] = package


def only_msgspec(plugins: list[Any]) -> list[Any]:
    """In place of Litestar's search for every library of data classes that happens to be installed."""
    from litestar.plugins.core import MsgspecDIPlugin  # noqa: PLC0415 - Litestar comes after `leave_out_unused`

    return [*plugins, MsgspecDIPlugin()]
