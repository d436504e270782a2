"""What a person needs once the cluster runs."""

import shlex
import sys

import msgspec

from remora.cli.render import say
from remora.cluster.entry import Entry
from remora.cluster.profile import Profile
from remora.cluster.start import Start


class Started(msgspec.Struct, frozen=True):
    """A cluster that runs, as far as the person is concerned."""

    profile: str
    option: str
    """What selects the profile on the command line, with a space before it; "" for the default one."""
    kubeconfig: str
    server: str
    entry: str

    @classmethod
    def of(cls, start: Start, *, server: str) -> "Started":
        """From a cluster in this process."""
        return cls._from(start.profile, start.entry, server)

    @classmethod
    def read(cls, profile: Profile) -> "Started":
        """From a profile that another process runs."""
        return cls._from(profile, entry_of(profile), f"https://127.0.0.1:{profile.choices.api_port}")

    @classmethod
    def _from(cls, profile: Profile, entry: Entry, server: str) -> "Started":
        return cls(profile.name, profile.option, str(profile.kubeconfig), server, entry.url)


def entry_of(profile: Profile) -> Entry:
    """The entry that was chosen when the profile was started."""
    return Entry(profile.choices.entry_address, profile.choices.http_port, profile.choices.https_port)


def show_started(started: Started, *, detached: bool) -> None:
    """The panel after the start, on stderr."""
    lines = "\n".join(what_next(started, detached=detached))
    title = f"Remora is up: profile {started.profile}"
    if not sys.stderr.isatty():
        say(f"{title}\n{lines}")
        return
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    # A path that is broken into two lines cannot be copied.
    Console(stderr=True, soft_wrap=True).print(Panel(Text(lines), title=title, border_style="cyan", expand=False))


def what_next(started: Started, *, detached: bool) -> list[str]:
    """Where things are and what to type next."""
    end = f"remora down{started.option}" if detached else "Ctrl-C, or remora down" + started.option
    return [
        f"API server  {started.server}",
        f"entry       {started.entry}  (Ingress hosts are answered here)",
        "",
        f"export KUBECONFIG={shlex.quote(started.kubeconfig)}",
        "kubectl get pods -A",
        f"remora image add{started.option} NAME --workdir DIR -- COMMAND ...",
        "kubectl create deployment web --image=NAME",
        "kubectl expose deployment web --type=LoadBalancer --port=8080",
        f"remora service{started.option} web",
        f"remora status{started.option}",
        "remora dashboard",
        "",
        f"It ends with {end}; its state stays.",
    ]
