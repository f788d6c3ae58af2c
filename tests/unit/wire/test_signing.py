"""Signatures of requests, as RocketMQ's clients make them."""

import pytest

from broker_py.errors import ConfigError
from broker_py.wire.command import Command
from broker_py.wire.signing import Credentials, credentials_of, sign, signature_of, signed_content


def test_the_content_is_the_values_in_the_order_of_their_names_and_the_body() -> None:
    command = Command(10, {"b": "2", "a": "1", "Signature": "old", "Z": "0"}, b"body")
    assert signed_content(command) == b"012body"


def test_the_signature_is_that_of_java() -> None:
    assert signature_of(b"RocketMQ", "12345678") == "IUc8rrO/0gDch8CjObLQsW2rsiA="  # acl AclSignerTest


def test_signing_names_who_signs_and_covers_it() -> None:
    command = Command(10, {"topic": "T"}, b"body")
    sign(command, Credentials("alice-key", "alice-secret", "token"))
    assert command.ext["AccessKey"] == "alice-key"
    assert command.ext["SecurityToken"] == "token"
    assert command.ext["Signature"] == signature_of(b"alice-keytokenTbody", "alice-secret")


def test_signing_twice_gives_the_same() -> None:
    command = Command(10, {"topic": "T"})
    credentials = Credentials("alice-key", "alice-secret")
    sign(command, credentials)
    first = command.ext["Signature"]
    sign(command, credentials)
    assert command.ext["Signature"] == first


def test_old_clients_add_one_field_after_they_have_signed() -> None:
    ext = {"topic": "T", "_UNIQUE_KEY_QUERY": "true"}
    assert signed_content(Command(12, dict(ext), version=399)) == b"T"
    assert signed_content(Command(12, dict(ext), version=400)) == b"trueT"


def test_no_secret_is_in_the_text_of_credentials() -> None:
    assert "hidden" not in repr(Credentials("alice-key", "hidden-secret", "hidden-token"))


@pytest.mark.parametrize("values", [None, [], {}, {"accessKey": "a"}, {"accessKey": "a", "secretKey": 1.5}])
def test_a_file_without_credentials_is_refused(values: object) -> None:
    with pytest.raises(ConfigError):
        credentials_of(values, "tools.yml")


def test_numbers_count_as_text() -> None:
    assert credentials_of({"accessKey": "rocketmq2", "secretKey": 12345678}, "f") == Credentials(
        "rocketmq2", "12345678"
    )
