"""All commands: under which heading `remora --help` lists them, and the examples that their own help ends with."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

LOCAL = "Local cluster"
LOOK = "Looking at what is there"
WAY_OVER = "From ingress-nginx"
PROGRAMS = "Programs of a real cluster"
SHELL = "This machine"

SECTIONS: Mapping[str, tuple[str, ...]] = {
    LOCAL: ("up", "status", "down", "delete", "profiles", "kubeconfig", "service", "image", "demo"),
    LOOK: ("explain", "routes", "problems", "sessions", "top", "dashboard", "tail", "drain-wait"),
    WAY_OVER: ("check", "migrate"),
    SHELL: ("doctor", "completion"),
    PROGRAMS: ("controller", "proxy", "webhook"),
}

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "up": (
        "remora up                                   # until Ctrl-C",
        "remora up --detach --http-port 8080",
        "remora up --profile ci --detach --no-wait   # another one beside it",
    ),
    "status": ("remora status", "remora status --profile ci -o json"),
    "down": ("remora down", "remora down --profile ci"),
    "delete": ("remora delete --yes", "remora delete --profile ci --yes"),
    "profiles": ("remora profiles", "remora profiles -o yaml"),
    "kubeconfig": ("export KUBECONFIG=$(remora kubeconfig)", "remora kubeconfig --merge    # into your own, as context remora"),
    "service": ("curl $(remora service sticky-d)", "remora service web -n shop -o json"),
    "image add": (
        "remora image add shop/web:1 --workdir examples/sticky-session -- uvicorn app:app --host '$(POD_IP)' --port 8080",
        "remora image add job:1 --env LEVEL=debug -- python -m job",
    ),
    "image build": (
        "remora image build -t shop/web:1 shop",
        "remora image build -t shop/web:1 -f web.Dockerfile --target prod .",
    ),
    "image list": ("remora image list", "remora image list -o json"),
    "image remove": ("remora image remove shop/web:1",),
    "demo": ("remora demo",),
    "check": (
        "remora check deploy/ ingress.yaml",
        "kubectl get ingress -A -o yaml | remora check -",
        "remora check --cluster --strict -o markdown",
    ),
    "explain": (
        "remora explain https://shop.example/cart",
        "remora explain shop.example/cart --cookie INGRESSCOOKIE=VALUE -H 'X-Canary: always'",
        "remora explain -f ingress.yaml http://shop.example/ -o json",
    ),
    "routes": ("remora routes", "remora routes shop.example -o json", "remora routes -f deploy/"),
    "problems": ("remora problems", "remora problems -o json"),
    "sessions": ("remora sessions", "remora sessions web -n shop --watch", "remora sessions --cookie INGRESSCOOKIE=VALUE"),
    "top": ("remora top", "remora top --once -o json"),
    "dashboard": ("remora dashboard", "remora dashboard --no-open --port 8001 --read-only"),
    "tail": (
        "remora tail sticky-d                           # pods with that in their names",
        "remora tail -l app=sticky-d --since 10m",
        "remora tail -A -c '^controller$' --grep 'error|warning'",
        "remora tail . --no-follow --tail 100 -o json   # all pods of the namespace, without following",
    ),
    "drain-wait": ("remora drain-wait web-0 -n shop --drain --timeout 8h",),
    "migrate plan": (
        "remora migrate plan --cluster",
        "remora migrate plan values.yaml manifests/ --rewrite",
        "remora migrate plan --cluster --write remora/",
    ),
    "migrate compare": (
        "remora migrate compare --old http://192.0.2.1 --new http://192.0.2.2 --cluster",
        "remora migrate compare --old http://192.0.2.1 --new http://192.0.2.2 manifests/ -o json > comparison.json",
    ),
    "migrate switch": (
        "remora migrate switch --dry-run",
        "remora migrate switch --comparison comparison.json --watch 10m",
        "remora migrate switch --back",
    ),
    "doctor": ("remora doctor", "remora doctor --no-cluster", "remora doctor --context production -o json"),
    "completion": (
        "source <(remora completion bash)                                # in ~/.bashrc",
        "source <(remora completion zsh)                                 # in ~/.zshrc, after compinit",
        "remora completion fish > ~/.config/fish/completions/remora.fish",
    ),
    "controller": (
        "remora controller --kubeconfig ~/.kube/config --http-port 8080 --https-port 8443 --state-dir /tmp/remora",
        "remora controller --shadow --ingress-class nginx",
    ),
    "proxy": ("remora proxy --state-dir /run/remora   # beside a controller with --external-proxy and the same directory",),
    "webhook": (
        "remora webhook --validating-webhook=:8443 --validating-webhook-certificate=c.pem --validating-webhook-key=k.pem",
    ),
}
"""By command. They are held to the commands' options by a test."""

OPTIONS = "Options"
OPTION_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Which cluster": ("profile", "controller", "kubeconfig", "context", "flags", "cluster", "filename"),
    "How it is shown": ("output", "watch", "once", "interval", "colour", "timestamps", "quiet"),
    "Also": ("help",),
}
"""Under which heading a command's help lists options that several have; its own come first."""


def examples_text(name: str) -> str:
    """The block of a command's examples, "" if it has none."""
    found = EXAMPLES.get(name, ())
    return "\n".join(["Examples:", *(f"  {line}" for line in found)]) if found else ""


def add_examples(app: typer.Typer, path: tuple[str, ...] = ()) -> None:
    """Ends the help of every command with its examples, and groups its options."""
    for info in app.registered_commands:
        assert info.callback is not None
        info.cls = Grouped
        name = info.name or info.callback.__name__.replace("_", "-")
        if text := examples_text(" ".join((*path, name))):
            # The first line keeps the lines below from being joined.
            info.epilog = f"\b\n{text}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        add_examples(group.typer_instance, (*path, group.name or ""))


_FOREIGN_WORDS = "Value error, "
"""How the library that options are converted with begins what it says of a value."""


class Grouped(TyperCommand):
    """Lists options under headings."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Reads the words of the command line."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(_FOREIGN_WORDS)
            raise

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes arguments, then every option once."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], OPTIONS: [], **{name: [] for name in OPTION_GROUPS}}
        for one in self.get_params(ctx):
            if record := one.get_help_record(ctx):
                groups["Arguments" if one.param_type_name == "argument" else _group(one.name or "")].append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _group(name: str) -> str:
    return next((heading for heading, names in OPTION_GROUPS.items() if name in names), OPTIONS)


_ELSEWHERE = {"start": "up", "stop": "down"}
"""What other tools call our commands, where no spelling leads there."""


class Sections(TyperGroup):
    """Lists commands under headings."""

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """Finds the command that the words begin with."""
        if args and (meant := _ELSEWHERE.get(args[0])):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes every command once; one that no section names comes last."""
        for heading, names in _sections(list(self.commands)):
            rows = [(name, self.commands[name].get_short_help_str(formatter.width - 18)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)


def _sections(commands: list[str]) -> Iterator[tuple[str, list[str]]]:
    left = list(commands)
    for heading, names in SECTIONS.items():
        found = [name for name in names if name in left]
        left = [name for name in left if name not in found]
        if found:
            yield heading, found
    if left:
        yield "Others", left
