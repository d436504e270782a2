"""One Ingress: whether it is served, what it says about each of its hosts, and what is wrong in it on its own.

What depends on other Ingresses (conflicts, regular expressions on a host) is decided in `hosts`.
"""

import re
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from remora.annotations.hosts import Aliases
from remora.annotations.registry import Defaults, Parsed, parse_all, parse_defaults
from remora.annotations.values import shown
from remora.core.names import ANY_HOST, Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import ConfigMap, HTTPIngressPath, Ingress, IngressBackend, IngressTLS
from remora.model import OPEN, Access
from remora.translate.access import find_access, passwords_refused
from remora.translate.backends import BackendRef
from remora.translate.blocking import without_faulty_patterns
from remora.translate.classes import is_ours, missing_class
from remora.translate.default_backend import default_backend_problems
from remora.translate.external_auth import AuthWish, auth_problems, auth_refused, find_auth_wish, without_global
from remora.translate.limits import limit_problems
from remora.translate.passthrough import passthrough_problems
from remora.translate.policies import find_response_headers, policy_problems, response_headers_refused
from remora.translate.references import reference_problems
from remora.translate.snippets import FoundSnippets, find_snippets, global_settings, with_snippets
from remora.translate.upstream import PodLink, find_pod_link, link_problems, link_refused
from remora.translate.view import Unit, View
from remora.watch.snapshot import alias_hosts, hosts_of, normal_host

_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

LONGEST_HOST = 253
"""RFC 1035 section 2.3.4, without the dot at the end."""
LONGEST_PATH = 2048
"""Characters. An entry of the proxy's maps has 16 kB, in which a character may take nine bytes."""


class DefaultsUnit(Unit[Defaults], frozen=True):
    """What the controller's ConfigMap says for Ingresses that say nothing."""

    def run(self, view: View) -> Defaults:
        name = view.settings.configmap
        config_map = view.find(ConfigMap, name) if name else None
        if config_map is None:
            return Defaults()
        defaults = without_faulty_patterns(parse_defaults(config_map.data or {}, object=config_map.ref), config_map.ref)
        return with_snippets(defaults, config_map.ref)


class PathRule(msgspec.Struct, frozen=True, gc=False):
    """A path of a rule. `path` begins with a slash; `written` is the text in the object; `field` says where it stands.

    `is_default` marks what a default backend makes: it has neither affinity nor rewriting nor redirects.
    """

    path: str
    written: str
    path_type: str
    backend: BackendRef
    field: str
    is_default: bool = False


class TlsSection(msgspec.Struct, frozen=True, gc=False):
    """What covers a host with TLS: the Secret with its certificate, or None for the default certificate."""

    secret: NamespacedName | None


class HostShare(msgspec.Struct, frozen=True, gc=False):
    """What one Ingress says about one host. `fallback` takes the paths of the host that no rule lists."""

    rules: tuple[PathRule, ...] = ()
    fallback: PathRule | None = None
    tls: TlsSection | None = None


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """An Ingress, read. One that is not served has no hosts."""

    ref: ObjectRef
    created: str = ""
    is_served: bool = False
    parsed: Parsed = Parsed(Defaults())
    hosts: dict[Hostname, HostShare] = {}
    problems: tuple[Problem, ...] = ()
    response_headers: tuple[tuple[str, str], ...] = ()
    clients: Access = OPEN
    aliases: tuple[Hostname, ...] = ()
    further_tls: dict[Hostname, TlsSection] = {}
    """What covers hosts that may be further names of its own with TLS."""
    link: PodLink = PodLink()
    """How its pods are spoken to."""
    auth_wish: AuthWish | None = None

    @property
    def name(self) -> NamespacedName:
        return self.ref.name


