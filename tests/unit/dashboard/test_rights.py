import ssl
from typing import Any, cast

import msgspec
import pytest

from remora.core.errors import ApiServerRefused, ApiServerUnreachable, RemoraError
from remora.dashboard.rights import Rights, TokenSignIn, without_certificate
from remora.dashboard.viewer import SignInRefused
from remora.kube.client import ApiClient


class _Api:
    """Allows to list the Ingresses of these namespaces; "" stands for all."""

    def __init__(self, *allowed: str, error: Exception | None = None) -> None:
        self.allowed = allowed
        self.error = error
        self.asked: list[str] = []

    async def create(self, resource: object, namespace: str, body: dict[str, Any]) -> bytes:
        if self.error:
            raise self.error
        asked = body["spec"]["resourceAttributes"]
        assert (asked["verb"], asked["group"], asked["resource"]) == ("list", "networking.k8s.io", "ingresses")
        self.asked.append(asked["namespace"])
        return msgspec.json.encode({"status": {"allowed": asked["namespace"] in self.allowed}})


def _rights(api: _Api) -> Rights:
    return Rights(cast(ApiClient, api))


async def test_who_may_list_all_ingresses_sees_all() -> None:
    api = _Api("")
    assert await _rights(api).seen({"a", "b"}) is None
    assert api.asked == [""]


async def test_others_see_the_namespaces_whose_ingresses_they_may_list() -> None:
    assert await _rights(_Api("a")).seen({"a", "b"}) == frozenset({"a"})
    assert await _rights(_Api()).seen({"a", "b"}) == frozenset()


async def test_the_api_server_is_not_asked_again_at_once() -> None:
    api = _Api("a")
    rights = _rights(api)
    await rights.seen({"a"})
    await rights.seen({"a", "b"})
    assert sorted(api.asked) == ["", "a", "b"]


@pytest.mark.parametrize(
    "error",
    [
        ApiServerUnreachable("no answer"),
        ApiServerRefused(status=401, reason="Unauthorized", message="expired"),
        ApiServerRefused(status=500, reason="InternalError", message="broken"),
    ],
)
async def test_nothing_is_seen_where_the_api_server_does_not_say_so(error: Exception) -> None:
    with pytest.raises(RemoraError):
        await _rights(_Api("", error=error)).seen({"a"})


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "é", "x" * 20_000])
async def test_what_cannot_be_a_token_is_not_even_tried(token: str) -> None:
    with pytest.raises(SignInRefused):
        await TokenSignIn(cast(Any, None), cast(Any, None)).sign_in(token)


def test_the_context_for_viewers_trusts_the_same_authorities() -> None:
    context = ssl.create_default_context()
    copied = without_certificate(context)
    assert copied is not None
    assert copied is not context
    assert set(copied.get_ca_certs(binary_form=True)) >= set(context.get_ca_certs(binary_form=True))
    assert (copied.verify_mode, copied.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert without_certificate(None) is None
