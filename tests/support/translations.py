"""Translations as short YAML, for people to review; and the reading of the objects of a case."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import yaml

from remora.core.options import ProxyOptions, changed_keys
from remora.core.settings import RoutingSettings
from remora.kube.objects import DnsAnswer, KubernetesObject
from remora.model import (
    OPEN,
    Access,
    Affinity,
    Backend,
    Canary,
    ConstantPath,
    Cors,
    ExternalAuth,
    ForwardTo,
    HashBy,
    HttpsRedirect,
    NotFound,
    RedirectTo,
    RedirectToHost,
    RegexPath,
    ReplacePath,
    Route,
    RouteAction,
    StripPrefix,
    Unavailable,
    Upstream,
)
from remora.report.snippet_words import step_words
from remora.translate import Translation
from remora.watch.snapshot import KINDS, Snapshot

SESSION_KEY = b"golden"

SURROUNDINGS = """
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
kind: IngressClass
metadata: {name: remora}
spec: {controller: remora.io/ingress-controller}
---
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80, name: http, targetPort: 8080}]}
---
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
ports: [{name: http, port: 8080}]
endpoints:
  - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: web-a, uid: a}}
"""
"""What a case has where it says nothing about a kind."""


def parse_objects(text: str) -> tuple[RoutingSettings, list[KubernetesObject]]:
    """Settings and objects of a case; a document of kind Settings holds fields of RoutingSettings."""
    documents = [document for document in yaml.safe_load_all(text) if document]
    stated = {document["kind"] for document in documents}
    documents += [document for document in yaml.safe_load_all(SURROUNDINGS) if document["kind"] not in stated]
    known: tuple[type[KubernetesObject], ...] = (*KINDS, DnsAnswer)
    kinds = {kind.__name__: kind for kind in known}
    objects = [msgspec.json.decode(json.dumps(one), type=kinds[one["kind"]]) for one in documents if one["kind"] in kinds]
    fields = next((dict(one) for one in documents if one["kind"] == "Settings"), {})
    fields.pop("kind", None)
    return msgspec.convert({"session_key": SESSION_KEY, **fields}, RoutingSettings), objects


def snapshot_of(objects: Iterable[KubernetesObject]) -> Snapshot:
    snapshot = Snapshot()
    for one in objects:
        snapshot = snapshot.changed(type(one), {one.key: one})
    return snapshot


def translation_text(translation: Translation) -> str:
    """A translation as YAML without what no case is about: route ids and keys of endpoints."""
    model = translation.model
    shown: dict[str, Any] = {
        "hosts": {host.host or "*": [_route(route) for route in host.routes] for host in model.virtual_hosts},
        "backends": {backend.name: _backend(backend) for backend in model.backends},
        "upstreams": {one.name: words for one in model.backends if (words := _upstream(one.upstream))},
        "passed through": {one.host: one.passthrough for one in model.virtual_hosts if one.passthrough},
        "tcp": {one.port: f"{one.backend}{', after a PROXY header' * one.accepts_proxy}" for one in model.tcp_services},
        "default backend": model.default_backend,
        "certificates": {one.name: list(one.hosts) for one in model.certificates},
        "options": {key: _plain(getattr(model.options, key.replace("-", "_"))) for key in _changed(model.options)},
        "published": [str(ref.name) for ref in translation.published],
        "problems": [f"{one.severity.value} {one.code}: {one}" for one in translation.problems],
    }
    filled = {key: value for key, value in shown.items() if value}
    # A key that was made for the test makes another digest each time.
    text = yaml.safe_dump(filled, sort_keys=False, width=1000, allow_unicode=True)
    return re.sub(r"(@[a-z0-9-]+\.|/[a-z0-9-]+\+)[0-9a-f]{12}", r"\1DIGEST", text)


def _changed(options: ProxyOptions) -> list[str]:
    return list(changed_keys(ProxyOptions(), options))


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _route(route: Route) -> dict[str, Any]:
    kind = type(route.match).__name__.removesuffix("Path").lower()
    text = route.match.pattern if isinstance(route.match, RegexPath) else route.match.path
    shown: dict[str, Any] = {kind: text, "of": str(route.origin)}
    shown |= _action(route.action)
    if isinstance(route.action, ForwardTo) and (learning := route.action.learning):
        shown["learns"] = f"{learning.named_in.value} {learning.name} in {learning.scope}"
    if route.https_redirect:
        shown["https"] = _https(route.https_redirect)
    if route.canary:
        shown["canary"] = _canary(route.canary)
    if route.response_headers:
        shown["headers"] = dict(route.response_headers)
    if route.snippet:
        shown["snippet"] = [line for step in route.snippet for line in step_words(step)]
    shown |= _guards(route)
    shown |= _limits(route)
    shown |= _observed(route)
    if pages := route.error_pages:
        shown["pages"] = f"{pages.backend or 'built-in'} for {pages.statuses}{', not of pods' * pages.leaves_pods}"
    return shown


def _guards(route: Route) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if route.cors:
        shown["cors"] = _cors(route.cors)
    if route.access != OPEN:
        shown["access"] = _access(route.access)
    if route.external_auth:
        shown["asks"] = _external_auth(route.external_auth)
    if clients := route.client_tls:
        trust = {"authority": bool(clients.authority), "revoked": bool(clients.revoked)}
        shown["clients"] = dict(_stated(msgspec.structs.replace(clients, authority="", revoked="")))
        shown["clients"] |= {"check": clients.check.value, **{key: True for key, has in trust.items() if has}}
    return shown


def _observed(route: Route) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if not route.is_logged:
        shown["logged"] = False
    if route.tracing:
        shown["traced"] = {"trusts": route.tracing.trusts, "name": route.tracing.name}
    return shown


def _external_auth(auth: ExternalAuth) -> dict[str, Any]:
    texts = {
        "way back": auth.redirect,
        "sign in": auth.sign_in,
        "key": auth.cache_key,
        **{f"sends {name}": value for name, value in auth.sent_headers},
    }
    shown = {"service": auth.backend, "for": f"{auth.method} {auth.host} {_template(auth.target)} in {auth.timeout} s"}
    shown |= {what: _template(value) for what, value in texts.items() if value}
    if auth.response_headers:
        shown["passes"] = " ".join(auth.response_headers)
    if auth.cache_durations:
        shown["keeps"] = ", ".join(f"{status} for {seconds} s" for status, seconds in auth.cache_durations)
    return shown | ({"cookies": "always"} if auth.always_set_cookie else {})


def _template(template: tuple[str, ...]) -> str:
    return "".join(f"<{piece}>" if number % 2 else piece for number, piece in enumerate(template))


def _stated(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """The fields that are not as usual."""
    for field in msgspec.structs.fields(struct):
        if (value := getattr(struct, field.name)) != field.default:
            yield field.name.replace("_", " "), _plain(value)


def _limits(route: Route) -> dict[str, Any]:
    limits = {key: value for key, value in _stated(route.limits) if key != "counter"} if route.limits else {}
    shown = {"limits": limits, "body limit": route.body_limit}
    return {key: value for key, value in shown.items() if value not in (None, {})}


def _access(access: Access) -> dict[str, Any]:
    shown: dict[str, Any] = {"any is enough": True} if access.satisfies_any else {}
    if access.deny:
        shown["denied"] = list(access.deny)
    if access.allow is not None:
        shown["allowed"] = list(access.allow)
    if login := access.login:
        users = {user: found.partition(":")[0] if found.startswith("sha1") else found[:8] for user, found in login.users}
        shown[login.scheme.value] = {"realm": login.realm, **users}
    return shown


def _action(action: RouteAction) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    match action:
        case ForwardTo(backend=backend):
            shown["to"] = str(backend)
            if stand_in := action.stand_in:
                shown["stands in for"] = " ".join(msgspec.structs.astuple(stand_in.context))
                shown["path"] = "/" if stand_in.at_root else "as it is"
            shown |= _done_to_requests(action)
        case RedirectTo(location=location, status=status, base=base, rewrite=rewrite):
            path = "" if not location.startswith("/") else f" of {base.value}"
            shown["redirect"] = f"{status} {location}{path}"
            if rewrite is not None:
                shown["to the path"] = str(rewrite)
        case RedirectToHost(host=host, status=status):
            shown["redirect"] = f"{status} to host {host}"
        case NotFound():
            shown["not found"] = True
        case Unavailable():
            shown["closed"] = True
    return shown


def _done_to_requests(action: ForwardTo) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if host := action.upstream_host:
        client = f"<{host.client.value}>" if host.client else ""
        shown["host"] = f"{host.before}{client}{host.after}"
    if action.forwarded_prefix:
        shown["tells prefix"] = action.forwarded_prefix
    if action.rewrite:
        shown["rewrite"] = _rewrite(action.rewrite)
    if action.affinity:
        shown["cookie"] = _affinity(action.affinity)
    if action.hash_by:
        shown["hash"] = _hash(action.hash_by)
    return shown | dict(_proxying(action))


def _proxying(action: ForwardTo) -> Iterator[tuple[str, Any]]:
    if action.read_timeout is not None:
        yield "silence", action.read_timeout
    if retries := action.retries:
        again = None if retries.conditions is None else " ".join(one.value for one in retries.conditions) or "never"
        said = {"again": again, "tries": retries.tries, "idempotent only": retries.idempotent_only}
        yield "retries", {key: value for key, value in said.items() if value is not None}
    if action.closes_connection:
        yield "connection", "closed"
    if names := action.answer_names:
        pairs = {"cookie domain": names.cookie_domain, "cookie path": names.cookie_path, "redirect": names.redirect}
        yield "answers", {key: f"{pair.before} -> {pair.after}" for key, pair in pairs.items() if pair}
    if mirror := action.mirror:
        yield "mirror", f"{mirror.url} as {mirror.host}{' without body' * (not mirror.with_body)}"


def _https(redirect: HttpsRedirect) -> int | str:
    keeps = ", keeps slash" if redirect.keeps_slash else ""
    port = ", names port" if redirect.names_port else ""
    return f"{redirect.status}{keeps}{port}" if keeps or port else redirect.status


def _cors(cors: Cors) -> str:
    origins = "*" if cors.origins is None else " ".join(cors.origins)
    credentials = " with credentials" if cors.credentials else ""
    exposed = f" exposes {cors.expose_headers}" if cors.expose_headers else ""
    return f"{origins}{credentials}, {cors.methods}, {cors.headers},{exposed} for {cors.max_age} s"


def _hash(hash_by: HashBy) -> str:
    named = (("header", hash_by.headers), ("cookie", hash_by.cookies), ("argument", hash_by.arguments))
    texts = [fact.value for fact in hash_by.facts] + [f"{kind} {name}" for kind, names in named for name in names]
    subset = f" to {hash_by.subset} pods" if hash_by.subset > 1 else ""
    return (", ".join(texts) or "nothing") + subset


def _canary(canary: Canary) -> dict[str, Any]:
    shown: dict[str, Any] = {"of": str(canary.origin), "to": str(canary.action.backend)}
    if canary.header:
        shown["header"] = " ".join((canary.header.name, canary.header.test.value, canary.header.text)).strip()
    if canary.cookie:
        shown["by cookie"] = canary.cookie
    shown["weight"] = f"{canary.weight} of {canary.total}"
    if canary.action.affinity:
        shown["cookie"] = _affinity(canary.action.affinity)
    return shown


def _rewrite(rewrite: ConstantPath | StripPrefix | ReplacePath) -> str:
    match rewrite:
        case ConstantPath(path=path):
            return f"always {path}"
        case StripPrefix(prefix=prefix):
            return f"without {prefix}"
        case ReplacePath(pattern=pattern, replacement=replacement):
            return f"{pattern} -> {replacement}"


def _affinity(affinity: Affinity) -> str:
    defaults = msgspec.structs.asdict(type(affinity.attributes)(path=""))
    attributes = msgspec.structs.asdict(affinity.attributes)
    texts = [f"{key}={getattr(value, 'value', value)}" for key, value in attributes.items() if value != defaults[key]]
    if affinity.change_on_failure:
        texts.append("change_on_failure")
    usual = msgspec.structs.asdict(type(affinity.sessions)())
    sessions = msgspec.structs.asdict(affinity.sessions)
    texts += [f"{key}={getattr(value, 'value', value)}" for key, value in sessions.items() if value != usual[key]]
    return " ".join((affinity.cookie_name, affinity.mode.value, *texts))


def _upstream(upstream: Upstream) -> dict[str, Any]:
    """How endpoints are spoken to, as far as it is not in the backend's name."""
    said: dict[str, Any] = {}
    if upstream.tls:
        said |= {name: value for name in upstream.tls.__struct_fields__ if (value := getattr(upstream.tls, name))}
        said |= {name: "FILE" for name in ("authority", "certificate") if said.get(name)}
    if upstream.fastcgi:
        said |= {"index": upstream.fastcgi.index} | {name: "|".join(value) for name, value in upstream.fastcgi.parameters}
    return {name: _plain(value) for name, value in said.items()}


def _backend(backend: Backend) -> list[str]:
    return sorted(f"{one.address}:{one.port} {one.pod} {one.state.value}".replace("  ", " ") for one in backend.endpoints) or [
        backend.balancing.value
    ]