class IngressUnit(Unit[Prepared], frozen=True):
    """One Ingress. Asked for one that is not there, it answers as for one that is not ours."""

    layer: ClassVar[int] = 2
    name: NamespacedName

    def run(self, view: View) -> Prepared:
        ingress = view.find(Ingress, self.name)
        if ingress is None:
            return Prepared(ObjectRef("Ingress", self.name))
        if not is_ours(view, ingress):
            problem = missing_class(view, ingress)
            return Prepared(ingress.ref, problems=(problem,) if problem else ())
        defaults = view.ask(DefaultsUnit())
        prefixes = view.settings.annotations_prefixes
        parsed, snippets = _read(ingress, prefixes, defaults, policy=view.settings.snippet_policy)
        parsed = without_global(parsed)
        left_out = _why_left_out(ingress, disable_catch_all=view.settings.disable_catch_all)
        if left_out:
            return Prepared(ingress.ref, problems=(left_out,))
        problems = [*parsed.problems, *snippets.problems, *policy_problems(ingress.ref, parsed)]
        problems += limit_problems(ingress.ref, parsed, has_peers=view.settings.peers_service is not None)
        hosts = _hosts(ingress, problems)
        problems += reference_problems(view, ingress, parsed)
        problems += default_backend_problems(view, ingress.ref, parsed)
        headers, refusal = find_response_headers(view, parsed, namespace=ingress.metadata.namespace)
        if refusal:
            problems.append(response_headers_refused(ingress.ref, refusal))
            parsed = msgspec.structs.replace(parsed, is_closed=True)
        found = find_access(view, ingress.ref, parsed)
        problems += found.problems
        if found.refusal:
            problems.append(passwords_refused(ingress.ref, found.refusal))
            parsed = msgspec.structs.replace(parsed, is_closed=True)
        link, (annotation, why) = find_pod_link(view, parsed, ingress=ingress.key)
        if why:
            problems.append(link_refused(ingress.ref, annotation, why))
            parsed = msgspec.structs.replace(parsed, is_closed=True)
        problems += link_problems(ingress.ref, link)
        problems += passthrough_problems(view.settings, ingress.ref, parsed)
        auth = find_auth_wish(view, ingress.ref, parsed)
        if auth.refusal:
            problems.append(auth_refused(ingress.ref, auth.refusal))
            parsed = msgspec.structs.replace(parsed, is_closed=True)
        if auth.wish:
            problems += auth_problems(view, ingress.ref, auth.wish, hosts)
        aliases = _aliases(ingress, parsed, problems)
        sections = ((host, _tls_section(ingress, host)) for host in hosts_of(ingress) - hosts.keys())
        further_tls = {host: section for host, section in sections if section}
        created = ingress.metadata.creation_timestamp
        return Prepared(
            ingress.ref,
            created,
            True,
            parsed,
            hosts,
            tuple(problems),
            headers,
            found.access,
            aliases,
            further_tls,
            link,
            auth_wish=auth.wish,
        )


def _read(ingress: Ingress, prefixes: tuple[str, ...], defaults: Defaults, *, policy: str) -> tuple[Parsed, FoundSnippets]:
    """The annotations, and those that snippets stand for: the Ingress's own go before all, the ConfigMap's say what no
    annotation does."""
    written = ingress.metadata.annotations
    parsed = parse_all(written, object=ingress.ref, prefixes=prefixes, defaults=defaults)
    snippets = find_snippets(parsed, ingress.ref, written, policy=policy)
    outer, own = (
        {f"{prefixes[0]}/{name}": text for name, text in settings.items()}
        for settings in (global_settings(defaults), dict(snippets.settings))
    )
    if outer or own:
        parsed = parse_all({**outer, **written, **own}, object=ingress.ref, prefixes=prefixes, defaults=defaults)
    if snippets.is_closed:
        parsed = msgspec.structs.replace(parsed, is_closed=True)
    return parsed, snippets


def _why_left_out(ingress: Ingress, *, disable_catch_all: bool) -> Problem | None:
    """The Problem of an Ingress that is ours and yet not served."""
    consequence = "the Ingress is not served"
    if disable_catch_all and ingress.spec.default_backend:
        message = "default backends are switched off by --disable-catch-all"
        return Problem(ingress.ref, "spec.defaultBackend", "CatchAllDisabled", message, consequence, Severity.ERROR)
    return None


