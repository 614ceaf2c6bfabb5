from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from statehold.images import Redactor, plain
from statehold.sdk import Secret

SECRET = "pa55 w0rd/ü\"'\\x"


class Log:
    """A logger with a redacting handler, and what it wrote."""

    def __init__(self, *values: str) -> None:
        self.stream = io.StringIO()
        self.records: list[logging.LogRecord] = []
        self.logger = logging.Logger("test")  # noqa: LOG001 - it is nobody else's
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(logging.Formatter("%(message)s %(extra)s", defaults={"extra": ""}))
        handler.addFilter(Redactor(map(Secret, values)))
        handler.addFilter(lambda record: bool(self.records.append(record)) or True)
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log(SECRET)
    yield made
    assert SECRET not in made.text
    assert all(SECRET not in str(vars(record)) for record in made.records)


def test_a_secret_in_the_message_is_redacted(log: Log) -> None:
    log.logger.error(f"login with {SECRET} failed")  # noqa: G004
    assert log.text.startswith("login with *** failed")


def test_a_secret_in_an_argument_is_redacted(log: Log) -> None:
    log.logger.error("login with %s failed, %d times", SECRET, 3)
    assert log.text.startswith("login with *** failed, 3 times")
    assert log.records[0].args == ()


def test_a_secret_in_an_object_or_a_mapping_is_redacted(log: Log) -> None:
    log.logger.error("sent %s", {"password": SECRET})
    log.logger.error("sent %(password)s", {"password": SECRET})
    log.logger.error("sent %r", [SECRET])
    log.logger.error({"password": SECRET})
    assert log.text.count("***") == 4


def test_a_secret_in_a_traceback_is_redacted(log: Log) -> None:
    try:
        raise ValueError(f"bad password {SECRET}")
    except ValueError:
        log.logger.exception("failed")
    assert "ValueError: bad password ***" in log.text
    assert log.records[0].exc_info is None


def test_a_traceback_without_secret_stays_as_it_is(log: Log) -> None:
    try:
        raise ValueError("bad")
    except ValueError as error:
        log.logger.exception("failed")
        assert log.records[0].exc_info is not None
        assert log.records[0].exc_info[1] is error  # noqa: PT017


def test_a_secret_in_stack_and_extra_is_redacted(log: Log) -> None:
    log.logger.error("x", stack_info=True, extra={"extra": f"password={SECRET}"})
    assert "password=***" in log.text


def test_a_secret_as_urls_and_json_write_it_is_redacted(log: Log) -> None:
    log.logger.error("GET /?p=%s body %s", quote(SECRET, safe=""), json.dumps(SECRET))
    assert "GET /?p=*** body" in log.text
    assert json.dumps(SECRET) not in log.text
    assert "w0rd" not in log.text


def test_a_secret_put_together_by_the_message_is_redacted(log: Log) -> None:
    log.logger.error("%s%s", SECRET[:5], SECRET[5:])
    assert log.text.startswith("*** ")


def test_a_secret_in_bytes_is_redacted(log: Log) -> None:
    log.logger.error("sent %s", SECRET.encode())
    assert log.text.startswith("sent b'***' ")


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_encoded_with_what_stands_around_it_is_redacted(before: bytes, after: bytes) -> None:
    """A header `Authorization: Basic` has name and password in base64 together."""
    data = before + b"hunter2-hunter2" + after
    redact = Redactor([Secret("hunter2-hunter2")]).redact
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex()):
        hidden = redact(text)
        assert "***" in hidden
        assert len(hidden) <= 3 + len(text) - 18


def test_a_call_with_wrong_arguments_is_redacted(log: Log) -> None:
    log.logger.error("%d", SECRET)
    assert "left out" in log.text


def test_a_number_that_is_a_secret_is_redacted() -> None:
    log = Log("12345")
    log.logger.error("pin %d", 12345)
    assert log.text.startswith("pin ***")


def test_each_line_of_a_key_is_redacted() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----"
    log = Log(key)
    log.logger.error("line %s", key.splitlines()[2])
    log.logger.error("all %s", key)
    assert "kqhkiG9w0BAQEF" not in log.text


def test_a_secret_that_was_escaped_is_redacted() -> None:
    secret = "a\\b\tc\nd\x1b\u2028"
    assert Redactor([Secret(secret)]).redact(plain(f"it is {secret}!")) == "it is ***!"


def test_the_longer_of_two_secrets_goes_first() -> None:
    log = Log("abc", "abcdef")
    log.logger.error("x abcdef abc")
    assert log.text.startswith("x *** ***")


def test_records_without_secret_keep_their_arguments(log: Log) -> None:
    log.logger.error("%s of %d", "one", 2)
    assert log.records[0].args == ("one", 2)
    assert log.text.startswith("one of 2")


def test_without_secrets_nothing_is_changed() -> None:
    redactor = Redactor([Secret("")])
    assert redactor.redact("text") == "text"
    assert redactor.filter(logging.makeLogRecord({"msg": "x"})) is True


def test_an_object_that_cannot_be_written_out_does_no_harm(log: Log) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    log.logger.error("fine", extra={"thing": Broken()})
    log.records.clear()
    assert "fine" in log.text


def test_the_redactor_does_not_show_what_it_knows() -> None:
    assert SECRET not in repr(Redactor([Secret(SECRET)]))
    assert SECRET not in str(vars(Redactor([Secret(SECRET)])).keys())


@given(st.text(min_size=1), st.text(), st.text())
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    assume("*" not in secret)
    log = Log(secret)
    log.logger.error("%s%s%s", before, secret, after)
    assert secret not in log.records[0].getMessage()
