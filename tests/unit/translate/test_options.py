"""From the ConfigMap to the options of the proxy, and with the flags to its settings."""

import pytest

from remora.annotations.registry import Defaults, find_setting, parse_defaults
from remora.core.names import NamespacedName, ObjectRef
from remora.core.options import ProxyOptions, changed_keys
from remora.core.settings import ProxySettings, RoutingSettings, proxy_settings
from remora.kube.objects import ConfigMap, ObjectMeta
from remora.translate import Translator
from remora.translate.options import proxy_options
from remora.watch.snapshot import Snapshot

CONFIGMAP = ObjectRef("ConfigMap", NamespacedName("remora", "controller"))
FLAGS = ProxySettings(state_directory="/state")


def options(**data: str) -> ProxyOptions:
    defaults = parse_defaults({key.replace("_", "-"): text for key, text in data.items()}, object=CONFIGMAP)
    assert defaults.problems == ()
    return proxy_options(defaults)


def settings(base: ProxySettings = FLAGS, **data: str) -> ProxySettings:
    return proxy_settings(base, options(**data))


def test_an_empty_configmap_changes_nothing() -> None:
    assert proxy_options(Defaults()) == ProxyOptions()
    assert settings() == FLAGS


@pytest.mark.parametrize("field", ProxyOptions.__struct_fields__)
def test_every_option_is_a_key_with_the_same_default(field: str) -> None:
    row = find_setting(field.replace("_", "-"))
    assert row is not None
    assert getattr(ProxyOptions(), field) in (None, (), row.default)


def test_keys_become_settings() -> None:
    found = settings(worker_processes="3", worker_shutdown_timeout="1m", keep_alive="0", client_header_timeout="9")
    assert (found.threads, found.old_worker_timeout, found.keep_alive_timeout, found.request_timeout) == (3, 60, 0, 9)


def test_flags_go_before_keys() -> None:
    flags = ProxySettings(state_directory="/state", threads=2, bind_addresses=("127.0.0.1",))
    found = settings(flags, worker_processes="3", bind_address="10.0.0.1")
    assert (found.threads, found.bind_addresses) == (2, ("127.0.0.1",))


@pytest.mark.parametrize(
    ("addresses", "left"),
    [("10.0.0.1,[::1]", ("10.0.0.1",)), ("::1", ("::1",)), ("", ("0.0.0.0",))],
)
def test_without_ipv6_addresses_of_ipv4_are_left_if_there_are_any(addresses: str, left: tuple[str, ...]) -> None:
    assert settings(disable_ipv6="true", bind_address=addresses).bind_addresses == left


def test_addresses_of_each_family_are_listened_on_together() -> None:
    found = settings(bind_address="10.0.0.1", bind_address_ipv4="10.0.0.1,10.0.0.2", bind_address_ipv6="[::1]")
    assert found.bind_addresses == ("10.0.0.1", "10.0.0.2", "::1")
    assert settings(bind_address_ipv6="[::1]").bind_addresses == ("::1",)


def test_changes_are_called_by_their_keys() -> None:
    assert tuple(changed_keys(ProxyOptions(), options(hsts="false", keep_alive="3"))) == ("keep-alive", "hsts")


def test_a_pattern_of_agents_that_the_proxy_would_not_take_is_left_out() -> None:
    config = ConfigMap(ObjectMeta("controller", "shop"), data={"gzip-disable": "(", "use-gzip": "true"})
    settings = RoutingSettings(session_key=b"k", configmap=config.key)
    translation = Translator(settings).translate(Snapshot().changed(ConfigMap, {config.key: config}), None)
    assert translation.model.options.gzip_disable == ""
    assert translation.model.options.use_gzip
    assert [(one.field, one.code) for one in translation.problems] == [("data[gzip-disable]", "SettingRefused")]
