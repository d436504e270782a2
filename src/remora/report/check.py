"""What Remora does with every annotation of some Ingresses: the result of `remora check`. Pure.

The verdicts are not a second opinion: the Ingresses are translated as the controller would translate them, and what it says of
an annotation is the verdict; only where it has nothing to say does the annotation's row tell how far it is honoured.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.annotations.declare import Support
from remora.annotations.registry import (
    UNREAD,
    Defaults,
    Parsed,
    counting_keys,
    find_nearest_name,
    find_row,
    is_ours,
    parse_all,
    parse_defaults,
)
from remora.core.names import NamespacedName
from remora.core.problem import Problem, Severity
from remora.core.settings import REMORA_CLASS, REMORA_CONTROLLER, RoutingSettings
from remora.kube.objects import ConfigMap, Ingress, IngressClass, ObjectMeta, Secret
from remora.kube.objects.ingress import IngressClassSpec
from remora.report.findings import BY_SUPPORT, Finding, Note, Report, Verdict
from remora.report.manifests import Fault, Manifest
from remora.report.needs import find_lacking
from remora.report.settings import check_settings, is_controllers
from remora.report.snippet_words import directive_words
from remora.snippets.read import Context, read_snippet
from remora.translate import Translator
from remora.translate.classes import CLASS_ANNOTATION
from remora.translate.references import find_missing
from remora.translate.snippets import CLOSED, constant_variables
from remora.watch.snapshot import Snapshot

_SNIPPETS = {"configuration-snippet": Context.LOCATION, "server-snippet": Context.SERVER}
_DIFFERENCES = ("ConnectTimeoutShared", "HttpVersionUnavailable", "LimitsWithoutPeers", "PodNameNotVerified", "RetryUnknown")
"""Codes of what is served all the same, if not quite as it is written."""
_LEFT_OUT = frozenset(
    (
        "AliasInvalid", "AliasTaken", "BackendUnknown", "CanaryNotAttached", "CatchAllDisabled", "CertificateUnusable",
        "ClassMissing", "HostInvalid", "PathInvalid", "PathTaken", "PatternInvalid",
    )
)  # fmt: skip
"""Codes of errors that leave out what they are about and close nothing: the other routes are served."""
_NOT_RUN = ("SnippetRefused", "SnippetIgnored", "AnnotationTooRisky")

_STAND_IN = "remora-check"
"""The class that Ingresses from files are given, whatever theirs is: what counts is what Remora would do with them."""


def check_manifests(read: Iterable[Manifest | Fault], settings: RoutingSettings) -> Report:
    """The findings for manifests.

    What a file refers to need not be in it. The manifests of one directory are taken for one cluster's: they can contest a
    path. Of several with the same name each is checked on its own, with the others around it.
    """
    given = list(read)
    faults = tuple(one for one in given if isinstance(one, Fault))
    manifests = [one for one in given if isinstance(one, Manifest)]
    findings: list[Finding] = []
    notes: list[Note] = []
    for group in _groups(manifests):
        snapshot = _snapshot(group, settings)
        problems = _problems_of(snapshot, settings)
        for manifest in group:
            if isinstance(manifest.object, Ingress):
                findings += _check(manifest, problems, snapshot=snapshot, settings=settings)
                notes += _notes(manifest, group, settings)
                notes += _missing_notes(manifest, problems)
    for manifest in manifests:
        if isinstance(manifest.object, ConfigMap) and is_controllers(manifest.object, settings.configmap):
            findings += check_settings(manifest, manifest.object)
    findings.sort(key=lambda one: one.place)
    ingresses = sum(1 for one in manifests if isinstance(one.object, Ingress))
    return Report(ingresses, tuple(findings), tuple(sorted(notes, key=lambda one: one.place)), faults)


def check_snapshot(snapshot: Snapshot, settings: RoutingSettings) -> Report:
    """The findings for all Ingresses of a cluster that are ours."""
    translation = Translator(settings).translate(snapshot, None)
    problems = _by_object(translation.problems)
    ours = {ref.name for ref in translation.published} | {name for name in problems if snapshot.find(Ingress, name)}
    manifests = [Manifest(found) for name in sorted(ours) if (found := snapshot.find(Ingress, name))]
    findings = [
        finding for one in manifests for finding in _check(one, problems, snapshot=snapshot, settings=settings, whole=True)
    ]
    config_map = snapshot.find(ConfigMap, settings.configmap) if settings.configmap else None
    if config_map:
        findings += check_settings(Manifest(config_map), config_map)
    return Report(len(manifests), tuple(findings))


def _groups(manifests: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Manifests that can stand in one cluster together, every Ingress in one of the groups at least once."""
    by_directory: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        by_directory.setdefault(manifest.place.file.rpartition("/")[0], []).append(manifest)
    for group in by_directory.values():
        rounds: list[dict[tuple[type, NamespacedName], Manifest]] = []
        for manifest in group:
            identity = (type(manifest.object), manifest.object.key)
            free = next((one for one in rounds if identity not in one), None)
            if free is None:
                rounds.append(free := {})
            free[identity] = manifest
        surroundings = [one for one in group if not isinstance(one.object, Ingress)]
        for one in rounds:
            yield [*surroundings, *(manifest for manifest in one.values() if isinstance(manifest.object, Ingress))]


