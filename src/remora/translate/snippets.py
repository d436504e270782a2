"""From snippets to steps of routes, and to Problems for what is not understood in them.

A snippet that cannot be honoured closes what it would have guarded: one of an Ingress the Ingress, one of the ConfigMap all.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from remora.annotations.auth_external import AuthExternal
from remora.annotations.registry import Defaults, Parsed
from remora.annotations.snippets import Snippets, SnippetSettings
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.model import PathMatch, PrefixPath, Route, Unavailable
from remora.model.snippets import Locate, Location, LocationKind, Step
from remora.snippets.read import Context, Finding, Kind, Reading, read_snippet
from remora.snippets.written import LARGEST, snippet_entry
from remora.translate.backends import BackendRef

TRANSLATE, IGNORE, REFUSE = POLICIES = ("translate", "ignore", "refuse")

CLOSED = "every path of this Ingress answers 503"
_ALL = "every path of every Ingress answers 503"


class FoundSnippets(msgspec.Struct, frozen=True, gc=False):
    """What the snippets of an Ingress say beside their steps; `settings` are annotations without a prefix."""

    problems: tuple[Problem, ...] = ()
    is_closed: bool = False
    settings: tuple[tuple[str, str], ...] = ()


def policy_of(parsed: Parsed, policy: str) -> str:
    """What becomes of the snippets of an Ingress; the ConfigMap can forbid what the flag allows."""
    return policy if parsed.of(SnippetSettings).allowed or policy != TRANSLATE else IGNORE


def find_snippets(parsed: Parsed, ref: ObjectRef, annotations: Mapping[str, str], *, policy: str) -> FoundSnippets:
    """What is wrong in an Ingress's snippets, and what they set for all of it."""
    policy = policy_of(parsed, policy)
    problems: list[Problem] = []
    is_closed = False
    settings: dict[str, str] = {}
    for name, text, context in _texts(parsed, with_auth=policy != TRANSLATE):
        keys = [key for key in annotations if key.endswith(f"/{name}")]
        field = f"metadata.annotations[{keys[0] if keys else name}]"
        reading = read_snippet(text, context, constant_variables(ref.name))
        if policy == REFUSE or (policy == IGNORE and reading.guards):
            message = "it may keep somebody out, and snippets are not run" if policy == IGNORE else "snippets are refused"
            problems.append(Problem(ref, field, "SnippetRefused", message, CLOSED, Severity.ERROR))
            is_closed = True
        elif policy == IGNORE:
            problems.append(Problem(ref, field, "SnippetIgnored", "snippets are not run", "it has no effect"))
        else:
            problems += _problems(ref, field, reading, closes=CLOSED)
            is_closed |= reading.is_refused
            if len(snippet_entry(reading.steps)) > LARGEST:
                message = f"translated it has more than {LARGEST} bytes"
                problems.append(Problem(ref, field, "SnippetTooLong", message, CLOSED, Severity.ERROR))
                is_closed = True
            settings |= dict(reading.settings)
    return FoundSnippets(tuple(problems), is_closed, tuple(settings.items()))


def _texts(parsed: Parsed, *, with_auth: bool) -> Iterator[tuple[str, str, Context]]:
    """What stands in an Ingress. The snippet for the question of authentication is read where that is, if at all."""
    if with_auth and (text := parsed.of(AuthExternal).snippet):
        yield "auth-snippet", text, Context.AUTH
    group = parsed.of(Snippets)
    if group.server:
        yield "server-snippet", group.server, Context.SERVER
    if group.configuration:
        yield "configuration-snippet", group.configuration, Context.LOCATION


def _problems(ref: ObjectRef, field: str, reading: Reading, *, closes: str) -> Iterator[Problem]:
    for finding in reading.findings:
        match finding.kind:
            case Kind.REFUSED:
                yield Problem(ref, field, "SnippetNotUnderstood", _message(finding), closes, Severity.ERROR)
            case Kind.CONFINED:
                consequence = "the location around it answers 503"
                yield Problem(ref, field, "SnippetNotUnderstood", _message(finding), consequence, Severity.ERROR)
            case Kind.SKIPPED:
                yield Problem(ref, field, "SnippetDirectiveSkipped", _message(finding), "it is left out")


def _message(finding: Finding) -> str:
    return f"line {finding.line}: {finding.directive}: {finding.reason}" if finding.directive else finding.reason


