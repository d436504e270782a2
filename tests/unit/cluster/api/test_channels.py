"""Channels in WebSocket messages, and how a command's end is told in each version."""

import json

import pytest

from remora.cluster.api.node import Size
from remora.cluster.api.streams.channels import Codec, Message, choose
from remora.cluster.api.streams.remote_command import exit_status, parse_size, render_status


def codec(*offered: str) -> Codec:
    found = choose(offered)
    assert found is not None
    return found


def test_the_first_known_protocol_is_taken() -> None:
    assert codec("v9.channel.k8s.io", "v5.channel.k8s.io", "v4.channel.k8s.io").name == "v5.channel.k8s.io"
    assert codec().version == 1
    assert choose(["v9.channel.k8s.io"]) is None


@pytest.mark.parametrize("name", ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io"])
def test_what_is_encoded_is_decoded_again(name: str) -> None:
    assert codec(name).decode(codec(name).encode(1, b"\0\xffhello")) == Message(1, b"\0\xffhello")


def test_only_version_5_closes_channels() -> None:
    assert codec("v5.channel.k8s.io").decode(b"\xff\x00") == Message(0, is_last=True)
    assert codec("v4.channel.k8s.io").decode(b"\xff\x00") == Message(255, b"\0")


@pytest.mark.parametrize("message", [b"", "", "x", "0?", b"\xff"])
def test_messages_that_say_nothing_are_none(message: bytes | str) -> None:
    name = "v4.base64.channel.k8s.io" if isinstance(message, str) else "v5.channel.k8s.io"
    assert codec(name).decode(message) is None


def test_an_exit_code_is_the_cause_of_a_failure() -> None:
    status = json.loads(render_status(exit_status(3), version=4))
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert json.loads(render_status(exit_status(0), version=5))["status"] == "Success"


def test_old_versions_tell_failures_as_text() -> None:
    assert render_status(exit_status(3), version=1) == b"command terminated with non-zero exit code: exit status 3"
    assert render_status(exit_status(0), version=1) == b""


def test_a_size_that_is_none_is_passed_over() -> None:
    assert parse_size(b'{"Width":80,"Height":24}') == Size(80, 24)
    for wrong in (b"", b"{}", b'{"Width":-1,"Height":2}', b'{"Width":70000,"Height":2}', b'{"Width":"a","Height":2}'):
        assert parse_size(wrong) is None
