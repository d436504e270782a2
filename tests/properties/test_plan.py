"""What holds between any two Configurations, on a HAProxy that does as it is told."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator, configure
from remora.haproxy.layout import Layout
from remora.haproxy.pool import CLASSES
from remora.model import (
    Affinity,
    AffinityMode,
    Backend,
    BackendName,
    Balancing,
    CookieAttributes,
    Endpoint,
    EndpointState,
    ExactPath,
    ForwardTo,
    Model,
    PrefixPath,
    RedirectTo,
    Route,
    RouteAction,
    RouteId,
    Unavailable,
    VirtualHost,
)
from remora.plan.decide import Reload, RuntimeUpdate, Unchanged, decide, left, started, sweep, swept
from remora.plan.files import render_files
from remora.plan.running import Running
from remora.plan.slots import free_slots
from tests.support.models import endpoint, host, model, route

SETTINGS = ProxySettings(state_directory="/state")
LAYOUT = Layout("/state")
NAMES = [BackendName(f"default-web-{port}") for port in range(4)]

affinities = st.builds(
    Affinity,
    st.sampled_from(AffinityMode),
    st.sampled_from(["route", "other"]),
    st.just("key"),
    st.builds(CookieAttributes, path=st.sampled_from(["/", "/a"]), max_age=st.none() | st.integers(0, 99)),
)
actions: st.SearchStrategy[RouteAction] = st.one_of(
    st.builds(ForwardTo, st.sampled_from(NAMES), st.none() | affinities),
    st.builds(RedirectTo, st.sampled_from(["/x", "https://y"]), st.sampled_from([301, 308])),
    st.just(Unavailable()),
)
matches = st.sampled_from([PrefixPath(""), PrefixPath("/a"), ExactPath("/a"), PrefixPath("/a/b")])
routes: st.SearchStrategy[Route] = st.builds(route, matches, actions, https_redirect=st.sampled_from([None, 308]))
hosts: st.SearchStrategy[VirtualHost] = st.builds(
    # No two hosts have a route with the same id.
    lambda parts, name: host(*(replace(part, id=RouteId(f"{part.id}-{name}")) for part in parts), name=name),
    st.lists(routes, max_size=3, unique_by=lambda item: item.match),
    st.sampled_from(["a.example", "b.example", "*.example", ""]),
)
endpoints: st.SearchStrategy[Endpoint] = st.builds(
    lambda name, state: endpoint(name, 80, draining=state is EndpointState.DRAINING),
    st.sampled_from("pqrstu"),
    st.sampled_from(EndpointState),
)
backends = st.builds(
    lambda name, parts: Backend(name, Balancing.ROUND_ROBIN, tuple(sorted(parts, key=lambda item: item.key))),
    st.sampled_from(NAMES),
    st.lists(endpoints, max_size=4, unique_by=lambda item: item.key),
)
models: st.SearchStrategy[Model] = st.builds(
    model,
    st.lists(hosts, max_size=3, unique_by=lambda item: item.host),
    st.lists(backends, max_size=4, unique_by=lambda item: item.name),
)


def follow(running: Running, wanted: Model, configurator: Configurator) -> Running:
    """Carries a plan out as an obedient HAProxy would."""
    configuration = configurator.configure(wanted)
    match decide(running, configuration, LAYOUT):
        case Unchanged():
            return running
        case RuntimeUpdate(after=after):
            return after
        case Reload():
            return started(configuration)


def all_swept(running: Running) -> Running:
    """Once nobody is in a slot that was given up, and nobody is connected to what leaves."""
    running = left(running, list(running.given_up))
    return swept(running, [(slot, name) for slot, name, _ in sweep(running)])


def content(running: Running) -> dict[object, object]:
    """Every map entry, whichever host it is counted to."""
    entries: dict[object, object] = {}
    for part in running.hosts.values():
        entries.update({**part.routes})
        entries.update({**part.folded_routes})
        entries |= {(name, key): value for name, texts in part.texts.items() for key, value in texts.items()}
    return entries


@given(models)
def test_deciding_again_on_what_was_applied_is_unchanged(wanted: Model) -> None:
    configuration = configure(wanted, SETTINGS)
    assert decide(started(configuration), configuration, LAYOUT) == Unchanged()


@settings(max_examples=60)
@given(st.lists(models, min_size=2, max_size=5))
def test_every_step_ends_where_a_cold_start_would(steps: list[Model]) -> None:
    configurator = Configurator(SETTINGS)
    running = started(configurator.configure(Model()))
    for wanted in steps:
        running = follow(running, wanted, configurator)
        fresh = started(configure(wanted, SETTINGS))
        assert decide(running, configure(wanted, SETTINGS), LAYOUT) == Unchanged()
        assert (content(running), running.servers) == (content(fresh), fresh.servers)


@given(models, models)
def test_servers_are_added_before_a_route_names_them_and_go_after_none_does(first: Model, second: Model) -> None:
    plan = decide(started(configure(first, SETTINGS)), configure(second, SETTINGS), LAYOUT)
    if isinstance(plan, RuntimeUpdate):
        texts = [command.text for command in plan.commands]
        adds = [number for number, text in enumerate(texts) if text.startswith("add server")]
        routed = [number for number, text in enumerate(texts) if "maps/routes.map" in text]
        gone = [number for number, text in enumerate(texts) if text.endswith("state maint")]
        assert not adds or not routed or max(adds) < min(routed)
        assert not gone or not routed or max(routed) < min(gone)


@given(models, models)
def test_a_slot_is_free_again_when_its_last_server_was_swept_away(first: Model, second: Model) -> None:
    configurator = Configurator(SETTINGS)
    running = all_swept(follow(started(configurator.configure(first)), second, configurator))
    assert running.leaving == {}
    assert running.given_up == {}


@settings(max_examples=60)
@given(st.lists(st.tuples(models, st.booleans()), min_size=2, max_size=6))
def test_the_slots_that_are_known_to_be_free_are_those_that_a_look_at_all_finds(steps: list[tuple[Model, bool]]) -> None:
    configurator = Configurator(SETTINGS)
    running = started(configurator.configure(Model()))
    for wanted, is_swept in steps:
        running = follow(running, wanted, configurator)
        running = all_swept(running) if is_swept else running
        for kind in CLASSES:
            assert list(running.unused.get(kind.name, ())) in ([], free_slots(running, kind))


@given(models)
def test_the_same_model_gives_the_same_bytes(wanted: Model) -> None:
    one, other = configure(wanted, SETTINGS), configure(wanted, SETTINGS)
    assert render_files(one, started(one), LAYOUT) == render_files(other, started(other), LAYOUT)
