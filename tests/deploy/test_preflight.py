"""A wrong setting is told before anything is touched."""

import datetime as dt
import os
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.local import health, ports, preflight, stack
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.kernel.clock import SystemClock

NOWHERE = "192.0.2.1"
"""An address that no machine has (RFC 5737)."""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of the operator's, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("app.loam.localhost"), x509.DNSName("*.loam.localhost")]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*plain))
    return files


def changed(settings: LocalSettings, **values: object) -> LocalSettings:
    return settings.model_copy(update=values)


def test_settings_that_work_pass(settings):
    preflight.check(settings)

    assert not list(settings.root.iterdir())


def test_one_port_for_both_is_refused(settings):
    with pytest.raises(Trouble, match="are both"):
        preflight.check(changed(settings, http_port=settings.https_port))


def test_an_address_that_this_machine_does_not_have_is_refused(settings):
    with pytest.raises(Trouble, match="LOAM_BIND"):
        preflight.check(changed(settings, bind=NOWHERE))


@pytest.mark.parametrize("missing", [0, 1], ids=["certificate", "key"])
def test_certificate_files_that_are_not_there_are_named(settings, certificate, missing):
    certificate[missing].unlink()

    with pytest.raises(Trouble) as refused:
        preflight.check(changed(settings, tls=" ".join(map(str, certificate))))

    assert str(certificate[missing]) in refused.value.sentence


def test_a_key_of_another_certificate_is_refused(settings, certificate):
    other = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate[1].write_bytes(other.private_bytes(*plain))

    with pytest.raises(Trouble, match="does not belong"):
        preflight.check(changed(settings, tls=" ".join(map(str, certificate))))


def test_a_file_that_is_no_certificate_is_refused(settings, certificate):
    certificate[0].write_text("hello")

    with pytest.raises(Trouble, match="not a PEM certificate"):
        preflight.check(changed(settings, tls=" ".join(map(str, certificate))))


def test_a_certificate_and_its_key_pass(settings, certificate):
    preflight.check(changed(settings, tls=" ".join(map(str, certificate))))


def test_what_the_gateway_cannot_read_is_told_in_its_words_and_not_as_json(settings):
    with pytest.raises(Trouble) as refused:
        preflight.check_gateway(changed(settings, tls="internal {"))

    assert "Caddyfile" in (refused.value.detail or "")
    assert '{"level"' not in (refused.value.detail or "")


def test_a_port_that_our_own_gateway_holds_is_free_for_us(free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        ports.require_free(free_port, ("127.0.0.1",), setting="LOAM_HTTPS_PORT", ours=os.getpid())
        with pytest.raises(Trouble, match="taken"):
            ports.require_free(free_port, ("127.0.0.1",), setting="LOAM_HTTPS_PORT", ours=1)


@pytest.mark.parametrize("change", [{"bind": NOWHERE}, {"http_port": None}, {"tls": "/nonexistent/a /nonexistent/b"}])
def test_a_wrong_setting_leaves_a_running_stack_alone(services, change):
    values = {**change, **({"http_port": services.settings.https_port} if "http_port" in change else {})}
    before = services.supervisor.process_of("gateway")

    with pytest.raises(Trouble):
        stack.up(changed(services.settings, **values), lambda _: None)

    assert services.supervisor.process_of("gateway") == before


def test_a_certificate_of_the_operators_is_served(services, certificate):
    settings = changed(services.settings, tls=" ".join(map(str, certificate)))

    try:
        services.restart_with(settings)

        assert not settings.ca_file.exists()
        assert health.gateway_answers(settings)
    finally:
        services.restart_with(services.settings)
