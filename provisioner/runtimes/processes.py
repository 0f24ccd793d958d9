"""Looking at and ending processes through /proc and pidfds, so that a reused pid never ends a stranger.

A process is known by the environment it was started with. No pid is written to a file: a file can be missing after a
crash and wrong after a reboot, the kernel's table is neither.
"""

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
KILL_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """One running process."""

    pid: int
    uid: int
    started: str
    """Clock ticks since boot (proc_pid_stat(5), field 22): with the pid, unique until the next boot."""
    environment: dict[str, str]
    program: str
    """The first word of its command line."""


def list_running() -> list[Found]:
    """Every process whose environment this user may read. Dead ones that wait for their parent are not running."""
    seen = (look(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit())
    return [found for found in seen if found is not None]


def look(pid: int) -> Found | None:
    """One process, or `None` when it is gone, dead, or not ours to look at."""
    folder = PROC / str(pid)
    try:
        environment = _environment((folder / "environ").read_bytes())
        program = (folder / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        uid = folder.stat().st_uid
    except (OSError, IndexError):
        return None
    if fields[0] in {"Z", "X"}:
        return None
    return Found(pid=pid, uid=uid, started=fields[19], environment=environment, program=program)


def end(found: Found, gently: float) -> bool:
    """SIGTERM, then SIGKILL after so many seconds; whether it is gone. The pid is checked after it is pinned."""
    try:
        handle = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return True
    try:
        again = look(found.pid)
        if again is None or again.started != found.started:
            return True
        return _signal(handle, signal.SIGTERM, gently) or _signal(handle, signal.SIGKILL, KILL_SECONDS)
    finally:
        os.close(handle)


def _signal(handle: int, number: signal.Signals, seconds: float) -> bool:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return True
    poll = select.poll()  # a pidfd is readable once its process has ended (pidfd_open(2)); poll takes any descriptor
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _environment(raw: bytes) -> dict[str, str]:
    pairs = (entry.decode(errors="replace").partition("=") for entry in raw.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}
