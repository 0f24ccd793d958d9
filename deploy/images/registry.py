"""Pulling an image, where a no must come quickly: many machines reach no registry, and the packages do as well."""

import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import docker
import docker.errors
import requests

FIRST_WORD_SECONDS: Final = 8.0
"""How long the registry may take to say anything at all."""

WHOLE_SECONDS: Final = 240.0
"""How long the download may take; afterwards building from packages is quicker."""

_unreachable = threading.Event()
"""Set at the first no: nothing else is asked of the registry in this run."""


def pull(client: docker.DockerClient, reference: str) -> str | None:
    """The reference once the engine has it; `None` when it cannot be had from here."""
    try:
        client.images.get(reference)
    except docker.errors.ImageNotFound:
        pass
    else:
        return reference
    if _unreachable.is_set():
        return None
    if _Pull(client, reference).finished():
        return reference
    _unreachable.set()
    return None


class _Pull:
    """One download, watched from outside: the engine itself may wait for minutes on a network that drops packets."""

    def __init__(self, client: docker.DockerClient, reference: str) -> None:
        self.spoke = threading.Event()
        self.ended = threading.Event()
        self.succeeded = False
        self._client = client
        self._reference = reference

    def finished(self) -> bool:
        started = time.monotonic()
        threading.Thread(target=self._run, name="pull", daemon=True).start()
        if not self.spoke.wait(FIRST_WORD_SECONDS):
            return False
        self.ended.wait(WHOLE_SECONDS - (time.monotonic() - started))
        return self.ended.is_set() and self.succeeded

    def _run(self) -> None:
        repository, _, tag = self._reference.rpartition(":")
        try:
            lines: Iterator[dict[str, Any]] = self._client.api.pull(repository, tag, stream=True, decode=True)
            failed = False
            for line in lines:
                self.spoke.set()
                failed = failed or "error" in line
            self.succeeded = not failed
        except (docker.errors.DockerException, requests.RequestException):
            self.succeeded = False
        finally:
            self.ended.set()
            self.spoke.set()
