"""The worker: `python -m provisioner.worker`.

Celery's main thread rings, a loop in another thread works. Redis may be down: then only the sweep rings.
"""

import logging
import os
import sys
import warnings
from datetime import timedelta
from typing import Any, Final

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready, worker_shutting_down
from kombu.entity import Queue

from provisioner.canary import Canary, CanaryThread
from provisioner.loop_thread import LoopThread
from provisioner.runtime_choice import runtime_of
from provisioner.settings import ProvisionerSettings
from provisioner.wiring import check
from shared.contracts.operations import NUDGE_ADVANCE, NUDGE_OBSERVE, NUDGE_PUSH_POLICY
from shared.kernel import logs, start_up
from shared.kernel.clock import SystemClock
from shared.kernel.errors import AppError
from shared.kernel.ids import OperationId, RandomIds, SubstrateId

CONCURRENCY: Final = 32
"""Threads that wait for the loop; they do nothing else."""

CANARY: Final = "canary"
"""The task by which a worker hears itself; each has a queue of its own for it."""

SOCKET_SECONDS: Final = 5.0
VISIBILITY_SECONDS: Final = 15 * 60
"""Above the longest deadline of an operation that a message may be waiting for."""

ARGUMENTS: Final = (
    "--quiet",
    "worker",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "--loglevel",
    "INFO",
)


def configure(app: Celery, settings: ProvisionerSettings) -> None:
    """Celery as a doorbell: at least once, nothing stored, never giving up on the broker."""
    app.conf.update(
        broker_url=settings.broker_url.get_secret_value(),
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=SOCKET_SECONDS,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "socket_keepalive": True,
        },
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=CONCURRENCY,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_serializer="json",
        accept_content=["json"],
    )


def register(app: Celery, engine: LoopThread) -> None:
    """The three nudges. A lost one is found by the sweep; a doubled one finds the work done or under way."""

    @app.task(name=NUDGE_ADVANCE)  # type: ignore[untyped-decorator]  # Celery ships no types
    def advance(operation: str) -> None:
        """Carry on with one operation, until it pauses or ends."""
        engine.hand_over(lambda works: works.advance.do(OperationId(operation)))

    @app.task(name=NUDGE_PUSH_POLICY)  # type: ignore[untyped-decorator]  # likewise
    def push_policy(substrate: str) -> None:
        """Carry the newest policy of one substrate."""
        engine.hand_over(lambda works: works.push_policy.do(SubstrateId(substrate)))

    @app.task(name=NUDGE_OBSERVE)  # type: ignore[untyped-decorator]  # likewise
    def observe(substrate: str) -> None:
        """Ask one substrate's server for its usage."""
        engine.hand_over(lambda works: works.observe.do(SubstrateId(substrate)))


def listening(app: Celery, engine: LoopThread, *, every: timedelta) -> CanaryThread:
    """The worker's canary: a message to a queue that this worker alone consumes, beside the one it shares."""
    queue = f"{CANARY}.{RandomIds().new('wrk')}"
    names = (app.conf.task_default_queue, queue)
    app.conf.task_queues = [Queue(name) for name in names]  # type: ignore[no-untyped-call]  # likewise
    canary = Canary(SystemClock(), every=every)

    @app.task(name=CANARY)  # type: ignore[untyped-decorator]  # Celery ships no types
    def sing() -> None:
        """Heard."""
        canary.heard()

    def end() -> None:
        """Give leases back and end, whatever Celery's thread is stuck in; the supervisor starts a new worker."""
        engine.ask_to_stop()
        engine.join()
        os._exit(1)

    return CanaryThread(
        canary,
        sing=lambda: app.send_task(CANARY, queue=queue, retry=False, ignore_result=True, expires=every.total_seconds()),
        is_busy=lambda: engine.handed_over >= CONCURRENCY,
        on_deaf=end,
        every=every,
    )


def main() -> int:
    """Run until SIGTERM; then give leases back."""
    logs.configure("worker")
    try:
        settings = ProvisionerSettings.load()
        check(settings)
        engine = LoopThread(settings, runtime_of(settings))
    except AppError as error:
        return start_up.refused("worker", error)
    logs.configure("worker", level=settings.log_level)
    # Two lines for each message would drown the log; what they are about is logged by the engine.
    for noisy in ("celery.worker.strategy", "celery.app.trace", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    app = Celery("provisioner", set_as_current=False)
    configure(app, settings)
    register(app, engine)
    canary = listening(app, engine, every=settings.canary_every)
    # As root on purpose: it gives each tenant a user of its own. What comes from the broker is JSON and never code.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    setup_logging.connect(_leave_logging_alone, weak=False)
    worker_shutting_down.connect(lambda **_: engine.ask_to_stop(), weak=False)
    worker_ready.connect(lambda **_: canary.start(), weak=False)
    engine.start()
    try:
        app.worker_main(list(ARGUMENTS))
    except SystemExit:
        logs.logger(__name__).info("stopping")
    finally:
        canary.stop()
        engine.ask_to_stop()
        engine.join()
    return 1 if engine.failed else 0


def _leave_logging_alone(**_: Any) -> None:
    """Connected to Celery's signal so that it configures no logging: its lines go through ours."""


if __name__ == "__main__":
    sys.exit(main())
