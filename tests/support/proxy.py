"""A line between a program and a server that a test can cut and mend."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

PIECE: Final = 65_536


@dataclass(slots=True)
class Line:
    """Carries bytes both ways while it is whole; refuses and hangs up while it is cut."""

    host: str
    to_port: int
    port: int = 0
    _listening: socket.socket | None = None
    _open: set[socket.socket] = field(default_factory=set)

    def mend(self) -> None:
        """Accept connections (again), always on the same port."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def cut(self) -> None:
        """Hang up on everybody and refuse whoever comes."""
        if self._listening is not None:
            _close(self._listening)
        for connection in list(self._open):
            _close(connection)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection((self.host, self.to_port))
            except OSError:
                return
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                target.sendall(piece)
        for end in (source, target):
            _close(end)
            self._open.discard(end)


@contextlib.contextmanager
def running(host: str, port: int) -> Iterator[Line]:
    """A whole line to a server; cut at the end."""
    line = Line(host, port)
    line.mend()
    try:
        yield line
    finally:
        line.cut()


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
