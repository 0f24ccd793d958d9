"""What a failed program wrote, as a person reads it."""

from deploy.local import log_lines

CADDY = """{"level":"info","ts":1.5,"msg":"using config"}
{"level":"error","ts":1.6,"logger":"tls","msg":"no such thing","error":"open /x: no such file"}
Error: loading initial config: listening on 1.2.3.4
"""


def test_only_what_went_wrong_is_shown_and_as_text():
    assert log_lines.errors(CADDY) == (
        "no such thing: open /x: no such file\nError: loading initial config: listening on 1.2.3.4"
    )


def test_a_line_that_is_repeated_is_shown_once():
    assert log_lines.errors(CADDY * 5) == log_lines.errors(CADDY)


def test_a_program_that_names_no_error_is_shown_with_its_last_lines():
    assert log_lines.errors('{"level":"info","event":"starting"}\nKilled\n') == "starting\nKilled"
    assert log_lines.errors("") == log_lines.NOTHING


def test_why_a_program_refused_its_settings_is_its_last_error():
    line = '{"event":"cannot start","level":"error","detail":"The setting X is missing.","next_action":"Set it."}'

    assert log_lines.last_error(f"{line}\n") == "cannot start: The setting X is missing. Set it."
    assert log_lines.last_error("all is well") is None
