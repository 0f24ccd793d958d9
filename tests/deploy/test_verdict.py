"""The pipeline is green only when everything really ran."""

import pytest

from tests.support import verdict

ALL_KINDS = "".join(f'<property name="kind" value="{kind}"/>' for kind in verdict.KINDS)
GOOD = f'<testcase classname="a" name="good"><properties>{ALL_KINDS}</properties></testcase>'


def read(tmp_path, *cases: str):
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return verdict.of(report)


def test_a_report_of_every_kind_without_trouble_is_good(tmp_path):
    assert read(tmp_path, GOOD).is_good


@pytest.mark.parametrize("trouble", ["skipped", "failure", "error"])
def test_one_test_that_did_not_pass_is_named_and_spoils_it(tmp_path, trouble):
    found = read(tmp_path, GOOD, f'<testcase classname="b" name="bad"><{trouble}/></testcase>')

    assert not found.is_good
    assert "b::bad" in str(found)


@pytest.mark.parametrize("kind", verdict.KINDS)
def test_a_kind_of_test_that_never_ran_spoils_it(tmp_path, kind):
    found = read(tmp_path, GOOD.replace(f'value="{kind}"', 'value="other"'))

    assert found.missing == (kind,)
    assert not found.is_good


def test_an_empty_report_is_not_good(tmp_path):
    assert not read(tmp_path).is_good
