"""Which requests another pod is tried for, on the real HAProxy."""

import pytest

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import ForwardTo, Model, Retries, RetryOn
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, free_ports
from tests.support.rawpods import RawPod

BREAKS = b""
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull"
NO_HTTP = b"SMTP 220 ready\r\n\r\n"

BY_STATUS = Retries((RetryOn.ERROR, RetryOn.TIMEOUT, RetryOn.UNAVAILABLE))


def wanted(retries: Retries | None, *ports: int, options: ProxyOptions = ProxyOptions()) -> Model:  # noqa: B008 - frozen
    endpoints = [endpoint(f"pod{number}", port) for number, port in enumerate(ports)]
    made = model([host(route(action=ForwardTo(NAME, retries=retries)))], [backend(*endpoints)])
    return Model(made.virtual_hosts, made.backends, options=options)


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("answer", "retries", "method", "is_retried"),
    [
        (BREAKS, None, "GET", True),
        (BREAKS, None, "POST", False),
        (BREAKS, Retries(idempotent_only=False), "POST", True),
        (BREAKS, Retries(conditions=()), "GET", False),
        (BREAKS, Retries((RetryOn.UNAVAILABLE,)), "GET", False),
        (UNAVAILABLE, None, "GET", False),
        (UNAVAILABLE, BY_STATUS, "GET", True),
        (UNAVAILABLE, BY_STATUS, "PATCH", False),
        (UNAVAILABLE, Retries(BY_STATUS.conditions, idempotent_only=False), "PATCH", True),
        (UNAVAILABLE, Retries(BY_STATUS.conditions, 1), "GET", False),
        (NO_HTTP, None, "GET", False),
        (NO_HTTP, Retries((RetryOn.INVALID_HEADER,)), "GET", True),
    ],
)
async def test_another_pod_is_tried_for_what_the_route_lists(
    answer: bytes,
    retries: Retries | None,
    method: str,
    is_retried: bool,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    raw_pod: RawPod,
    client: Client,
) -> None:
    raw_pod.answer = answer
    await executor.apply(Configurator(proxy_settings).configure(wanted(retries, await pods.start("good"), raw_pod.port)))
    # Of two requests in turn one begins at the faulty pod.
    statuses = [(await client.get("web.example", method=method))[0] for _ in range(2)]
    assert raw_pod.heads
    assert (statuses == [200, 200]) is is_retried


async def test_a_pod_that_refuses_costs_nobody_a_request_even_if_nothing_is_tried_again(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    (closed,) = free_ports(1)
    await executor.apply(Configurator(proxy_settings).configure(wanted(Retries(()), await pods.start("good"), closed)))
    assert [(await client.get("web.example", method="POST"))[0] for _ in range(4)] == [200] * 4


async def test_when_tries_are_used_up_the_last_answer_is_passed_on(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, client: Client
) -> None:
    raw_pod.answer = UNAVAILABLE
    await executor.apply(Configurator(proxy_settings).configure(wanted(Retries(BY_STATUS.conditions, 4), raw_pod.port)))
    status, _, body = await client.get("web.example")
    assert (status, body, len(raw_pod.heads)) == (503, "full", 4)


async def test_off_is_no_reload_and_other_conditions_are_one(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    configurator = Configurator(proxy_settings)

    async def kind(retries: Retries | None) -> OutcomeKind:
        return (await executor.apply(configurator.configure(wanted(retries, raw_pod.port)))).kind

    await kind(None)
    assert await kind(Retries(())) is OutcomeKind.RUNTIME
    assert await kind(Retries(idempotent_only=False)) is OutcomeKind.RUNTIME
    assert await kind(BY_STATUS) is OutcomeKind.RELOAD


@pytest.mark.parametrize(
    ("options", "method", "is_retried"),
    [
        (ProxyOptions(retry_non_idempotent=True), "POST", True),
        (ProxyOptions(proxy_next_upstream=("off",)), "GET", False),
        (ProxyOptions(proxy_next_upstream=("error", "non_idempotent")), "POST", True),
        (ProxyOptions(proxy_next_upstream_tries=1), "GET", False),
    ],
)
async def test_the_configmap_decides_for_routes_that_say_nothing(
    options: ProxyOptions,
    method: str,
    is_retried: bool,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    raw_pod: RawPod,
    client: Client,
) -> None:
    raw_pod.answer = BREAKS
    model_wanted = wanted(None, await pods.start("good"), raw_pod.port, options=options)
    await executor.apply(Configurator(proxy_settings).configure(model_wanted))
    statuses = [(await client.get("web.example", method=method))[0] for _ in range(2)]
    assert raw_pod.heads
    assert (statuses == [200, 200]) is is_retried


async def test_a_route_keeps_post_safe_though_the_configmap_does_not(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, raw_pod: RawPod, client: Client
) -> None:
    raw_pod.answer = BREAKS
    options = ProxyOptions(proxy_next_upstream=("error", "timeout", "non_idempotent"))
    said = wanted(Retries(idempotent_only=True), await pods.start("good"), raw_pod.port, options=options)
    await executor.apply(Configurator(proxy_settings).configure(said))
    statuses = [(await client.get("web.example", method="POST"))[0] for _ in range(2)]
    assert sorted(statuses) == [200, 502]
