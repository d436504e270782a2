"""What the admission webhook answers: whether an Ingress may be stored as it is written. Pure.

Only the one object is judged, by the same verdicts as `remora check`; of the rest of the cluster it is asked who has its
paths, and what the controller's ConfigMap says. What a route would be closed for is refused, a missing object is not: it may
come later. HAProxy is never asked.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from remora.annotations.configmap.access import Access
from remora.annotations.registry import VALUE_REFUSED, Defaults, parse_all, parse_defaults
from remora.annotations.registry import is_ours as is_known_prefix
from remora.annotations.values import shown
from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, Ingress
from remora.kube.objects.meta import Wire
from remora.report.check import check_manifests
from remora.report.findings import Finding, Verdict
from remora.report.manifests import Manifest
from remora.translate.classes import is_ours
from remora.translate.snippets import TRANSLATE, policy_of
from remora.translate.view import View
from remora.watch.snapshot import Index, IndexKey, Snapshot, normal_host

LARGEST = 9 << 20
"""Bytes of a review, of which ingress-nginx takes as many."""
MOST_ANNOTATIONS = 1000
"""Under prefixes of ours, of which each costs time; there are not two hundred that mean anything."""
LONGEST_MESSAGE = 4096
LONGEST_WARNING = 256
"""Characters; the API server cuts longer ones and leaves out what is more than 4096 altogether."""
MOST_WARNINGS = 15

DROPPED = frozenset(
    (
        *("auth-type", "auth-secret-type", "auth-realm", "auth-url", "auth-tls-secret", "auth-tls-error-page"),
        *("auth-tls-match-cn", "auth-tls-pass-certificate-to-upstream", "limit-rps", "limit-rpm", "limit-connections"),
        *("limit-allowlist", "limit-whitelist", "ssl-ciphers", "ssl-passthrough", "connection-proxy-header"),
        *("client-body-buffer-size", "http2-push-preload", "fastcgi-index", "fastcgi-params-configmap"),
        *("opentelemetry-operation-name", "proxy-ssl-secret"),
    )
)
"""Annotations with whose refused values ingress-nginx does not take an Ingress at all."""

_UNSERVED = ("BackendUnknown", "HostInvalid", "PathInvalid", "PatternInvalid")
"""Codes of Problems with the specification of an Ingress alone."""

_INJECTION = re.compile(r"_by_lua|/etc/(?:passwd|shadow|group|nginx|ingress-controller)|/var/run/secrets", re.IGNORECASE)
_DIRECTIVE = re.compile(r"\b(?:alias|root)\s", re.IGNORECASE)
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9._/-]*)?")
_UID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_OFF = ("false", "0", "f")
_USUAL_PREFIX = "nginx.ingress.kubernetes.io"
_WARNED = (Verdict.REFUSED, Verdict.UNKNOWN, Verdict.WITHOUT_EFFECT, Verdict.DIFFERENT)


class AdmissionSettings(msgspec.Struct, frozen=True):
    """What flags say of the webhook. `namespace` is the one that is watched, "" for all."""

    routing: RoutingSettings
    namespace: str = ""
    deep_inspect: bool = True


class Ruling(msgspec.Struct, frozen=True):
    """Why an Ingress is refused, nothing if it is not; and what its author may want to know of one that is taken."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Kind(Wire, frozen=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Request(Wire, frozen=True):
    uid: str
    kind: _Kind
    operation: str = ""
    object: msgspec.Raw = msgspec.Raw(b"null")


class _Review(Wire, frozen=True):
    request: _Request
    api_version: str = msgspec.field(name="apiVersion", default="")
    kind: str = ""


_INGRESS = _Kind("networking.k8s.io", "v1", "Ingress")


def answer_review(body: bytes, snapshot: Snapshot, settings: AdmissionSettings) -> tuple[int, bytes]:
    """The HTTP status and the body with which a review is answered."""
    if len(body) >= LARGEST:
        return 413, b"the review is too large"
    try:
        review = msgspec.json.decode(body, type=_Review)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return 400, f"this is no AdmissionReview: {error}".encode()
    if (review.kind, review.api_version) != ("AdmissionReview", "admission.k8s.io/v1"):
        return 400, b"only AdmissionReviews of admission.k8s.io/v1 are understood"
    if review.request.kind != _INGRESS:
        return 500, b"only Ingresses of networking.k8s.io/v1 are reviewed"
    return 200, _response(review.request.uid, _ruling(review.request, snapshot, settings))


