"""What of nginx's words about timeouts and retries a route has for itself."""

import pytest

from remora.annotations.registry import Defaults, parse_all, parse_defaults
from remora.core.names import NamespacedName, ObjectRef
from remora.model import BackendName, ForwardTo, Retries, RetryOn, whole_retries
from remora.translate.proxying import with_proxying

INGRESS = ObjectRef("Ingress", NamespacedName("shop", "web"))
CONFIGMAP = ObjectRef("ConfigMap", NamespacedName("system", "controller"))
PLAIN = ForwardTo(BackendName("shop-web-80"))


def action(annotations: dict[str, str], configmap: dict[str, str] | None = None) -> ForwardTo:
    prefix = "nginx.ingress.kubernetes.io"
    defaults = parse_defaults(configmap, object=CONFIGMAP) if configmap else Defaults()
    written = {f"{prefix}/{name}": text for name, text in annotations.items()}
    return with_proxying(PLAIN, parse_all(written, object=INGRESS, prefixes=(prefix,), defaults=defaults))


@pytest.mark.parametrize(
    ("annotations", "configmap"),
    [
        ({}, {}),
        ({"proxy-read-timeout": "60"}, {}),
        ({"proxy-read-timeout": "5m"}, {"proxy-read-timeout": "300"}),
        ({"proxy-connect-timeout": "30", "proxy-send-timeout": "3600"}, {}),
        ({"proxy-next-upstream": "timeout error"}, {}),
        ({"proxy-next-upstream-tries": "3"}, {}),
        ({"proxy-next-upstream-tries": "0"}, {"proxy-next-upstream-tries": "1000"}),
        ({"proxy-next-upstream": "error"}, {"proxy-next-upstream": "error"}),
        ({"proxy-next-upstream": "error timeout non_idempotent"}, {"retry-non-idempotent": "true"}),
        ({"proxy-next-upstream-timeout": "180"}, {}),
        ({"proxy-redirect-from": "default"}, {}),
        ({"proxy-cookie-path": "off", "mirror-target": "off"}, {}),
        ({}, {"proxy-read-timeout": "300", "proxy-next-upstream": "off"}),
    ],
)
def test_what_is_as_for_all_costs_a_route_nothing(annotations: dict[str, str], configmap: dict[str, str]) -> None:
    assert action(annotations, configmap) is PLAIN


@pytest.mark.parametrize(
    ("annotations", "configmap", "retries"),
    [
        ({"proxy-next-upstream": "off"}, {}, Retries(())),
        ({"proxy-next-upstream": "off", "proxy-next-upstream-tries": "9"}, {}, Retries(())),
        ({"proxy-next-upstream": "error"}, {}, Retries((RetryOn.ERROR,))),
        ({"proxy-next-upstream": "error timeout"}, {"proxy-next-upstream": "off"}, Retries((RetryOn.ERROR, RetryOn.TIMEOUT))),
        ({"proxy-next-upstream": "error timeout non_idempotent"}, {}, Retries(idempotent_only=False)),
        (
            {"proxy-next-upstream": "error timeout"},
            {"proxy-next-upstream": "error timeout non_idempotent"},
            Retries(idempotent_only=True),
        ),
        ({"proxy-next-upstream-tries": "1"}, {}, Retries(tries=1)),
        ({"proxy-next-upstream-tries": "0"}, {}, Retries(tries=10)),
        ({"proxy-next-upstream-timeout": "120"}, {}, Retries(tries=2)),
        ({"proxy-next-upstream-timeout": "60"}, {}, Retries((RetryOn.ERROR,))),
        ({"proxy-next-upstream-timeout": "60", "proxy-read-timeout": "5"}, {}, None),
    ],
)
def test_what_is_other_than_for_all_is_the_route_s_own(
    annotations: dict[str, str], configmap: dict[str, str], retries: Retries | None
) -> None:
    assert action(annotations, configmap).retries == retries


def test_words_that_the_proxy_does_not_know_are_left_out() -> None:
    words = ("http_429", "http_403", "error")
    made = whole_retries(words, tries=3, within=0, silence=60, non_idempotent=False)
    assert made == Retries((RetryOn.ERROR, RetryOn.FORBIDDEN), 3, True)
