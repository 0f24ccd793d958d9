"""A copy of the memory for the host, and whether the memory is whole."""

from typing import Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Stream

from data_plane.actions.copy_memory import Copier
from data_plane.actions.examine_memory import examine_memory
from data_plane.actions.memory import Memory
from shared.contracts.tenant_server import COPY_TYPE, Examined

LENGTH: Final = "content-length"


@post("/backup", operation_id="copy_memory", status_code=200)
async def copy_memory(copier: NamedDependency[Copier]) -> Stream:
    """One moment of the memory as a SQLite database. Its length goes ahead, so that a cut copy shows."""
    copy = await copier.copy()
    return Stream(copy.parts(), media_type=COPY_TYPE, headers={LENGTH: str(copy.size)})


@get("/examination", operation_id="examine_memory")
async def show_examination(memory: NamedDependency[Memory]) -> Examined:
    """Look at every page of the memory. Takes its time: asked after a restore and in a drill."""
    return await examine_memory(memory)
