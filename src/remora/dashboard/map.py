"""From the map to keyed elements. Pure; what looks as before is not rendered anew."""

from collections.abc import Iterator
from functools import lru_cache

from markupsafe import Markup

from remora.dashboard.fragments import Element, Leaf, Shell, element_id
from remora.dashboard.site import environment, shell
from remora.dashboard.view import ANY, GroupView, HostView, MapView, PodView, ProblemView, RuleView, ServiceView, Summary

_CACHED = 20_000
_macros = environment().get_template("map_parts.html").module


def map_elements(view: MapView) -> tuple[Element, ...]:
    """The page's live elements: summary, what is said aloud, problems of what is not on the map, and the map."""
    hosts: tuple[Element, ...] = tuple(_host(host) for host in view.hosts)
    if not hosts:
        empty = _macros.nothing("Nothing on the map fits the filter.") if view.hidden else _macros.first_steps()  # type: ignore[attr-defined]
        hosts = (Leaf("map-empty", str(empty)),)
    return (
        _summary(view.summary),
        Leaf("aloud", str(Markup('<p id="aloud" class="hidden" aria-live="polite">{}</p>').format(view.summary.sentence))),
        _other_problems(view.problems),
        shell("div", "map", hosts),
    )


@lru_cache(64)
def _summary(summary: Summary) -> Leaf:
    return Leaf("summary", str(_macros.summary(summary)))  # type: ignore[attr-defined]


@lru_cache(64)
def _other_problems(problems: tuple[ProblemView, ...]) -> Leaf:
    return Leaf("other-problems", str(_macros.other_problems(problems)))  # type: ignore[attr-defined]


@lru_cache(_CACHED)
def _host(host: HostView) -> Shell:
    id = element_id("h", host.host)
    head = Leaf(f"{id}-head", str(_macros.host_head(id, host)))  # type: ignore[attr-defined]
    groups = (_group(host.host, group) for group in host.groups)
    return shell("section", id, (head, *groups), class_="card host", aria_labelledby=f"{id}-name")


def _group(host: str, group: GroupView) -> Shell:
    first = group.rules[0]
    service = group.service
    place = (service.namespace, service.name, service.port) if service else ("", first.does)
    id = element_id("g", host, *place)
    rules = shell("ul", f"{id}-rules", [_rule(rule) for rule in group.rules], aria_label="Rules")
    arrow = Leaf(f"{id}-arrow", f'<div id="{id}-arrow" class="arrow"></div>' if service else f'<div id="{id}-arrow"></div>')
    children: list[Element] = [rules, arrow, _service(id, service)] if service else [rules]
    return shell("div", id, children, class_="group lit" if group.lit else "group")


@lru_cache(_CACHED)
def _rule(rule: RuleView) -> Leaf:
    id = element_id("r", rule.id)
    return Leaf(id, str(_macros.rule(id, rule)))  # type: ignore[attr-defined]


def _service(group: str, service: ServiceView) -> Shell:
    id = f"{group}-service"
    return shell("div", id, tuple(_service_parts(id, service)), class_="service")


def _service_parts(id: str, service: ServiceView) -> Iterator[Element]:
    to = element_id("h", "" if service.elsewhere == ANY else service.elsewhere)
    yield Leaf(f"{id}-head", str(_macros.service_head(f"{id}-head", service, to)))  # type: ignore[attr-defined]
    if service.pods:
        label = f"Pods of {service.namespace}/{service.name}"
        yield shell("ul", f"{id}-pods", [_pod(id, pod) for pod in service.pods], class_="pods", aria_label=label)


@lru_cache(_CACHED)
def _pod(service: str, pod: PodView) -> Shell:
    id = element_id("p", service, *pod.key)
    words = ["tile", pod.state.replace(" ", "-"), *(["lit"] if pod.lit else [])]
    name = _pod_name(f"{id}-n", pod.start, pod.end, pod.state, pod.address, is_lit=pod.lit)
    figures = Leaf(f"{id}-f", str(_macros.pod_figures(f"{id}-f", pod)))  # type: ignore[attr-defined]
    return shell("li", id, (name, figures), class_=" ".join(words))


@lru_cache(_CACHED)
def _pod_name(id: str, start: str, end: str, state: str, address: str, *, is_lit: bool) -> Leaf:
    return Leaf(id, str(_macros.pod_name(id, start, end, state, address, is_lit)))  # type: ignore[attr-defined]