def _snapshot(group: Iterable[Manifest], settings: RoutingSettings) -> Snapshot:
    """The manifests as if they stood in a cluster in which all of their Ingresses are ours."""
    stand_in = IngressClass(ObjectMeta(_STAND_IN), spec=IngressClassSpec(REMORA_CONTROLLER))
    snapshot = Snapshot().changed(IngressClass, {stand_in.key: stand_in})
    for manifest in group:
        one = manifest.object
        if isinstance(one, Ingress):
            one = msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, ingress_class_name=_STAND_IN))
        if not isinstance(one, IngressClass):
            snapshot = snapshot.changed(type(one), {one.key: one})
    return snapshot


Problems = Mapping[NamespacedName, Sequence[Problem]]
"""The Problems of Ingresses by their name."""


def _problems_of(snapshot: Snapshot, settings: RoutingSettings) -> Problems:
    return _by_object(Translator(settings).translate(snapshot, None).problems)


def _by_object(problems: Iterable[Problem]) -> Problems:
    found: dict[NamespacedName, list[Problem]] = {}
    for problem in problems:
        if problem.object.kind == "Ingress":
            found.setdefault(problem.object.name, []).append(problem)
    return found


def _check(
    manifest: Manifest, problems: Problems, *, snapshot: Snapshot, settings: RoutingSettings, whole: bool = False
) -> Iterator[Finding]:
    """The findings of one Ingress; `whole` says that the snapshot holds everything that it can refer to."""
    ingress = manifest.object
    assert isinstance(ingress, Ingress)
    defaults = _defaults(snapshot, settings)
    parsed = _read_annotations(ingress, settings, defaults)
    own = _by_field((*parsed.problems, *problems.get(ingress.key, ())))
    counting = counting_keys(ingress.metadata.annotations, settings.annotations_prefixes)
    for key, text in ingress.metadata.annotations.items():
        name = key.partition("/")[2]
        if is_ours(key, settings.annotations_prefixes):
            field = f"metadata.annotations[{key}]"
            alone = _read_annotations(_with_annotation(ingress, key, text), settings, defaults)
            finding = Finding(manifest.place_of(field), ingress.ref, key, Verdict.HONOURED, text, closes=alone.is_closed)
            judged = _judge(finding, name, own.pop(field, ()), counts=key in counting)
            yield _without_what_it_needs(judged, parsed)
    for field, found in own.items():
        for problem in found:
            if whole or not _is_reference(problem, ingress, snapshot):
                verdict = Verdict.DIFFERENT if problem.code in _DIFFERENCES else Verdict.REFUSED
                yield Finding(
                    manifest.place_of(field),
                    ingress.ref,
                    field,
                    verdict,
                    reason=_reason((problem,)),
                    closes=problem.severity is Severity.ERROR and not _leaves_out(problem),
                    code=problem.code,
                )


def _by_field(problems: Iterable[Problem]) -> dict[str, tuple[Problem, ...]]:
    found: dict[str, dict[Problem, None]] = {}
    for problem in problems:
        found.setdefault(problem.field, {})[problem] = None
    return {field: tuple(ones) for field, ones in found.items()}


def _defaults(snapshot: Snapshot, settings: RoutingSettings) -> Defaults:
    """What the controller's ConfigMap says, without what it closes: that is nothing that an Ingress could mend."""
    found = snapshot.find(ConfigMap, settings.configmap) if settings.configmap else None
    defaults = parse_defaults(found.data or {}, object=found.ref) if found else Defaults()
    return msgspec.structs.replace(defaults, guards=frozenset())


def _read_annotations(ingress: Ingress, settings: RoutingSettings, defaults: Defaults) -> Parsed:
    prefixes = settings.annotations_prefixes
    return parse_all(ingress.metadata.annotations, object=ingress.ref, prefixes=prefixes, defaults=defaults)


def _with_annotation(ingress: Ingress, key: str, text: str) -> Ingress:
    """The Ingress with this annotation alone."""
    return msgspec.structs.replace(ingress, metadata=msgspec.structs.replace(ingress.metadata, annotations={key: text}))


