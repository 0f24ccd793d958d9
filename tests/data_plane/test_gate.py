"""What the gate and the settings do in cases no customer meets on an ordinary day."""

from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

from data_plane.edge import gate
from data_plane.edge.needs import check_needs
from data_plane.settings import SettingMissing, TenantSettings
from shared.kernel.setting_names import UnknownSetting
from shared.web.problems import HANDLERS
from tests.support.tenant import Tenant


def test_a_route_that_declares_no_need_is_not_there():
    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "open to everybody"

    with TestClient(Litestar([forgotten], guards=[check_needs], exception_handlers=HANDLERS)) as client:
        answer = client.get("/forgotten")

    assert answer.status_code == 404
    assert "open" not in answer.text


async def test_more_requests_than_are_sensible_are_told_to_come_back(tenant: Tenant, monkeypatch):
    monkeypatch.setattr(gate, "MOST_AT_ONCE", 0)

    answer = await tenant.call("GET", "/v1/whoami")

    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "1"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("TENANT_SUBSTRATE", "sub_x")
    monkeypatch.setenv("TENANT_DATA_DIR", "/somewhere")

    settings = TenantSettings.load()

    assert settings.database == Path("/somewhere/memory.db")
    assert settings.live_socket == Path("/run/edge/live.sock")


def test_the_substrate_must_be_said(monkeypatch):
    monkeypatch.delenv("TENANT_SUBSTRATE", raising=False)

    with pytest.raises(SettingMissing):
        TenantSettings.load()


def test_a_misspelt_setting_is_refused(monkeypatch):
    monkeypatch.setenv("TENANT_SUBSTRAT", "sub_x")

    with pytest.raises(UnknownSetting) as refused:
        TenantSettings.load()
    assert "TENANT_SUBSTRATE" in refused.value.detail
