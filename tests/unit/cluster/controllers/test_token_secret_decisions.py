"""Secrets with service accounts' tokens."""

import base64

from remora.cluster.controllers.actions import Delete, Update
from remora.cluster.controllers.token_secret import ACCOUNT_NAME, ACCOUNT_UID, TYPE, decide
from remora.cluster.objects import Object

ACCOUNT = {"metadata": {"name": "robot", "namespace": "default", "uid": "a"}}


def _secret(**annotations: str) -> Object:
    given = {ACCOUNT_NAME: "robot", **annotations}
    return {"metadata": {"name": "robot-token", "namespace": "default", "uid": "s", "annotations": given}, "type": TYPE}


def _decide(secret: Object, account: Object | None) -> list[object]:
    return list(decide(secret, account, ca_certificate="pem", issue_token=lambda namespace, name: f"{namespace}:{name}"))


def test_secret_is_filled_once() -> None:
    (filled,) = _decide(_secret(), ACCOUNT)
    assert isinstance(filled, Update)
    text = {name: base64.b64decode(value).decode() for name, value in filled.object["data"].items()}
    assert text == {"ca.crt": "pem", "namespace": "default", "token": "default:robot"}
    assert filled.object["metadata"]["annotations"][ACCOUNT_UID] == "a"
    assert _decide(filled.object, ACCOUNT) == []


def test_secret_goes_with_its_account_and_with_one_of_the_same_name() -> None:
    (gone,) = _decide(_secret(), None)
    assert isinstance(gone, Delete)
    (stale,) = _decide(_secret(**{ACCOUNT_UID: "before"}), ACCOUNT)
    assert isinstance(stale, Delete)


def test_other_secrets_are_left_alone() -> None:
    assert _decide({**_secret(), "type": "Opaque"}, None) == []