def _judge(finding: Finding, name: str, problems: Sequence[Problem], *, counts: bool) -> Finding:
    """The finding for one annotation. `name` is its key without the prefix."""
    row = find_row(finding.field)
    if row is None:
        nearest = find_nearest_name(name)
        return _with(finding, Verdict.UNKNOWN, f"did you mean {nearest}?" if nearest else "no annotation of that name is known")
    if not counts:
        reason = f"{row.name} stands here under another name or prefix too, and that one counts"
        return msgspec.structs.replace(_with(finding, Verdict.WITHOUT_EFFECT, reason), closes=False)
    if (context := _SNIPPETS.get(row.name)) and not any(one.code in _NOT_RUN for one in problems):
        finding = msgspec.structs.replace(finding, closes=finding.closes or any(map(_closes, problems)))
        verdict = Verdict.REFUSED if finding.closes else BY_SUPPORT[row.support]
        reading = read_snippet(finding.value, context, constant_variables(finding.object.name))
        return _with(finding, verdict, directive_words(reading) or _reason(problems))
    if row.support is Support.UNREAD:
        finding = msgspec.structs.replace(finding, code=UNREAD)
        return _with(finding, BY_SUPPORT[row.support], f"{row.doc} {row.differs}")
    if problems:
        return _with(finding, Verdict.REFUSED, _reason(problems))
    if row.support is Support.REFUSED:
        return _with(finding, Verdict.HONOURED, "it asks for nothing")
    return _with(finding, BY_SUPPORT[row.support], row.differs)


def _without_what_it_needs(finding: Finding, parsed: Parsed) -> Finding:
    """The finding, or of what is honoured and does nothing for lack of another annotation, that it does nothing."""
    row = find_row(finding.field)
    if row is None or finding.closes or finding.verdict not in (Verdict.HONOURED, Verdict.DIFFERENT):
        return finding
    lacking = find_lacking(row.name, parsed)
    return _with(finding, Verdict.WITHOUT_EFFECT, f"needs {lacking}, which is not here") if lacking else finding


def _leaves_out(problem: Problem) -> bool:
    """Whether what the Problem is about is left out, and closes nothing; a pattern that is guarded is closed all the same."""
    return problem.code in _LEFT_OUT and not problem.consequence.endswith(" answer 503")


def _closes(problem: Problem) -> bool:
    return problem.code in ("SnippetNotUnderstood", "SnippetTooLong") and problem.consequence == CLOSED


def _with(finding: Finding, verdict: Verdict, reason: str) -> Finding:
    return msgspec.structs.replace(finding, verdict=verdict, reason=reason)


def _reason(problems: Iterable[Problem]) -> str:
    return "; ".join(f"{problem.message}; {problem.consequence}" for problem in problems)


def _is_reference(problem: Problem, ingress: Ingress, snapshot: Snapshot) -> bool:
    """Whether a Problem says only that something is not among the manifests."""
    if find_missing(problem):
        return True
    match problem.code:
        case "ServiceMissing":
            return True
        case "CertificateUnusable":
            names = {NamespacedName(ingress.key.namespace, entry.secret_name) for entry in ingress.spec.tls}
            return not any(snapshot.find(Secret, name) for name in names)
        case _:
            return False


def _missing_notes(manifest: Manifest, problems: Problems) -> Iterator[Note]:
    """What annotations name and what is not among the manifests."""
    for missing in sorted({find_missing(problem) for problem in problems.get(manifest.object.key, ())} - {""}):
        yield Note(manifest.place, manifest.object.ref, f"{missing} among the manifests; its paths need it in the cluster")


def _notes(manifest: Manifest, group: Sequence[Manifest], settings: RoutingSettings) -> Iterator[Note]:
    """Whether Remora will look at the Ingress at all."""
    ingress = manifest.object
    assert isinstance(ingress, Ingress)
    classes = [one.object for one in group if isinstance(one.object, IngressClass)]
    if message := class_note(ingress, classes, settings):
        yield Note(manifest.place, ingress.ref, message)


def class_note(ingress: Ingress, classes: Iterable[IngressClass], settings: RoutingSettings) -> str:
    """Why Remora may not look at the Ingress at all; "" if its class is one of ours. `classes` are those that are known."""
    annotated = ingress.metadata.annotations.get(CLASS_ANNOTATION)
    name = ingress.spec.ingress_class_name if ingress.spec.ingress_class_name is not None else annotated
    if name is None:
        without = settings.watch_ingress_without_class
        return "" if without else "it names no class, so it is served only with --watch-ingress-without-class"
    if name in (settings.ingress_class, REMORA_CLASS):
        return ""
    controller = next((one.spec.controller for one in classes if one.key.name == name), "")
    if controller in (settings.controller_class, REMORA_CONTROLLER):
        return ""
    return f"its class is {name}; Remora serves it only if that class has the controller {settings.controller_class}"
