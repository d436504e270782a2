"""Lists of addresses, passwords, and how they count together, on the real HAProxy."""

import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Access
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods


@pytest.mark.parametrize(
    ("access", "status"),
    [
        (Access(allow=("127.0.0.0/8",)), 200),
        (Access(allow=("127.0.0.1/32", "10.0.0.0/8")), 200),
        (Access(allow=("127.0.0.0/31",)), 200),
        (Access(allow=("0.0.0.0/0",)), 200),
        (Access(allow=("127.0.0.2/31",)), 403),
        (Access(allow=("::/0",)), 403),
        (Access(allow=("7f00::/8", "::1/128")), 403),
        (Access(deny=("127.0.0.0/9",)), 403),
        (Access(deny=("126.0.0.0/8", "::/0")), 200),
        (Access(allow=("0.0.0.0/0",), deny=("127.0.0.1/32",)), 403),
        (Access(allow=("127.0.0.1/32",), deny=("127.0.0.2/32",), satisfies_any=True), 200),
        (Access(allow=("127.0.0.2/32",), satisfies_any=True), 403),
        (Access(deny=("127.0.0.2/32",), satisfies_any=True), 200),
    ],
)
async def test_an_address_is_let_in_by_the_lists_of_its_route(
    access: Access, status: int, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model([host(route(access=access))], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert (await client.get("web.example", "/"))[0] == status