def _ruling(request: _Request, snapshot: Snapshot, settings: AdmissionSettings) -> Ruling:
    if request.operation not in ("CREATE", "UPDATE"):
        return Ruling()
    try:
        ingress = msgspec.json.decode(request.object, type=Ingress)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Ruling((f"the object cannot be read as an Ingress: {error}",))
    return judge(ingress, snapshot, settings)


def judge(ingress: Ingress, snapshot: Snapshot, settings: AdmissionSettings) -> Ruling:
    """Whether the Ingress may be stored. One that is being deleted, or that others serve, may always be."""
    meta, routing = ingress.metadata, settings.routing
    if meta.deletion_timestamp or settings.namespace not in ("", meta.namespace):
        return Ruling()
    view = View(snapshot, routing, outcome_of=_nothing)
    if not is_ours(view, ingress):
        return Ruling()
    if _count_annotations(ingress, routing.annotations_prefixes) > MOST_ANNOTATIONS:
        return Ruling((f"metadata.annotations: there are more than {MOST_ANNOTATIONS} of them",))
    config_map = snapshot.find(ConfigMap, routing.configmap) if routing.configmap else None
    defaults = parse_defaults(config_map.data or {}, object=config_map.ref) if config_map else Defaults()
    findings = _findings(ingress, config_map, routing)
    refusals = [
        *_metadata_refusals(ingress, settings, defaults),
        *_spec_refusals(ingress, settings, defaults),
        *(f"{one.field}: {one.reason}" for one in findings if _is_fatal(one)),
    ]
    # Who has the paths is looked for last: of a cluster there is more than of one object.
    if not refusals:
        refusals = list(_clashes(ingress, view, snapshot))
    told = [one for one in findings if one.verdict in _WARNED and (one.is_dropped or one.verdict is not Verdict.WITHOUT_EFFECT)]
    kept = sorted(told, key=lambda one: _WARNED.index(one.verdict))
    warnings = tuple(dict.fromkeys(_warning(one) for one in kept))
    return Ruling(tuple(dict.fromkeys(refusals)), _at_most(warnings))


def _nothing(_unit: Any) -> None:
    return None


def _count_annotations(ingress: Ingress, prefixes: tuple[str, ...]) -> int:
    return sum(1 for key in ingress.metadata.annotations if is_known_prefix(key.partition("/")[0], prefixes))


def _findings(ingress: Ingress, config_map: ConfigMap | None, routing: RoutingSettings) -> list[Finding]:
    manifests = [Manifest(ingress), *([Manifest(config_map)] if config_map else [])]
    return [one for one in check_manifests(manifests, routing).findings if one.object == ingress.ref]


def _is_fatal(finding: Finding) -> bool:
    """Whether it is wrong in itself, whatever else is in the cluster now or later."""
    if finding.code:
        return finding.code in _UNSERVED
    is_refused = finding.verdict is Verdict.REFUSED and VALUE_REFUSED in finding.reason
    return finding.closes or (is_refused and finding.field.rpartition("/")[2] in DROPPED)


def _metadata_refusals(ingress: Ingress, settings: AdmissionSettings, defaults: Defaults) -> Iterator[str]:
    routing = settings.routing
    annotations = ingress.metadata.annotations
    if not _UID.fullmatch(ingress.metadata.uid):
        yield "metadata.uid: it is missing or not well-formed"
    parsed = parse_all(annotations, object=ingress.ref, prefixes=routing.annotations_prefixes, defaults=defaults)
    snippets = policy_of(parsed, routing.snippet_policy)
    for key in annotations:
        prefix, _, name = key.partition("/")
        if prefix == _USUAL_PREFIX and _USUAL_PREFIX not in routing.annotations_prefixes:
            yield f"{key}: annotations stand under {routing.annotations_prefixes[0]} here"
        if prefix not in routing.annotations_prefixes:
            continue
        if name.endswith("-snippet") and snippets != TRANSLATE:
            yield f"{key}: snippets are switched off"


def _spec_refusals(ingress: Ingress, settings: AdmissionSettings, defaults: Defaults) -> Iterator[str]:
    spec = ingress.spec
    if spec.default_backend is not None and settings.routing.disable_catch_all:
        yield "spec.defaultBackend: the controller runs with --disable-catch-all"
    if settings.deep_inspect:
        for field, text in _texts(ingress):
            if found := _find_injection(text):
                yield f"{field}: {shown(found)} looks like an attempt to inject configuration"
    if defaults.of(Access).strict_path_type.strip().lower() in _OFF:
        return
    for field, path, path_type in _paths(ingress):
        if path_type in ("Exact", "Prefix") and not _PLAIN_PATH.fullmatch(path):
            yield (
                f"{field}: {shown(path)} has characters that a path of type {path_type} cannot have; use the type "
                "ImplementationSpecific if it is meant as a regular expression"
            )


