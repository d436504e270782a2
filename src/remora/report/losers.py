"""What else could have taken a request, and why it did not. Pure."""

import re
from collections.abc import Iterator
from typing import assert_never

import msgspec

from remora.core.names import ANY_HOST, Hostname, NamespacedName
from remora.core.problem import Problem, Severity
from remora.kube.objects import Ingress
from remora.model import ExactPath, PathMatch, PrefixPath, RegexPath, Route, VirtualHost
from remora.report.manifests import parse_field
from remora.report.search import Found, compiled
from remora.report.words import match_words
from remora.translate import Translation
from remora.translate.classes import CLASS_ANNOTATION
from remora.watch.snapshot import Index, IndexKey, Snapshot, normal_host


class Loser(msgspec.Struct, frozen=True):
    """A rule that did not take the request. `host` is `*` for any; `match` is "" where it is about a whole Ingress."""

    host: str
    match: str
    ingress: str
    why: str


def losers(snapshot: Snapshot, translation: Translation, found: Found) -> Iterator[Loser]:
    """Every other rule of the request's host, those of wider hosts that fit, and Ingresses for the host that are not served."""
    hosts = {host.host: host for host in translation.model.virtual_hosts}
    names = _names(found.host)
    if found.virtual_host:
        yield from _of_same_host(found.virtual_host, found)
    for name in names:
        wider = hosts.get(name)
        if wider and wider is not found.virtual_host:
            yield from _of_wider_host(wider, found)
    yield from _left_out(snapshot, translation, names)
    yield from _unserved(snapshot, translation, names)


def _names(host: str) -> tuple[Hostname, ...]:
    wildcard = re.sub(r"^[^.]+", "*", host)
    names = (Hostname(host), Hostname("" if wildcard == "*" else wildcard), ANY_HOST)
    return tuple(dict.fromkeys(names))


def _of_same_host(host: VirtualHost, found: Found) -> Iterator[Loser]:
    for route in host.routes:
        if found.route is None or route.id != found.route.id:
            yield _loser(host, route, why_not(route.match, found.path, found.route.match if found.route else None))


def _of_wider_host(host: VirtualHost, found: Found) -> Iterator[Loser]:
    for route in host.routes:
        if is_match(route.match, found.path):
            name = found.virtual_host.host if found.virtual_host else found.host
            yield _loser(host, route, f"{name} has rules of its own, so no wider host is tried")


def _loser(host: VirtualHost, route: Route, why: str) -> Loser:
    return Loser(host.host or "*", match_words(route.match), str(route.origin), why)


def is_match(match: PathMatch, path: str) -> bool:
    """Whether a path, as it is compared, is one that the match takes."""
    match match:
        case ExactPath(path=exact):
            return path == exact
        case PrefixPath(path=prefix):
            return path == prefix or path.startswith(f"{prefix}/")
        case RegexPath(pattern=pattern):
            found = compiled(f"(?i)^(?:{pattern.removeprefix('^')})")
            return found is not None and found.match(path.encode("utf-8", "surrogateescape")) is not None
        case _:
            assert_never(match)


def why_not(match: PathMatch, path: str, winner: PathMatch | None) -> str:
    """Why a match of the same host did not take the path."""
    if not is_match(match, path):
        match match:
            case ExactPath(path=exact):
                return f"the path is not exactly {exact}"
            case PrefixPath(path=prefix):
                return f"the path is not below {prefix}"
            case RegexPath():
                return "the path does not match"
            case _:
                assert_never(match)
    if winner is None:
        return "the request is answered before any rule is tried"
    if isinstance(match, RegexPath):
        return f"{match_words(winner)} is tried before it: longer patterns first"
    if isinstance(winner, ExactPath):
        return f"{match_words(winner)} is exact and goes before prefixes"
    return f"{match_words(winner)} is longer"


def _left_out(snapshot: Snapshot, translation: Translation, names: tuple[Hostname, ...]) -> Iterator[Loser]:
    """Rules that were not taken over, each with what its Problem says."""
    for problem in translation.problems:
        if problem.object.kind != "Ingress" or problem.severity is not Severity.ERROR:
            continue
        rule = _find_rule(snapshot, problem)
        if rule is not None and normal_host(rule[0]) in names and not problem.field.endswith(".service"):
            yield Loser(rule[0] or "*", rule[1], str(problem.object.name), problem.message)


def _find_rule(snapshot: Snapshot, problem: Problem) -> tuple[str, str] | None:
    """Host and path of the rule that a Problem is about."""
    ingress = snapshot.find(Ingress, problem.object.name)
    path = parse_field(problem.field)
    match path:
        case ("spec", "rules", int(number), *rest) if ingress and number < len(ingress.spec.rules):
            rule = ingress.spec.rules[number]
            paths = rule.http.paths if rule.http else ()
            match rest:
                case ("http", "paths", int(index), *_) if index < len(paths):
                    return rule.host, f"{paths[index].path_type} {paths[index].path}"
                case _:
                    return rule.host, ""
        case _:
            return None


def _unserved(snapshot: Snapshot, translation: Translation, names: tuple[Hostname, ...]) -> Iterator[Loser]:
    served = {ref.name for ref in translation.published}
    for host in names:
        for name in snapshot.indexed(IndexKey(Index.INGRESSES_OF_HOST, host)):
            if name not in served:
                yield Loser(host or "*", "", str(name), _why_unserved(snapshot, translation, name))


def _why_unserved(snapshot: Snapshot, translation: Translation, name: NamespacedName) -> str:
    for problem in translation.problems:
        if problem.object.kind == "Ingress" and problem.object.name == name:
            return f"the Ingress is not served: {problem.message}"
    ingress = snapshot.find(Ingress, name)
    class_name = ingress.spec.ingress_class_name if ingress else None
    annotated = ingress.metadata.annotations.get(CLASS_ANNOTATION) if ingress else None
    if class_name is None and annotated is None:
        return "the Ingress is not served: it names no class, and --watch-ingress-without-class is not given"
    return f"the Ingress is not served: its class {class_name if class_name is not None else annotated} is not ours"
