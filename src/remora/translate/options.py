"""From the controller's ConfigMap to what the proxy as a whole is to do."""

from collections.abc import Iterator

import msgspec

from remora.annotations.body import Body
from remora.annotations.configmap import GROUPS, GlobalHeaders, TlsSettings
from remora.annotations.declare import rows_of
from remora.annotations.registry import Defaults
from remora.annotations.timeouts import Timeouts
from remora.core.names import ObjectRef
from remora.core.options import ProxyOptions
from remora.core.problem import Problem
from remora.translate.dh_param import find_dh_param
from remora.translate.global_headers import OF_ALL, OF_REQUESTS, find_headers
from remora.translate.ingress import DefaultsUnit
from remora.translate.log_format import unknown_variable, unknown_variables, without_faulty_urls
from remora.translate.patterns import find_pattern_fault
from remora.translate.view import Unit, View

_SAID = frozenset(ProxyOptions.__struct_fields__) - {"proxy_set_headers", "add_headers", "ssl_dh_param"}
"""The options that are what a key says; the others are what a key refers to."""


class Options(msgspec.Struct, frozen=True, gc=False):
    """The options, and what is wrong with what they refer to."""

    options: ProxyOptions = ProxyOptions()
    problems: tuple[Problem, ...] = ()


class OptionsUnit(Unit[Options], frozen=True):
    """What the ConfigMap says for the proxy."""

    layer = 1

    def run(self, view: View) -> Options:
        defaults = view.ask(DefaultsUnit())
        options = proxy_options(defaults)
        unknown = unknown_variables(options) if options.has_access_log else ()
        if not view.settings.configmap:
            return Options(options)
        owner = ObjectRef("ConfigMap", view.settings.configmap)
        named = defaults.of(GlobalHeaders)
        sent, sent_problems = find_headers(view, named.set_headers, key="proxy-set-headers", owner=owner, variables=OF_REQUESTS)
        added, added_problems = find_headers(view, named.add_headers, key="add-headers", owner=owner, variables=OF_ALL)
        parameters, weak = find_dh_param(view, defaults.of(TlsSettings).dh_param, owner=owner)
        options = msgspec.structs.replace(options, proxy_set_headers=sent, add_headers=added, ssl_dh_param=parameters)
        logged = tuple(unknown_variable(owner, name) for name in unknown)
        options, faults = without_faulty_urls(options, owner)
        options, odd_agents = _without_faulty_agents(options, owner)
        return Options(options, (*sent_problems, *added_problems, *weak, *logged, *faults, *odd_agents))


def _without_faulty_agents(options: ProxyOptions, owner: ObjectRef) -> tuple[ProxyOptions, tuple[Problem, ...]]:
    """The options without a `gzip-disable` that the proxy would not take."""
    fault = find_pattern_fault(options.gzip_disable) if options.gzip_disable else None
    if fault is None:
        return options, ()
    problem = Problem(owner, "data[gzip-disable]", "SettingRefused", fault, "answers are compressed for all")
    return msgspec.structs.replace(options, gzip_disable=""), (problem,)


def proxy_options(defaults: Defaults) -> ProxyOptions:
    """The options that are other than the keys' defaults; what a key says has the key's name."""
    return msgspec.structs.replace(ProxyOptions(), **dict(_said(defaults)))


def _said(defaults: Defaults) -> Iterator[tuple[str, object]]:
    for group in (*GROUPS, Body, Timeouts):
        values: object = defaults.of(group)
        for field, row in rows_of(group).items():
            name = row.global_key.replace("-", "_")
            value = getattr(values, field)
            if name in _SAID and value != row.default:
                yield name, value