def _find_injection(text: str) -> str:
    """What in a text looks like nginx configuration. It takes time in proportion to the text, however that is made."""
    if found := _INJECTION.search(text):
        return found[0]
    directive = _DIRECTIVE.search(text)
    return directive[0] + "…;" if directive and ";" in text[directive.end() :] else ""


def _paths(ingress: Ingress) -> Iterator[tuple[str, str, str]]:
    for number, rule in enumerate(ingress.spec.rules):
        for place, path in enumerate(rule.http.paths if rule.http else ()):
            yield f"spec.rules[{number}].http.paths[{place}].path", path.path, path.path_type


def _texts(ingress: Ingress) -> Iterator[tuple[str, str]]:
    """The texts of the specification that reach HAProxy, by their field."""
    for number, rule in enumerate(ingress.spec.rules):
        yield f"spec.rules[{number}].host", rule.host
    for field, path, _ in _paths(ingress):
        yield field, path
    for number, section in enumerate(ingress.spec.tls):
        yield f"spec.tls[{number}].secretName", section.secret_name
        for place, host in enumerate(section.hosts):
            yield f"spec.tls[{number}].hosts[{place}]", host


def _clashes(ingress: Ingress, view: View, snapshot: Snapshot) -> Iterator[str]:
    """Paths that another Ingress has. A canary has those of its main Ingress, but no two canaries have one of nobody's."""
    prefixes = view.settings.annotations_prefixes
    canary = _canary_word(ingress, prefixes)
    own = {(normal_host(rule.host), path.path or "/") for rule in ingress.spec.rules if rule.http for path in rule.http.paths}
    owners: dict[tuple[str, str], list[Ingress]] = {}
    for other in _others(ingress, {host for host, _ in own}, view, snapshot):
        for rule in other.spec.rules:
            for path in rule.http.paths if rule.http else ():
                if (place := (normal_host(rule.host), path.path or "/")) in own:
                    owners.setdefault(place, []).append(other)
    for where in sorted(owners):
        mains = [one for one in owners[where] if _canary_word(one, prefixes) is None]
        if canary is None:
            rivals = mains
        elif canary == "true" and not mains:
            rivals = [one for one in owners[where] if _canary_word(one, prefixes) == "true"]
        else:
            rivals = []
        if rivals:
            yield f'host "{where[0]}" and path "{where[1]}" is already defined in Ingress {rivals[0].key}'


def _others(ingress: Ingress, hosts: Iterable[str], view: View, snapshot: Snapshot) -> Iterator[Ingress]:
    names: set[NamespacedName] = set()
    for host in hosts:
        names.update(snapshot.indexed(IndexKey(Index.INGRESSES_OF_HOST, normal_host(host))))
    for name in sorted(names - {ingress.key}):
        other = snapshot.find(Ingress, name)
        if other is not None and is_ours(view, other):
            yield other


def _canary_word(ingress: Ingress, prefixes: tuple[str, ...]) -> str | None:
    keys = (f"{prefix}/canary" for prefix in prefixes)
    return next((ingress.metadata.annotations[key].strip() for key in keys if key in ingress.metadata.annotations), None)


def _warning(finding: Finding) -> str:
    reason = f": {finding.reason}" if finding.reason else ""
    text = f"{finding.field}: {finding.verdict.value}{reason}".replace("\n", " ")
    return text if len(text) <= LONGEST_WARNING else text[: LONGEST_WARNING - 1] + "…"


def _at_most(warnings: tuple[str, ...]) -> tuple[str, ...]:
    if len(warnings) <= MOST_WARNINGS:
        return warnings
    return (*warnings[:MOST_WARNINGS], f"and {len(warnings) - MOST_WARNINGS} more; `remora check` tells all")


def _response(uid: str, ruling: Ruling) -> bytes:
    response: dict[str, Any] = {"uid": uid, "allowed": not ruling.refusals}
    if ruling.refusals:
        message = "; ".join(ruling.refusals)[:LONGEST_MESSAGE]
        response["status"] = {"code": 400, "reason": "BadRequest", "message": message}
    if ruling.warnings:
        response["warnings"] = ruling.warnings
    return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
