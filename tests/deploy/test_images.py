"""What tenants' servers are made of."""

import json
import os

import docker.errors
import pytest

from deploy.images import debian, registry
from deploy.images.tenant import contents, image
from deploy.local.trouble import Trouble

LOOK = """
import json, os, pathlib, sys
import litestar
code = pathlib.Path('/opt/loam/code')
print(json.dumps({
    'packages': sorted(path.name for path in code.iterdir()),
    'shared': sorted(path.name for path in (code / 'shared').iterdir()),
    'user': os.getuid(),
    'compiled': [os.path.exists(sys.modules[name].__cached__) for name in ('json', 'litestar')],
    'optimised': 'opt-2' in litestar.__cached__,
    'writable': [place for place in ('/opt/loam', '/usr/lib', '/etc') if os.access(place, os.W_OK)],
}))
"""


@pytest.fixture(scope="module")
def inside(docker_engine, tenant_image):
    """What a program sees inside the tenant's image."""
    said = docker_engine.containers.run(
        tenant_image, ["python3", "-OO", "-c", LOOK], network_mode="none", read_only=True, remove=True
    )
    return json.loads(said)


@pytest.mark.containers
def test_a_tenant_gets_its_server_and_nothing_of_the_control_planes(inside):
    assert inside["packages"] == ["data_plane", "shared"]
    assert not {"registry", "lifecycle"} & set(inside["shared"])


@pytest.mark.containers
def test_a_tenant_is_nobody_and_can_write_nowhere(inside):
    assert inside["user"] != 0
    assert inside["writable"] == []


@pytest.mark.containers
def test_a_tenant_starts_from_compiled_code(inside):
    assert inside["optimised"]
    assert inside["compiled"] == [True, True]


@pytest.mark.containers
def test_an_image_that_exists_is_not_built_again(docker_engine, tenant_image):
    before = docker_engine.images.get(tenant_image).id

    assert image.ensure(docker_engine) == tenant_image
    assert docker_engine.images.get(tenant_image).id == before


def test_the_same_content_has_the_same_name_and_another_one_never_has():
    assert contents.fingerprint("base") == contents.fingerprint("base")
    assert contents.fingerprint("base") != contents.fingerprint("another base")


def test_code_is_readable_by_every_user_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        contents.copy_code(tmp_path / "code")
    finally:
        os.umask(before)

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "code").rglob("*")}
    assert modes <= {0o755, 0o644}


@pytest.fixture
def forgetful_registry():
    registry._unreachable.clear()
    yield
    registry._unreachable.clear()


class Engine:
    """An engine whose registry answers as told."""

    def __init__(self, *lines: dict[str, str], refuses: bool = False) -> None:
        self.lines, self.refuses, self.asked = lines, refuses, 0
        self.images = self.api = self

    def get(self, reference):
        raise docker.errors.ImageNotFound(reference)

    def pull(self, *_: str, **__: bool):
        self.asked += 1
        if self.refuses:
            raise docker.errors.APIError("no route to the registry")
        return iter(self.lines)


def test_a_registry_that_answers_is_used(forgetful_registry):
    assert registry.pull(Engine({"status": "Pulling"}), "python:3.12-slim") == "python:3.12-slim"


@pytest.mark.parametrize(
    "engine", [Engine(refuses=True), Engine({"status": "Pulling"}, {"error": "too many requests"})]
)
def test_a_registry_that_refuses_is_not_asked_twice(forgetful_registry, engine):
    engine.asked = 0

    assert registry.pull(engine, "python:3.12-slim") is None
    assert registry.pull(engine, "redis:7-alpine") is None
    assert engine.asked == 1


def test_building_from_packages_asks_for_nothing_that_is_not_listed():
    recipe = debian.Recipe("loam-example", packages=("python3",), hooks=('touch "$1"/made',))

    words = debian.command(recipe, "bookworm", debian.Path("/tmp/root.tar"), [], "http://proxy:3128")

    assert "--variant=extract" in words
    assert any(word.startswith("--include=") and word.endswith("python3") for word in words)
    assert '--extract-hook=touch "$1"/made' in words
    assert '--aptopt=Acquire::http::Proxy "http://proxy:3128"' in words


def test_a_machine_that_cannot_build_images_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(debian.packages, "release", lambda: {"ID": "fedora"})

    with pytest.raises(Trouble, match="registry"):
        debian.packages.codename()
