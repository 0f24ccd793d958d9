"""Both stores, held to the same promises; `s3` against a server that checks signatures and takes parts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from provisioner.backups.errors import StoreAway
from provisioner.backups.stores.folder import FolderStore
from provisioner.backups.stores.s3 import S3Store
from provisioner.backups.stores.store import Store
from shared.kernel.secret_files import SecretExposed
from tests.support.ports import free_port
from tests.support.waiting import until

NAME = "sub_one/bak_first_1.age"
KEY, SECRET = "operator", "an-operators-secret"
LARGE = 40 * 1024 * 1024
"""More than two parts of an upload."""


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory) -> Iterator[str]:
    """A real S3 server with the bucket `backups`."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    environment = {**os.environ, "NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET}
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(tmp_path_factory.mktemp("s3"))]
    log = tmp_path_factory.mktemp("s3-log") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "nanio"), "serve", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: _answers(address), what="the S3 server", seconds=30)
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket="backups")
        client.close()
        yield address
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    return _written(tmp_path / "credentials", SECRET)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, credentials: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "kept")
        return
    found = _s3(request.getfixturevalue("s3_address"), credentials)
    yield found
    for name in found.list_names(""):
        found.remove(name)


@pytest.mark.parametrize("size", [0, 1, LARGE])
def test_what_was_put_is_fetched_byte_for_byte(store: Store, tmp_path: Path, size: int) -> None:
    given, fetched = tmp_path / "given", tmp_path / "fetched"
    given.write_bytes(os.urandom(size))

    store.put(NAME, given)

    assert store.fetch(NAME, fetched)
    assert fetched.read_bytes() == given.read_bytes()
    assert fetched.stat().st_mode & 0o777 == 0o600


def test_a_name_that_is_put_again_holds_the_newest(store: Store, tmp_path: Path) -> None:
    for words in (b"first", b"second"):
        (tmp_path / "given").write_bytes(words)
        store.put(NAME, tmp_path / "given")

    store.fetch(NAME, tmp_path / "fetched")

    assert (tmp_path / "fetched").read_bytes() == b"second"


def test_what_is_not_there_is_not_fetched_and_may_be_removed(store: Store, tmp_path: Path) -> None:
    assert not store.fetch(NAME, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    store.remove(NAME)


def test_names_are_listed_by_substrate_and_gone_when_removed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"words")
    other = "sub_two/bak_first_1.age"
    for name in (NAME, other):
        store.put(name, tmp_path / "given")

    assert store.list_names("sub_one/") == [NAME]
    store.remove(NAME)
    assert store.list_names("") == [other]


@pytest.mark.parametrize("name", ["../escape.age", "sub_one/../../x.age", "/etc/passwd", "sub_one/x"])
def test_a_folder_keeps_nothing_outside_itself(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no object"):
        FolderStore(tmp_path / "kept").fetch(name, tmp_path / "fetched")


def test_credentials_that_are_wrong_are_told_apart_from_absence(
    s3_address: str, tmp_path: Path, credentials: Path
) -> None:
    wrong = _written(tmp_path / "wrong", "guessed")

    with pytest.raises(StoreAway, match=r"SignatureDoesNotMatch|Forbidden|403"):
        _s3(s3_address, wrong).fetch(NAME, tmp_path / "fetched")


def test_credentials_that_others_can_read_are_refused(tmp_path: Path, credentials: Path) -> None:
    credentials.chmod(0o444)

    with pytest.raises(SecretExposed):
        _s3("http://127.0.0.1:9", credentials).list_names("")


def test_a_store_that_does_not_answer_is_away(tmp_path: Path, credentials: Path) -> None:
    with pytest.raises(StoreAway):
        _s3(f"http://127.0.0.1:{free_port()}", credentials).list_names("")


def _s3(address: str, credentials: Path) -> S3Store:
    return S3Store(endpoint=address, region="us-east-1", bucket="backups", credentials=credentials)


def _written(path: Path, secret: str) -> Path:
    path.write_text(f"{KEY}\n{secret}\n")
    path.chmod(0o400)
    return path


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code > 0
    except httpx.TransportError:
        return False
