"""The supervisor that keeps the local stack's programs running: its configuration, and speaking to it.

Nothing secret is in the configuration: services are reached over unix sockets, and secrets lie in files.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from deploy.local import folders, programs
from deploy.local.programs import Program
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble

START_SECONDS: Final = 15.0
STEP_SECONDS: Final = 0.05
CONTENT: Final = "PROGRAM_CONTENT"
"""Carries the fingerprint of a program's code, so that changed code is changed configuration and restarts it."""


class Supervisor:
    """The supervisor of one state folder."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self.configuration = settings.run / "supervisord.conf"
        self.socket = settings.run / "supervisor.sock"
        self._pid = settings.run / "supervisord.pid"
        self._began: dict[str, int] = {}
        """How long a program's log was when it was started here."""

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            with self.rpc() as ask:
                return bool(ask.getState())
        except (OSError, Fault):
            return False

    def ensure(self, wanted: Iterable[Program]) -> None:
        """Have it know these programs; what changed is stopped, and what is not wanted any more is removed.

        Raises:
            Trouble: it does not start.
        """
        folders.write(self.configuration, text(self._settings, wanted))
        if not self.is_running():
            self._start()
            return
        with self.rpc() as ask:
            [(added, changed, removed)] = ask.reloadConfig()
            for name in [*changed, *removed]:
                ask.stopProcessGroup(name)
                ask.removeProcessGroup(name)
            for name in [*added, *changed]:
                ask.addProcessGroup(name)

    def start(self, name: str) -> bool:
        """Start a program unless it runs; whether it had to be started."""
        with self.rpc() as ask:
            if ask.getProcessInfo(name)["statename"] in {"RUNNING", "STARTING"}:
                return False
            self._began[name] = self._size_of_log(name)
            try:
                ask.startProcess(name, False)
            except Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    sentence = f"{name} cannot be started: {fault.faultString}."
                    raise Trouble(sentence, fix=self.where_to_look(name)) from fault
            return True

    def end(self, *names: str) -> None:
        """Stop these programs and wait until they have ended; ones that do not run are fine."""
        with self.rpc() as ask:
            for name in names:
                try:
                    ask.stopProcess(name, True)
                except Fault as fault:
                    if "NOT_RUNNING" not in fault.faultString:
                        raise Trouble(
                            f"{name} cannot be stopped: {fault.faultString}.", fix=self.where_to_look(name)
                        ) from fault

    def state_of(self, name: str) -> str:
        """`RUNNING`, `BACKOFF`, `FATAL`, … or `UNKNOWN`."""
        try:
            with self.rpc() as ask:
                return str(ask.getProcessInfo(name)["statename"])
        except (OSError, Fault):
            return "UNKNOWN"

    def process_of(self, name: str) -> int | None:
        """The process id of a program that runs."""
        try:
            with self.rpc() as ask:
                return int(ask.getProcessInfo(name)["pid"]) or None
        except (OSError, Fault):
            return None

    def stop(self) -> None:
        """Stop every program, then itself; safe when it does not run."""
        if not self.is_running():
            return
        with self.rpc() as ask:
            ask.shutdown()
        ends = time.monotonic() + 60
        while (self._pid.exists() or self.socket.exists()) and time.monotonic() < ends:
            time.sleep(STEP_SECONDS)

    def log_of(self, name: str) -> Path:
        """Where a program writes."""
        return self._settings.logs / f"{name}.log"

    def tail_of(self, name: str, *, characters: int = 20_000) -> str:
        """The end of a program's log: of this start, if it was started here."""
        began = self._began.get(name, 0)
        if began > self._size_of_log(name):  # it was rotated meanwhile
            began = 0
        try:
            with self.log_of(name).open(errors="replace") as log:
                log.seek(began)
                return log.read()[-characters:]
        except OSError:
            return ""

    def _size_of_log(self, name: str) -> int:
        try:
            return self.log_of(name).stat().st_size
        except OSError:
            return 0

    def where_to_look(self, name: str) -> str:
        """A sentence that names the log."""
        return f"The whole log is {self.log_of(name)}."

    @contextmanager
    def rpc(self) -> Iterator[Any]:
        """Its own interface; the address is a form only, the socket is what is dialled."""
        with ServerProxy("http://127.0.0.1", SupervisorTransport(None, None, f"unix://{self.socket}")) as proxy:
            yield proxy.supervisor

    def _start(self) -> None:
        self.socket.unlink(missing_ok=True)
        started = subprocess.run(
            [str(Path(sys.executable).parent / "supervisord"), "--configuration", str(self.configuration)],
            env=programs.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        ends = time.monotonic() + START_SECONDS
        while not self.is_running():
            if started.returncode != 0 or time.monotonic() > ends:
                raise Trouble(
                    "The supervisor does not start.",
                    fix=f"See {self._settings.logs / 'supervisor.log'}.",
                    detail=(started.stdout + started.stderr)[-2000:],
                )
            time.sleep(STEP_SECONDS)


def text(settings: LocalSettings, wanted: Iterable[Program]) -> str:
    """The supervisor's configuration file."""
    parts = [
        _section(
            "supervisord",
            logfile=settings.logs / "supervisor.log",
            logfile_maxbytes="1MB",
            logfile_backups=2,
            pidfile=settings.run / "supervisord.pid",
            childlogdir=settings.logs,
            directory="/",
            umask="022",
            **({"user": "root"} if os.geteuid() == 0 else {}),
        ),
        _section("unix_http_server", file=settings.run / "supervisor.sock", chmod="0700"),
        _section("supervisorctl", serverurl=f"unix://{settings.run / 'supervisor.sock'}"),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    parts += [_program(settings, program) for program in wanted]
    return "\n".join(parts)


def _program(settings: LocalSettings, program: Program) -> str:
    mark = hashlib.sha256(program.content.encode()).hexdigest()[:16]
    variables = {**program.environment, CONTENT: mark}
    return _section(
        f"program:{program.name}",
        command=" ".join(_quoted(word) for word in program.command),
        environment=",".join(f"{name}={_quoted(value)}" for name, value in sorted(variables.items())),
        autostart="false",
        autorestart="true",
        startsecs=1,
        startretries=30,
        stopsignal=program.stop_signal,
        stopwaitsecs=program.stop_seconds,
        redirect_stderr="true",
        stdout_logfile=settings.logs / f"{program.name}.log",
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=3,
        **({"user": program.user} if program.user else {}),
    )


def _section(name: str, **options: object) -> str:
    lines = [f"{option} = {value}" for option, value in options.items()]
    return "\n".join([f"[{name}]", *lines]) + "\n"


def _quoted(word: str) -> str:
    """As supervisor reads a word: it expands `%` and splits like a shell."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
