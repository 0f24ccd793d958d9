"""Small HTTP servers on unix sockets, in the place of tenants, control plane and waker."""

import itertools
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """What the server says."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    parts: Iterable[bytes] | None = None
    """Sent one by one as a stream, instead of a body."""
    breaks: bool = False
    """Hang up after reading the request instead of answering."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(path: Path, answer: Callable[[Asked], Answer]) -> Iterator[list[Asked]]:
    """Serve on a socket that anybody may connect to; the list fills with what was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            request = Asked(self.command, self.path, dict(self.headers.items()), self._body())
            asked.append(request)
            said = answer(request)
            self.close_connection = True
            if said.breaks:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(said.status)
            length = {"Content-Length": str(len(said.body))} if said.parts is None else {"Transfer-Encoding": "chunked"}
            for name, value in {**said.headers, **length}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)
            for part in itertools.chain(said.parts, [b""]) if said.parts is not None else ():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the standard library's names

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline(), 16)
            content = self.rfile.read(size)
            self.rfile.readline()
            return content

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with _Server(str(path), Handler) as server:
        path.chmod(0o666)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield asked
        finally:
            server.shutdown()
            path.unlink(missing_ok=True)
