"""The plan of a migration: per Ingress what stays, differs and is refused, likewise all that the controller was told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, Ingress, ObjectMeta, Service
from remora.migrate.flags import KnownFlag, carried, flag_rows
from remora.migrate.helm import helm_rows
from remora.migrate.manifests import Carried
from remora.migrate.old import UNNAMED, Old
from remora.migrate.rows import Row, worst
from remora.report.check import check_manifests, check_snapshot
from remora.report.findings import Finding, Report, Verdict
from remora.report.manifests import Fault, Manifest, Place
from remora.report.settings import check_settings, is_controllers
from remora.translate import Translator
from remora.watch.snapshot import Snapshot

CONFIGMAP = NamespacedName("remora-migrate", "settings")
"""Under which name the controller's settings are looked at, wherever they were found."""


class IngressRow(msgspec.Struct, frozen=True):
    """One Ingress. `findings` are what is not simply honoured; `closes` says that some of its paths would answer 503."""

    name: str
    place: str
    verdict: Verdict
    closes: bool = False
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """Everything that `remora migrate plan` found out. `faults` are what could not be read."""

    old: Old
    ingresses: tuple[IngressRow, ...] = ()
    rows: tuple[Row, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    carried: Carried = Carried()

    @property
    def is_refused(self) -> bool:
        """Whether something would not be served as written, so that somebody has to look at it first."""
        closed = any(one.closes or one.verdict is Verdict.REFUSED for one in self.ingresses)
        return bool(self.faults) or closed or any(row.verdict is Verdict.REFUSED for row in self.rows)

    def counts(self) -> dict[Verdict, int]:
        """How many Ingresses there are of each verdict."""
        return {verdict: sum(1 for one in self.ingresses if one.verdict is verdict) for verdict in Verdict}


def plan_manifests(read: Sequence[Manifest | Fault], old: Old, known: Mapping[str, KnownFlag]) -> Plan:
    """The plan for manifests from files."""
    old = _with_found_settings(read, old)
    settings = _settings(old)
    directories = {one.place.file.rpartition("/")[0] for one in read if isinstance(one, Manifest)}
    given = [one for one in read if not _is_settings(one)]
    given += [Manifest(_config_map(old), Place(f"{directory}/" if directory else "")) for directory in sorted(directories)]
    report = check_manifests(given, settings)
    names = [(one.object.key, str(one.place)) for one in read if isinstance(one, Manifest) and isinstance(one.object, Ingress)]
    snapshot = Snapshot()
    for kind in (Service,):
        objects = [one.object for one in read if isinstance(one, Manifest) and isinstance(one.object, kind)]
        snapshot = snapshot.changed(kind, {one.key: one for one in objects})
    return _plan(report, names, _port_rows(old, snapshot, whole=False), old, known)


def plan_snapshot(snapshot: Snapshot, old: Old, known: Mapping[str, KnownFlag]) -> Plan:
    """The plan for a cluster."""
    settings = _settings(old)
    config_map = _config_map(old)
    report = check_snapshot(snapshot.changed(ConfigMap, {config_map.key: config_map}), settings)
    translation = Translator(settings).translate(snapshot, None)
    ours = {ref.name for ref in translation.published} | {one.object.name for one in report.findings}
    names = [(name, "") for name in sorted(ours) if snapshot.find(Ingress, name)]
    return _plan(report, names, _port_rows(old, snapshot, whole=True), old, known)


def _plan(
    report: Report, names: Iterable[tuple[NamespacedName, str]], ports: Iterable[Row], old: Old, known: Mapping[str, KnownFlag]
) -> Plan:
    rows = (
        *flag_rows(old.flags, known),
        *helm_rows(old.values),
        *_setting_rows(old),
        *ports,
    )
    refused = {
        row.name for row in rows if row.kind in ("configmap", "tcp") and row.verdict in (Verdict.REFUSED, Verdict.UNKNOWN)
    }
    taken = Carried(
        carried(old.flags, rows),
        {key: text for key, text in old.settings.items() if key not in refused},
        {key: text for key, text in old.tcp.items() if key not in refused},
    )
    ingresses = tuple(_ingress_row(name, place, report) for name, place in names)
    return Plan(old, ingresses, rows, report.faults, tuple(_notes(old)), taken)


def _ingress_row(name: NamespacedName, place: str, report: Report) -> IngressRow:
    def is_it(one: object) -> bool:
        found = getattr(one, "object")  # noqa: B009 - findings and notes have it, and share no base
        return bool(found.kind == "Ingress" and found.name == name)

    findings = [one for one in report.findings if is_it(one) and _file(str(one.place)) == _file(place)]
    told = tuple(one.message for one in report.notes if is_it(one) and _file(str(one.place)) == _file(place))
    verdict = worst(tuple(one.verdict for one in findings))
    rest = tuple(one for one in findings if one.verdict is not Verdict.HONOURED or one.closes)
    return IngressRow(str(name), place, verdict, any(one.closes for one in findings), rest, told)


def _file(place: str) -> str:
    return place.partition(":")[0]


def _settings(old: Old) -> RoutingSettings:
    usual = RoutingSettings(session_key=b"", configmap=CONFIGMAP)
    return msgspec.structs.replace(
        usual,
        ingress_class=old.flags.get("ingress-class") or usual.ingress_class,
        controller_class=old.flags.get("controller-class") or usual.controller_class,
        ingress_class_by_name=old.flags.get("ingress-class-by-name") == "true",
        watch_ingress_without_class=old.flags.get("watch-ingress-without-class") == "true",
        ssl_passthrough=old.flags.get("enable-ssl-passthrough") == "true",
    )


def _config_map(old: Old) -> ConfigMap:
    return ConfigMap(ObjectMeta(CONFIGMAP.name, CONFIGMAP.namespace), data=dict(old.settings))


def _is_settings(one: Manifest | Fault) -> bool:
    return isinstance(one, Manifest) and isinstance(one.object, ConfigMap)


def _with_found_settings(read: Iterable[Manifest | Fault], old: Old) -> Old:
    """Where no flag names the ConfigMap: the one whose keys are mostly those of ingress-nginx."""
    if old.settings:
        return old
    for one in read:
        if isinstance(one, Manifest) and isinstance(one.object, ConfigMap) and is_controllers(one.object, None):
            return msgspec.structs.replace(old, settings=dict(one.object.data or {}))
    return old


def _setting_rows(old: Old) -> Iterator[Row]:
    manifest = Manifest(_config_map(old))
    for finding in check_settings(manifest, _config_map(old)):
        yield Row("configmap", finding.field, finding.value, finding.verdict, finding.reason)


def _port_rows(old: Old, snapshot: Snapshot, *, whole: bool) -> Iterator[Row]:
    """`whole` says that the snapshot holds all Services; of files it need not."""
    name = NamespacedName(CONFIGMAP.namespace, "tcp")
    config_map = ConfigMap(ObjectMeta(name.name, name.namespace), data=dict(old.tcp))
    settings = RoutingSettings(session_key=b"", tcp_services=name)
    problems = Translator(settings).translate(snapshot.changed(ConfigMap, {name: config_map}), None).problems
    said = {one.field: one.message for one in problems if one.object.name == name}
    services = {str(service.key) for service in snapshot.all(Service)}
    for key, text in old.tcp.items():
        message = said.get(f"data[{key}]", "")
        is_elsewhere = not whole and text.count(":") and text.partition(":")[0] not in services and "no Service" in message
        verdict = Verdict.REFUSED if message and not is_elsewhere else Verdict.HONOURED
        yield Row("tcp", key, text, verdict, "" if is_elsewhere else message)
    for key, text in old.udp.items():
        yield Row("udp", key, text, Verdict.REFUSED, "HAProxy forwards no UDP; give the Service an address of its own")


def _notes(old: Old) -> Iterator[str]:
    if not old.workload and not old.values:
        yield "no Deployment, DaemonSet or Helm values of ingress-nginx among the input: flags are unknown"
    if old.workload.endswith(f"/{UNNAMED}"):
        kind = old.workload.partition(" ")[0]
        yield f"{kind} of ingress-nginx: metadata.name is missing; write the one that it has in the cluster for {UNNAMED}"
    if old.service is None:
        yield f"no entry Service found: name it to `remora migrate switch` with --service {old.namespace}/NAME"
