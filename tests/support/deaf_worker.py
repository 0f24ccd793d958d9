"""A worker whose consumer stops listening as soon as it runs, as some do after a reconnect: no error, no message."""

import sys
from typing import Any

from celery.signals import worker_ready

from provisioner import worker


def _stop_listening(sender: Any, **_: Any) -> None:
    sender.task_consumer.cancel()


worker_ready.connect(_stop_listening, weak=False)

if __name__ == "__main__":
    sys.exit(worker.main())
