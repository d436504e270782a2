import msgspec
import pytest

from remora.controller.cache import Cache
from remora.controller.settings import ControllerSettings, HealthSettings, scopes_of
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.kube.objects import ConfigMap, EndpointSlice, IngressClass, Secret, Service
from remora.kube.reflector import Relisted
from remora.kube.resources import Scope, one
from remora.status.addresses import PublishSettings


def _config(name: str, namespace: str) -> ConfigMap:
    return msgspec.convert({"metadata": {"name": name, "namespace": namespace}}, ConfigMap)


def test_lists_of_two_scopes_do_not_take_away_each_other_s_objects() -> None:
    shop, single = Scope(ConfigMap, "shop"), one(ConfigMap, NamespacedName("remora", "settings"))
    cache = Cache((shop, single))
    cache.take(Relisted(single, (_config("settings", "remora"),)))
    synced = [cache.has_synced]
    cache.take(Relisted(shop, (_config("a", "shop"),)))
    assert [*synced, cache.has_synced] == [False, True]
    cache.take(Relisted(shop, (_config("b", "shop"),)))
    assert sorted(map(str, cache.snapshot.names(ConfigMap))) == ["remora/settings", "shop/b"]
    cache.take(Relisted(single, ()))
    assert sorted(map(str, cache.snapshot.names(ConfigMap))) == ["shop/b"]


def _settings(watch_namespace: str) -> ControllerSettings:
    return ControllerSettings(
        routing=RoutingSettings(
            session_key=b"",
            configmap=NamespacedName("remora", "settings"),
            default_backend_service=NamespacedName("remora", "default"),
            default_ssl_certificate=NamespacedName("shop", "tls"),
        ),
        proxy=ProxySettings(state_directory="/nowhere"),
        publish=PublishSettings(service=NamespacedName("remora", "entry")),
        health=HealthSettings(hosts=("127.0.0.1",)),
        watch_namespace=watch_namespace,
    )


def test_all_namespaces_need_one_scope_a_kind() -> None:
    assert {scope.namespace for scope in scopes_of(_settings(""))} == {""}


def test_one_namespace_needs_what_flags_name_elsewhere_as_well() -> None:
    scopes = scopes_of(_settings("shop"))
    assert Scope(IngressClass) in scopes
    assert Scope(Secret, "shop") in scopes
    elsewhere = [scope for scope in scopes if scope.namespace == "remora"]
    assert elsewhere == [
        one(ConfigMap, NamespacedName("remora", "settings")),
        one(Service, NamespacedName("remora", "default")),
        one(Service, NamespacedName("remora", "entry")),
        Scope(EndpointSlice, "remora", label=("kubernetes.io/service-name", "default")),
    ]


@pytest.mark.parametrize(
    ("scope", "selectors"),
    [
        (Scope(Service, "shop", "web"), {"fieldSelector": "metadata.name=web"}),
        (Scope(EndpointSlice, "shop", label=("a", "b")), {"labelSelector": "a=b"}),
        (Scope(Secret), {}),
    ],
)
def test_a_scope_is_asked_for_by_selectors(scope: Scope, selectors: dict[str, str]) -> None:
    assert scope.selectors == selectors
