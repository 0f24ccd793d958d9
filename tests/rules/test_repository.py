"""The repository about itself: what the documents say is so."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent
README: Final = ROOT / "README.md"
PACKAGES: Final = ("control_plane", "data_plane", "provisioner", "shared", "deploy", "tests")
TOP_LEVEL: Final = {
    "pyproject.toml", "control_plane", "data_plane", "provisioner", "shared", "deploy", "tests", "Makefile",
    "README.md", "uv.lock", "LICENSE",
}  # fmt: skip


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"README has no section “{heading}”"
    return found.group(1)


def places() -> list[str]:
    names = re.findall(r"`([\w./-]+)`", section("Map") + section("To change"))
    return sorted({name for name in names if "/" in name or name in PACKAGES})


def test_the_map_names_places():
    assert len(places()) > 20


@pytest.mark.parametrize("path", places())
def test_each_place_on_the_map_exists(path):
    assert (ROOT / path).exists()


def test_nothing_new_stands_at_the_top_level():
    top = {path.split("/")[0] for path in tracked()}

    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_has_its_architecture_page(package):
    assert len((ROOT / package / "README.md").read_text()) > 500


@pytest.mark.parametrize("path", [path for path in tracked() if path.endswith(".md")])
def test_each_link_between_documents_leads_somewhere(path):
    page = ROOT / path
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{path} links to {target}"


def test_generated_files_are_fresh():
    done = subprocess.run(
        [sys.executable, "-m", "deploy.generate", "--check"], cwd=ROOT, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()


def test_every_decision_is_listed():
    folder = ROOT / "deploy" / "decisions"

    listed = set(re.findall(r"\]\((\d{4}[\w-]*\.md)\)", (folder / "README.md").read_text()))

    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


def test_every_make_target_in_the_readme_exists():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z]+)\b", README.read_text())) <= targets


def test_no_file_outgrows_its_noun():
    """A module of more than 500 lines is about more than one thing."""
    long = {path for path in tracked() if path.endswith(".py") and len((ROOT / path).read_text().splitlines()) > 500}

    assert not long
