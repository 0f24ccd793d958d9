import stat

import pytest

from shared.kernel import secret_files
from shared.kernel.secret_files import SecretExposed, SecretMissing


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    secret_files.ensure(tmp_path / "secrets", "seal")
    (first,) = secret_files.load(tmp_path / "secrets", "seal")
    secret_files.ensure(tmp_path / "secrets", "seal")
    (second,) = secret_files.load(tmp_path / "secrets", "seal")

    assert first == second
    assert stat.S_IMODE((tmp_path / "secrets" / "seal.1.key").stat().st_mode) == 0o400


def test_the_newest_of_two_makes_new_things_and_both_are_accepted(tmp_path):
    for number in (1, 2):
        file = tmp_path / f"seal.{number}.key"
        file.write_bytes(bytes([number]) * 32)
        file.chmod(0o400)

    assert [secret.id for secret in secret_files.load(tmp_path, "seal")] == ["2", "1"]


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "seal.1.key").write_bytes(b"x" * 32)
    (tmp_path / "seal.1.key").chmod(0o440)

    with pytest.raises(SecretExposed):
        secret_files.load(tmp_path, "seal")


def test_a_missing_secret_says_which_and_what_to_do(tmp_path):
    with pytest.raises(SecretMissing) as refused:
        secret_files.load(tmp_path, "policy")

    assert "policy" in refused.value.detail
    assert "loam up" in (refused.value.next_step or "")


def test_a_secret_is_not_shown_when_it_is_printed():
    assert "tell-nobody" not in repr(secret_files.Secret("1", b"tell-nobody"))
