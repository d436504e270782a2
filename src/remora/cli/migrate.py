"""`remora migrate`: the way over from ingress-nginx, in three commands: plan, compare, switch."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import Report, ReportOption

if TYPE_CHECKING:
    from remora.migrate.plan import Plan
    from remora.migrate.switch import Check

app = typer.Typer(
    help="The way over from ingress-nginx: plan, compare, switch.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


class By(StrEnum):
    """What the switch moves."""

    SELECTOR = "selector"
    CLASS = "class"


Paths = Annotated[list[str] | None, typer.Argument(metavar="FILE|DIR", help="Manifests and Helm values.")]
Cluster = Annotated[bool, typer.Option("--cluster", help="Read a cluster instead.")]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")]
Context = Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")]


@app.command()
def plan(
    paths: Paths = None,
    cluster: Cluster = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    write: Annotated[str, typer.Option("--write", metavar="DIR", help="Write manifests for Remora and the steps.")] = "",
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Show Ingresses brought up to date, as a diff.")] = False,
    output: ReportOption = Report.TEXT,
) -> None:
    """Say what becomes of every Ingress, flag, Helm value and setting; exit code 1 if not all is served as written."""
    from remora.cli.render import say
    from remora.cli.render.migrate import show_plan

    made, diff, notes = _planned(paths, cluster=cluster, kubeconfig=kubeconfig, context=context, rewrite=rewrite)
    for note in notes:
        say(f"note: {note}")
    if write:
        for file in _write(Path(write), made, diff):
            say(f"wrote {file}")
    show_plan(made, output.value, diff)
    if made.is_refused:
        raise typer.Exit(1)


def _planned(
    paths: list[str] | None, *, cluster: bool, kubeconfig: str, context: str, rewrite: bool
) -> tuple["Plan", str, list[str]]:
    """The plan, the diff, and what is not wrong but worth saying."""
    import asyncio

    from remora.cli.manifests import read_paths
    from remora.cli.migrate_input import as_manifest, fetch_documents, find_files, known_flags, read_documents
    from remora.core.errors import UsageError
    from remora.migrate.old import find_old
    from remora.migrate.plan import plan_manifests, plan_snapshot

    if bool(paths) == cluster:
        raise UsageError("give FILE or DIR to plan for manifests, or --cluster for what is deployed")
    known = known_flags()
    if cluster:
        from remora.cli.fetch import fetch_cluster

        documents, notes = asyncio.run(fetch_documents(kubeconfig, context))
        fetched = fetch_cluster(kubeconfig, context)
        texts = {_name(one): as_manifest(one) for one in documents if one["kind"] == "Ingress"}
        made = plan_snapshot(fetched.snapshot, find_old(documents, known), known)
        named = {one.name for one in made.ingresses}
        texts = {f"{name}.yaml": text for name, text in texts.items() if name in named}
    else:
        files = list(find_files(paths or ()))
        documents, misshapen = read_documents(files)
        made = plan_manifests([*read_paths(paths or ()), *misshapen], find_old(documents, known), known)
        texts = {str(file): file.read_text(encoding="utf-8", errors="replace") for file in files} if rewrite else {}
        notes = []
    if not rewrite:
        return made, "", notes
    diff, left = _rewritten(texts)
    return made, diff, notes + left


def _rewritten(texts: dict[str, str]) -> tuple[str, list[str]]:
    """The diff of all texts, and what was left as it is."""
    from remora.migrate.rewrite import rewrite, unified_diff

    diffs, left = [], []
    for name, text in texts.items():
        if "Ingress" in text:
            after, not_done = rewrite(text)
            left += [f"{name}:{one.line}: {one.reason}" for one in not_done]
            diffs.append(unified_diff(name.lstrip("/"), text, after))
    return "".join(diffs), left


def _name(document: dict[str, dict[str, str]]) -> str:
    return f"{document['metadata']['namespace']}/{document['metadata']['name']}"


def _write(directory: Path, made: "Plan", diff: str) -> list[Path]:
    """Writes what the plan leads to; the names of the files."""
    import yaml

    from remora.cli.migrate_input import own_manifests
    from remora.migrate.manifests import manifests
    from remora.migrate.steps import steps

    directory.mkdir(parents=True, exist_ok=True)
    base = own_manifests()
    texts = {"steps.md": "\n".join((*steps(made, str(directory)), ""))}
    for name, is_shadow in (("shadow.yaml", True), ("remora.yaml", False)):
        documents = manifests(base, made.old, made.carried, is_shadow=is_shadow)
        texts[name] = yaml.safe_dump_all(documents, sort_keys=False, width=200)
    if diff:
        texts["ingresses.diff"] = diff
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in texts]


@app.command()
def compare(
    old: Annotated[str, typer.Option("--old", metavar="ADDRESS", help="Of the old controller.")],
    new: Annotated[str, typer.Option("--new", metavar="ADDRESS", help="Of the new one.")],
    paths: Paths = None,
    cluster: Cluster = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    access_log: Annotated[str, typer.Option("--access-log", metavar="FILE", help="Replay nginx's log as well.")] = "",
    requests: Annotated[
        str, typer.Option("--requests", metavar="FILE", help="Replay what is written there, line by line.")
    ] = "",
    methods: Annotated[str, typer.Option("--methods", help="Of the requests made from rules.")] = "GET,HEAD",
    pod_by: Annotated[
        str, typer.Option("--pod-by", help="header:NAME, json:KEY or regex:PATTERN: where answers name their pod.")
    ] = "auto",
    sessions: Annotated[int, typer.Option("--sessions", help="How many to begin at each, for each route that has them.")] = 3,
    ignore_header: Annotated[list[str] | None, typer.Option("--ignore-header", help="A header that may differ.")] = None,
    ignore_body: Annotated[list[str] | None, typer.Option("--ignore-body", help="A pattern that bodies may differ in.")] = None,
    output: ReportOption = Report.TEXT,
) -> None:
    """Send the same requests to both controllers, and say every difference; exit code 1 if there is an unexpected one."""
    from remora.cli import migrate_options as said
    from remora.cli.render import say
    from remora.cli.render.migrate import show_comparison
    from remora.cli.replay import Sides, base_url, replay
    from remora.cli.replay_input import read_ingresses, read_replays
    from remora.core.errors import UsageError
    from remora.migrate.compare import Ignoring

    sides = Sides(base_url(old, "--old"), base_url(new, "--new"), said.pod_by(pod_by), said.count(sessions, "--sessions"))
    ignored = said.patterns(ignore_body or (), "--ignore-body")
    wanted = said.methods(methods)
    ingresses = read_ingresses(paths, cluster=cluster, kubeconfig=kubeconfig, context=context)
    replayed = read_replays(ingresses, access_log=access_log, requests=requests, methods=wanted)
    if not replayed:
        raise UsageError("there is nothing to send: give FILE, DIR or --cluster for the rules, --access-log or --requests")
    ignoring = Ignoring(frozenset(name.lower() for name in ignore_header or ()), ignored)
    say(f"sending {len(replayed)} requests to {sides.old} and {sides.new}")
    found = replay(replayed, sides, ignoring)
    show_comparison(found, output.value)
    if not found.is_clean:
        raise typer.Exit(1)


@app.command()
def switch(
    by: Annotated[
        By, typer.Option("--by", help="Move the entry Service's selector, or the class of all Ingresses.")
    ] = By.SELECTOR,
    service: Annotated[
        str, typer.Option("--service", metavar="NAMESPACE/NAME", help="The Service that clients come through.")
    ] = "ingress-nginx/ingress-nginx-controller",
    selector: Annotated[str, typer.Option("--selector", help="Labels of Remora's pods.")] = (
        "app.kubernetes.io/name=remora,app.kubernetes.io/component=controller"
    ),
    old_class: Annotated[str, typer.Option("--old-class", help="With --by class: the class to leave.")] = "nginx",
    new_class: Annotated[str, typer.Option("--new-class", help="With --by class: the class to take.")] = "remora",
    back: Annotated[bool, typer.Option("--back", help="Undo what was moved.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show each step, and change nothing.")] = False,
    comparison: Annotated[str, typer.Option("--comparison", metavar="FILE", help="What compare -o json said.")] = "",
    accept: Annotated[list[str] | None, typer.Option("--accept", metavar="CHECK", help="Go on although it is not met.")] = None,
    watch: Annotated[str, typer.Option("--watch", help="How long to look for trouble afterwards.")] = "5m",
    interval: Annotated[str, typer.Option("--interval", help="How often to look.")] = "5s",
    max_errors: Annotated[
        float, typer.Option("--max-errors", help="Percent of 5xx, beside those of the old controller.")
    ] = 1.0,
    max_broken: Annotated[int, typer.Option("--max-broken", help="How many sessions may break.")] = 0,
    old_errors: Annotated[float, typer.Option("--old-errors", help="Percent of 5xx that the old controller has.")] = 0.0,
    controller: Annotated[str, typer.Option("--controller", help="URL of Remora's health port; else by the API server.")] = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    output: ReportOption = Report.TEXT,
) -> None:
    """Move clients to Remora, watch, and go back if errors rise or sessions break.

    Exit codes: 0 done, 1 the API server refused, 3 a check is not met, 4 it went back, 130 interrupted.
    """
    import asyncio

    from remora.cli import migrate_options as said
    from remora.cli.names import parse_name
    from remora.cli.render import data_document, say
    from remora.cli.switching import Wish, end_document, parse_selector, run_switch
    from remora.migrate.switch import Direction, Limits

    wish = Wish(
        by_class=by is By.CLASS,
        service=parse_name(service, "--service"),
        selector=parse_selector(selector),
        old_class=old_class,
        new_class=new_class,
        direction=Direction.BACK if back else Direction.FORTH,
        dry_run=dry_run,
        accepted=said.accepted(accept or ()),
        limits=Limits(
            error_share=said.percent(max_errors, "--max-errors"),
            usual_share=said.percent(old_errors, "--old-errors"),
            broken=said.count(max_broken, "--max-broken"),
        ),
        watch=said.seconds(watch, "--watch"),
        interval=said.seconds(interval, "--interval", least=0.1),
        kubeconfig=kubeconfig,
        context=context,
        controller=controller,
    )
    checks = [] if back else _checks(comparison, kubeconfig=kubeconfig, context=context, old_class=old_class)
    end = asyncio.run(run_switch(wish, checks, say))
    if output in (Report.JSON, Report.YAML):
        data_document(end_document(end), output.value)
    else:
        print(f"{end.said}\n{end.state.value}")
    if end.code:
        raise typer.Exit(end.code)


def _checks(comparison: str, *, kubeconfig: str, context: str, old_class: str) -> list["Check"]:
    """What is looked at before anything moves, beside what the switch itself looks at."""
    from datetime import UTC, datetime

    from remora.cli.fetch import fetch_cluster
    from remora.cli.switching import read_comparison
    from remora.core.errors import UsageError
    from remora.core.settings import RoutingSettings
    from remora.migrate.switch import problems_check
    from remora.report.check import check_snapshot

    try:
        content = Path(comparison).read_bytes() if comparison else None
    except OSError as error:
        raise UsageError(f"--comparison {comparison}: {error.strerror}") from error
    report = check_snapshot(
        fetch_cluster(kubeconfig, context).snapshot, RoutingSettings(session_key=b"", ingress_class=old_class)
    )
    return [problems_check(report), read_comparison(content, datetime.now(UTC))]
