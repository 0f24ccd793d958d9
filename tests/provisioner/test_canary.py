"""A worker that no longer hears the broker ends, so that it is started again; a broker that is away is waited for."""

from datetime import timedelta
from pathlib import Path

import docker
import pytest
import redis

from provisioner.canary import Canary, Verdict
from shared.contracts.state_folder import StateFolder
from tests.support import services, workers
from tests.support.clock import ManualClock
from tests.support.waiting import until

EVERY = timedelta(seconds=10)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def canary(clock: ManualClock) -> Canary:
    return Canary(clock, every=EVERY, most_missed=3)


def silence(canary: Canary, clock: ManualClock, *, sent: bool = True, busy: bool = False) -> Verdict:
    clock.advance(EVERY + timedelta(seconds=1))
    return canary.judge(sent=sent, busy=busy)


def test_silence_for_some_intervals_is_deafness(canary: Canary, clock: ManualClock) -> None:
    assert [silence(canary, clock) for _ in range(3)] == [Verdict.HEARS, Verdict.HEARS, Verdict.DEAF]


def test_one_message_that_comes_back_starts_the_count_anew(canary: Canary, clock: ManualClock) -> None:
    silence(canary, clock)
    silence(canary, clock)
    canary.heard()
    assert canary.judge(sent=True, busy=False) is Verdict.HEARS

    assert [silence(canary, clock) for _ in range(3)][-1] is Verdict.DEAF


@pytest.mark.parametrize(("sent", "busy", "verdict"), [(False, False, Verdict.BROKER_AWAY), (True, True, Verdict.BUSY)])
def test_a_broker_that_is_away_and_threads_that_all_work_are_no_deafness(
    canary: Canary, clock: ManualClock, *, sent: bool, busy: bool, verdict: Verdict
) -> None:
    found = [silence(canary, clock, sent=sent, busy=busy) for _ in range(10)]

    assert set(found) == {verdict}


def settings_of(registry_url: str, broker_url: str, state_dir: Path) -> dict[str, str]:
    workers.write_key_ring(StateFolder(state_dir))
    return {
        "STATE_DIR": str(state_dir),
        "REGISTRY_URL": registry_url,
        "BROKER_URL": broker_url,
        "RUNTIME": "docker",
        "TENANT_IMAGE": "none",
        "CANARY_EVERY": "PT0.3S",
    }


@pytest.mark.redis
@pytest.mark.postgres
def test_a_deaf_worker_ends_so_that_it_is_started_again(registry_url: str, redis_url: str, state_dir: Path) -> None:
    settings = settings_of(registry_url, redis_url, state_dir)

    with workers.program("tests.support.deaf_worker", settings, state_dir / "worker.log") as started:
        assert started.process.wait(30) == 1

    assert "does not hear the broker" in started.text()


@pytest.mark.redis
@pytest.mark.postgres
def test_a_worker_outlives_a_broker_that_is_stopped_emptied_and_started_again(
    registry_url: str, state_dir: Path, docker_engine: docker.DockerClient, free_port: int
) -> None:
    with services.redis_at(docker_engine, free_port) as container:
        broker = f"redis://127.0.0.1:{free_port}/0"
        settings = settings_of(registry_url, broker, state_dir)
        with workers.worker(settings, state_dir / "worker.log") as worker:
            until(lambda: worker.says("ready"), what="the consumer", seconds=20)
            container.stop(timeout=1)
            until(lambda: worker.says("the canary did not get to the broker"), what="the silence", seconds=20)
            container.start()
            with redis.Redis.from_url(broker, retry_on_error=[redis.ConnectionError]) as client:
                until(lambda: _answers(client), what="the broker", seconds=20)
                client.flushall()
                # Longer than deafness takes: whoever still lives then has heard itself again.
                seen = client.info("stats")["total_commands_processed"]
                until(lambda: client.info("stats")["total_commands_processed"] > seen + 60, what="songs", seconds=40)

            assert worker.stop() == 0
        assert "does not hear the broker" not in worker.text()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
