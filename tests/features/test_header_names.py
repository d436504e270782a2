"""Names of request headers by which a client could pass for somebody else."""

from dataclasses import dataclass

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods


@dataclass
class Sent:
    """What a pod was sent of these headers."""

    executor: Executor
    settings: ProxySettings
    pods: Pods
    client: Client

    async def told(self, options: ProxyOptions, **headers: str) -> set[str]:
        wanted = model([host(route())], [backend(endpoint("a", await self.pods.start("a")))])
        outcome = await self.executor.apply(
            Configurator(self.settings).configure(msgspec.structs.replace(wanted, options=options))
        )
        assert not outcome.error
        _, _, body = await self.client.get("web.example", headers=headers)
        return set(msgspec.json.decode(body)["headers"]) & {name.lower() for name in headers}


@pytest.fixture
def sent(executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client) -> Sent:
    return Sent(executor, proxy_settings, pods, client)


KEPT = ProxyOptions(enable_underscores_in_headers=True)


@pytest.mark.parametrize(("options", "kept"), [(ProxyOptions(), set()), (KEPT, {"x_forwarded_for", "remote_user"})])
async def test_names_with_underscores_get_nowhere_unless_they_are_wanted(
    options: ProxyOptions, kept: set[str], sent: Sent
) -> None:
    odd = {"X_Forwarded_For": "10.0.0.1", "remote_user": "root", "X-Fine": "yes"}
    assert await sent.told(options, **odd) == {"x-fine", *kept}


@pytest.mark.parametrize("options", [ProxyOptions(), KEPT])
async def test_nobody_says_of_himself_what_his_certificate_says(options: ProxyOptions, sent: Sent) -> None:
    feigned = {"Ssl-Client-Verify": "SUCCESS", "SSL-CLIENT-SUBJECT-DN": "CN=root", "ssl_client_cert": "x", "X-Fine": "yes"}
    assert await sent.told(options, **feigned) == {"x-fine"}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (ProxyOptions(), set()),
        (KEPT, {"x_a"}),
        (ProxyOptions(ignore_invalid_headers=False), {"x.b", "x!c"}),
        (ProxyOptions(ignore_invalid_headers=False, enable_underscores_in_headers=True), {"x_a", "x.b", "x!c"}),
    ],
)
async def test_names_of_other_characters_get_nowhere_unless_they_are_wanted(
    options: ProxyOptions, kept: set[str], sent: Sent
) -> None:
    odd = {"X_A": "1", "X.B": "2", "X!C": "3", "X-Fine": "yes", "Ssl.Client_Verify": "SUCCESS"}
    assert await sent.told(options, **odd) == {"x-fine", *kept}