def with_snippets(defaults: Defaults, owner: ObjectRef) -> Defaults:
    """The defaults with what is wrong in the ConfigMap's own snippets."""
    problems: list[Problem] = []
    closing: set[str] = set()
    for key, text, context in _global_texts(defaults.of(SnippetSettings)):
        reading = read_snippet(text, context)
        problems += _problems(owner, f"data[{key}]", reading, closes=_ALL)
        if reading.is_refused:
            closing.add(f"{key} of the ConfigMap")  # no annotation has that name, so none lifts it
    if not problems:
        return defaults
    return msgspec.structs.replace(defaults, guards=defaults.guards | closing, problems=(*defaults.problems, *problems))


def _global_texts(group: SnippetSettings) -> Iterator[tuple[str, str, Context]]:
    if group.http:
        yield "http-snippet", group.http, Context.HTTP
    if group.server:
        yield "server-snippet", group.server, Context.SERVER
    if group.location:
        yield "location-snippet", group.location, Context.LOCATION


def global_settings(defaults: Defaults) -> dict[str, str]:
    """Annotations, without a prefix, that the ConfigMap's snippets say for every Ingress."""
    texts = _global_texts(defaults.of(SnippetSettings))
    return {name: value for _, text, context in texts for name, value in read_snippet(text, context).settings}


class ServerSnippet(msgspec.Struct, frozen=True, gc=False):
    """The `server-snippet` of a host."""

    text: str = ""
    owner: ObjectRef | None = None


def find_server_snippet(owners: Iterable[tuple[ObjectRef, Parsed]], problems: list[Problem]) -> ServerSnippet:
    """That of the first Ingress that has one; others are told, if they say something else."""
    found = ServerSnippet()
    for ref, parsed in owners:
        text = parsed.of(Snippets).server
        if text and not found.text:
            found = ServerSnippet(text, ref)
        elif text and text != found.text:
            message = f"the server-snippet of {found.owner} counts for the host"
            problems.append(Problem(ref, "metadata.annotations", "ServerSnippetTaken", message, "this one has no effect there"))
    return found


def route_with_snippets(route: Route, parsed: Parsed, backend: BackendRef, *, server: ServerSnippet, policy: str) -> Route:
    """The route with the steps of the ConfigMap, of its host's `server` snippet, and of its Ingress's own, in nginx's order."""
    if isinstance(route.action, Unavailable):
        return route
    is_run = policy_of(parsed, policy) == TRANSLATE
    # A stranger who shares the host must neither be guarded nor harmed by it.
    reaches = server.owner is not None and server.owner.name.namespace == route.origin.namespace
    everywhere = parsed.of(SnippetSettings)
    texts = (
        (everywhere.http, Context.HTTP),
        (everywhere.server, Context.SERVER),
        (server.text if is_run and reaches else "", Context.SERVER),
        (everywhere.location, Context.LOCATION),
        (parsed.of(Snippets).configuration if is_run else "", Context.LOCATION),
    )
    constants = constant_variables(route.origin, backend)
    readings = [read_snippet(text, context, constants) for text, context in texts if text]
    if not readings:
        return route
    if any(reading.is_refused for reading in readings):
        return msgspec.structs.replace(route, action=Unavailable())
    steps = tuple(_for_match(step, route.match) for reading in readings for step in reading.steps)
    if len(snippet_entry(steps)) > LARGEST:
        return msgspec.structs.replace(route, action=Unavailable())
    return msgspec.structs.replace(route, snippet=steps)


def _for_match(step: Step, match: PathMatch) -> Step:
    """Without locations that lose against the route's own path, since that is longer."""
    if not isinstance(step, Locate) or not isinstance(match, PrefixPath):
        return step
    return Locate(tuple(one for one in step.locations if not _is_shorter(one, match)))


def _is_shorter(location: Location, match: PrefixPath) -> bool:
    return location.kind is LocationKind.PREFIX and len(location.path.rstrip("/")) < len(match.path)


def constant_variables(ingress: NamespacedName, backend: BackendRef | None = None) -> tuple[tuple[str, str], ...]:
    """Variables that are known before any request; of which Service depends on the path."""
    service, port = (backend.service.name, str(backend.port)) if backend else ("", "")
    return (
        ("ingress_name", ingress.name),
        ("namespace", ingress.namespace),
        ("proxy_upstream_name", f"{ingress.namespace}-{service}-{port}"),
        ("service_name", service),
        ("service_port", port),
    )
