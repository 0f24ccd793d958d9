import io
import json
import logging

import pytest

from shared.kernel import logs
from shared.keys import format as key_format


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("test", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, level = before
    root.setLevel(level)


def test_a_line_is_one_json_object_with_event_program_time_and_fields(lines):
    logs.logger("somewhere").info("substrate is ready", substrate="sub_1")

    (line,) = lines()
    assert {
        "event": "substrate is ready",
        "program": "test",
        "substrate": "sub_1",
        "level": "info",
    }.items() <= line.items()
    assert line["timestamp"].endswith("Z")


def test_a_key_is_blanked_wherever_it_stands_even_in_a_traceback(lines):
    key = key_format.mint()

    logs.logger("somewhere").info(
        f"saw {key}", facts={"header": f"Bearer {key}", "list": [key], "object": Exception(key)}
    )
    try:
        raise ValueError(key)
    except ValueError:
        logging.getLogger("somebody.elses").exception("failed with %s", key)

    written = json.dumps(lines())
    assert key not in written
    assert written.count(logs.BLANK) >= 5


def test_the_prefix_that_is_shown_on_purpose_stays(lines):
    logs.logger("somewhere").info("claimed", prefix="mmk_abcd")

    assert lines()[0]["prefix"] == "mmk_abcd"
