"""Deciding how a profile is started: which profile, which ports, which entry. Starts nothing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from remora.cluster.addresses import Network
from remora.cluster.entry import LOCALHOST, Entry, Wish, decide_entry, decide_port
from remora.cluster.lock import AddressesTaken, claimed_indexes, running_as
from remora.cluster.ports import find_obstacle, free_port
from remora.cluster.profile import Profile, make_profile, renumbered, write_profile
from remora.cluster.services.leftover import end_leftovers
from remora.core.errors import UsageError

API_PORT = 6443
"""Where people expect a Kubernetes API server; for the default profile."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that were asked for; 0 leaves the choice."""

    api: int = 0
    http: int = 0
    https: int = 0


class Start(msgspec.Struct, frozen=True):
    """A profile with everything decided."""

    profile: Profile
    entry: Entry
    may_bind_low_ports: bool
    """This user may listen on ports below 1024."""
    notes: tuple[str, ...]
    """What the person should know about the choice of ports."""


@contextmanager
def starting(name: str, ports: Ports) -> Iterator[Start]:
    """Holds the profile for this process, with ports chosen and kept for the next time.

    Raises:
        UsageError: it runs already, or a port that was asked for cannot be had.
        ConfigurationError: its file cannot be read.
    """
    with ExitStack() as stack:
        profile = _held(stack, name)
        end_leftovers(profile.services)
        start = decide_start(profile, ports)
        write_profile(start.profile)
        yield start


def _held(stack: ExitStack, name: str) -> Profile:
    """The profile, held until the stack ends. If it never ran, whoever chose the same addresses before has them."""
    profile = make_profile(name, claimed=claimed_indexes())
    while True:
        try:
            stack.enter_context(running_as(profile))
        except AddressesTaken:
            if profile.choices.api_port:
                raise
            profile = renumbered(profile, claimed=claimed_indexes())
        else:
            return profile


def decide_start(profile: Profile, ports: Ports) -> Start:
    """The profile's ports and entry.

    Raises:
        UsageError: a port that was asked for cannot be had.
    """
    before = profile.choices
    usual = (API_PORT,) if profile.is_default else ()
    api_wish = Wish("--api-port", ports.api, before.api_port, usual)
    api_port, notes = decide_port(LOCALHOST, api_wish, find_obstacle=find_obstacle, free_port=free_port)
    wishes = (
        Wish("--http-port", ports.http, before.http_port, (80, 8080)),
        Wish("--https-port", ports.https, before.https_port, (443, 8443)),
    )
    address = entry_address(profile, ports)
    entry = decide_entry(address, wishes, find_obstacle=find_obstacle, free_port=free_port)
    if entry.address == LOCALHOST and api_port in (entry.http_port, entry.https_port):
        raise UsageError(f"port {api_port} cannot be for both the API server and the entry; choose another with --api-port")
    choices = msgspec.structs.replace(
        before, api_port=api_port, http_port=entry.http_port, https_port=entry.https_port, entry_address=address
    )
    obstacle = find_obstacle(Network(profile.index).node, 80)
    return Start(
        profile=msgspec.structs.replace(profile, choices=choices),
        entry=entry,
        may_bind_low_ports=obstacle is None or obstacle.in_use,
        notes=notes + entry.notes,
    )


def entry_address(profile: Profile, ports: Ports) -> str:
    """The default profile answers where `*.localhost` leads; another one too once its ports were chosen by a person."""
    if profile.choices.entry_address == LOCALHOST or profile.is_default or ports.http or ports.https:
        return LOCALHOST
    return str(Network(profile.index).load_balancers[1])
