"""Importing the MCP SDK lean.

`import mcp` also imports the SDK's client with its HTTP library: twelve megabytes that a server never uses. Bare
package objects for `mcp` and `mcp.server` let the server's modules be imported without the packages' `__init__`.
In a process that has imported `mcp` already (tests) nothing is changed.
"""

import importlib.util
import sys
import types
from typing import Final

BARE: Final = ("mcp", "mcp.server")


def prepare() -> None:
    """Put the bare packages in place. Before the first import of anything of the SDK's."""
    if "mcp" in sys.modules:
        return
    for name in BARE:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:  # a broken installation: fail where it is used
            return
        package = types.ModuleType(name)
        package.__spec__ = spec
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[name] = package
