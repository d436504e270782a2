"""From the controller's ConfigMap to what the proxy as a whole is to do."""

from collections.abc import Iterator

import msgspec

from remora.annotations.configmap import GROUPS
from remora.annotations.declare import rows_of
from remora.annotations.registry import Defaults
from remora.core.options import ProxyOptions
from remora.core.problem import Problem
from remora.translate.ingress import DefaultsUnit
from remora.translate.view import Unit, View


class Options(msgspec.Struct, frozen=True, gc=False):
    """The options, and what is wrong with what they refer to."""

    options: ProxyOptions = ProxyOptions()
    problems: tuple[Problem, ...] = ()


class OptionsUnit(Unit[Options], frozen=True):
    """What the ConfigMap says for the proxy."""

    layer = 1

    def run(self, view: View) -> Options:
        return Options(proxy_options(view.ask(DefaultsUnit())))


def proxy_options(defaults: Defaults) -> ProxyOptions:
    """The options that are other than the keys' defaults; what a key says has the key's name."""
    return msgspec.structs.replace(ProxyOptions(), **dict(_said(defaults)))


def _said(defaults: Defaults) -> Iterator[tuple[str, object]]:
    for group in GROUPS:
        values: object = defaults.of(group)
        for field, row in rows_of(group).items():
            name = row.global_key.replace("-", "_")
            value = getattr(values, field)
            if name in ProxyOptions.__struct_fields__ and value != row.default:
                yield name, value
