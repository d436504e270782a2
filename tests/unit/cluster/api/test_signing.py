"""A request for a certificate tells truly who made it."""

from collections.abc import Iterator
from typing import Any

import pytest

from remora.cluster.api import caller
from remora.cluster.api.caller import Caller
from remora.cluster.api.signing import admit_signing_request
from remora.cluster.api.tokens import Identity


@pytest.fixture
def jane() -> Iterator[None]:
    token = caller._caller.set(Caller(Identity("jane", ("team",), extra={"scopes": ("all",)}), None, "", []))
    yield
    caller._caller.reset(token)


def asked(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "spec": {"request": "cmVx", "signerName": "a/b", **spec}}


@pytest.mark.usefixtures("jane")
def test_the_caller_is_written_into_the_request_whatever_it_says() -> None:
    spec = admit_signing_request(asked(username="admin", uid="1", groups=["system:masters"]), None)["spec"]
    assert {name: spec.get(name) for name in ("username", "uid", "groups", "extra")} == {
        "username": "jane",
        "uid": None,
        "groups": ["team"],
        "extra": {"scopes": ["all"]},
    }


@pytest.mark.usefixtures("jane")
def test_what_is_asked_for_stays_as_it_was() -> None:
    before = admit_signing_request(asked(), None)
    assert admit_signing_request(asked(signerName="c/d", username="admin"), before)["spec"] == before["spec"]