def _hosts(ingress: Ingress, problems: list[Problem]) -> dict[Hostname, HostShare]:
    """What the Ingress says about each of its hosts, those of its rules and the one of a bare default backend."""
    fallback = _fallback(ingress)
    if not ingress.spec.rules:
        rules = (fallback,) if fallback else ()
        return {ANY_HOST: HostShare(rules, tls=_tls_section(ingress, ANY_HOST))} if rules else {}
    rules_of: dict[Hostname, list[PathRule]] = {}
    for number, rule in enumerate(ingress.spec.rules):
        host = normal_host(rule.host)
        field = f"spec.rules[{number}]"
        if host != ANY_HOST and (len(host) > LONGEST_HOST or not _HOST.fullmatch(host)):
            message = f"{shown(rule.host)} is no host name"
            problems.append(_rule_left_out(ingress.ref, f"{field}.host", code="HostInvalid", message=message))
            continue
        paths = rule.http.paths if rule.http else ()
        rules_of.setdefault(host, []).extend(_path_rules(ingress, paths, field=f"{field}.http", problems=problems))
    return {host: HostShare(tuple(rules), fallback, _tls_section(ingress, host)) for host, rules in rules_of.items()}


def _aliases(ingress: Ingress, parsed: Parsed, problems: list[Problem]) -> tuple[Hostname, ...]:
    """The further names of the Ingress's hosts."""
    found: dict[Hostname, None] = {}
    for item in parsed.of(Aliases).names:
        for host in alias_hosts(item):
            if _HOST.fullmatch(host):
                found[host] = None
                continue
            message = f"{item!r} is no host name; of other forms only *.example.com and .example.com are known as aliases"
            problems.append(
                Problem(ingress.ref, "metadata.annotations", "AliasInvalid", message, "the alias is left out", Severity.ERROR)
            )
            break
    return tuple(found)


def _path_rules(
    ingress: Ingress, paths: tuple[HTTPIngressPath, ...], *, field: str, problems: list[Problem]
) -> Iterator[PathRule]:
    for number, path in enumerate(paths):
        where = f"{field}.paths[{number}]"
        backend = _backend_ref(ingress, path.backend)
        if backend is None:
            message = "a backend that is no Service is not known here"
            problems.append(_rule_left_out(ingress.ref, f"{where}.backend", code="BackendUnknown", message=message))
        elif (path.path and not path.path.startswith("/")) or _CONTROL.search(path.path):
            message = f"{shown(path.path)} does not begin with a slash or holds control characters"
            problems.append(_rule_left_out(ingress.ref, f"{where}.path", code="PathInvalid", message=message))
        elif len(path.path) > LONGEST_PATH:
            message = f"{shown(path.path)} is longer than {LONGEST_PATH} characters"
            problems.append(_rule_left_out(ingress.ref, f"{where}.path", code="PathInvalid", message=message))
        else:
            yield PathRule(path.path or "/", path.path, path.path_type, backend, f"{where}.path")


def _rule_left_out(ref: ObjectRef, field: str, *, code: str, message: str) -> Problem:
    return Problem(ref, field, code, message, "this rule is left out", Severity.ERROR)


def _fallback(ingress: Ingress) -> PathRule | None:
    backend = ingress.spec.default_backend
    ref = _backend_ref(ingress, backend) if backend else None
    return PathRule("/", "", "Default", ref, "spec.defaultBackend", is_default=True) if ref else None


def _backend_ref(ingress: Ingress, backend: IngressBackend) -> BackendRef | None:
    return BackendRef.of(ingress.metadata.namespace, backend.service) if backend.service else None


def _tls_section(ingress: Ingress, host: Hostname) -> TlsSection | None:
    """The entry of `spec.tls` that covers a host: one that names it, else one for its wildcard, else one for all hosts."""
    wildcard = normal_host(f"*.{host.partition('.')[2]}")
    for wanted in (host, wildcard, None):
        for entry in ingress.spec.tls:
            if _lists(entry, wanted):
                name = entry.secret_name
                return TlsSection(NamespacedName(ingress.metadata.namespace, name) if name else None)
    return None


def _lists(entry: IngressTLS, host: Hostname | None) -> bool:
    """Whether a TLS entry names a host; None asks whether it names none."""
    return host in map(normal_host, entry.hosts) if host is not None else not entry.hosts
