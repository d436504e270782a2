"""A profile: one local cluster's name, place on disk and numbers. Several can run side by side.

Everything a cluster keeps lies in one directory, `$REMORA_HOME/NAME` (by default `$XDG_STATE_HOME/remora/NAME`, which is
`~/.local/state/remora/NAME`). `profile.json` holds what must not change between two starts.
"""

import os
import re
import shutil
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from remora.core.errors import ConfigurationError, UsageError

DEFAULT = "default"
INDEXES = range(151)
"""Numbers that a profile can have; its addresses follow from it (`addresses.Network`)."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
_SOCKET_DIRECTORY = re.compile(r"[A-Za-z0-9_./+=~-]{1,70}")
"""Where HAProxy can have sockets: their path ends at 107 bytes (unix(7)), it appends to the name while it binds, and it reads
`$`, commas and blanks in an address as something else."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen when the profile was made or last started; 0 is "not chosen yet"."""

    index: int
    api_port: int = 0
    http_port: int = 0
    https_port: int = 0
    entry_address: str = ""


class Profile(msgspec.Struct, frozen=True):
    """One cluster on this machine."""

    name: str
    directory: Path
    choices: Choices
    damage: str = ""
    """Why `profile.json` cannot be read, and what to do; then only its places are known, and `choices` say nothing."""

    @property
    def index(self) -> int:
        return self.choices.index

    @property
    def store(self) -> Path:
        return self.directory / "store.sqlite"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def images(self) -> Path:
        return self.directory / "images.json"

    @property
    def built_images(self) -> Path:
        """The folders of images that were built, and their virtual environments."""
        return self.directory / "images"

    @property
    def pods(self) -> Path:
        return self.directory / "pods"

    @property
    def volumes(self) -> Path:
        """The folders of PersistentVolumes."""
        return self.directory / "volumes"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def log(self) -> Path:
        """What a detached cluster says."""
        return self.directory / "cluster.log"

    @property
    def services(self) -> Path:
        """Configuration and sockets of the layer-4 proxy."""
        short = self.directory / "services"
        if _SOCKET_DIRECTORY.fullmatch(str(short)):
            return short
        return Path("/tmp") / f"remora-{os.getuid()}-{zlib.crc32(str(self.directory).encode()):08x}"  # noqa: S108 - made private by its user

    @property
    def lock(self) -> Path:
        return self.directory / "cluster.lock"

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT

    @property
    def option(self) -> str:
        """What to add to a command so that it means this profile."""
        return "" if self.is_default else f" --profile {self.name}"


def home() -> Path:
    """The directory that holds all profiles of this user."""
    if given := os.environ.get("REMORA_HOME"):
        return Path(given).absolute()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state).absolute() / "remora"


def find_profile(name: str) -> Profile | None:
    """The profile as it is on disk, or None.

    Raises:
        UsageError: the name cannot be one.
        ConfigurationError: its file cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a profile's name: use up to 30 lower-case letters, digits and hyphens")
    directory = home() / name
    try:
        choices = msgspec.json.decode((directory / "profile.json").read_bytes(), type=Choices)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        why = f"{directory / 'profile.json'} cannot be read: {error}"
        raise ConfigurationError(f"{why}. To begin anew without what it kept, remove the folder {directory}") from error
    return Profile(name, directory, choices)


def find_place(name: str) -> Profile | None:
    """As `find_profile`, for what needs no numbers: a profile whose file cannot be read is found as a damaged one.

    Raises:
        UsageError: the name cannot be one.
    """
    try:
        return find_profile(name)
    except ConfigurationError as error:
        return Profile(name, home() / name, Choices(index=0), damage=str(error))


def profiles() -> list[Profile]:
    """All profiles of this user, by name, damaged ones too."""
    return [profile for profile in map(find_place, _names()) if profile]


def make_profile(name: str, *, claimed: Collection[int]) -> Profile:
    """The profile, new on disk if it does not exist; `claimed` are the numbers of clusters that run now, whoever's.

    Raises:
        UsageError: the name cannot be one, or all numbers are taken.
    """
    if existing := find_profile(name):
        return existing
    taken = _indexes() | set(claimed)
    profile = Profile(name, home() / name, Choices(index=_free_index(name, taken)))
    profile.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_profile(profile)
    return profile


def renumbered(profile: Profile, *, claimed: Collection[int]) -> Profile:
    """The profile with another number, on disk too.

    Raises:
        UsageError: all numbers are taken.
    """
    index = _free_index(profile.name, _indexes() | set(claimed))
    profile = msgspec.structs.replace(profile, choices=msgspec.structs.replace(profile.choices, index=index))
    write_profile(profile)
    return profile


def write_profile(profile: Profile) -> None:
    """Replaces `profile.json` in one step."""
    target = profile.directory / "profile.json"
    # Another process may write it at the same moment.
    draft = target.with_suffix(f".new-{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(profile.choices)) + b"\n")
    draft.replace(target)


def delete_profile(profile: Profile) -> None:
    """Removes all that the profile keeps."""
    for directory in (profile.services, profile.directory):
        shutil.rmtree(directory, ignore_errors=True)


def _names() -> list[str]:
    return sorted(entry.name for entry in home().iterdir() if _NAME.fullmatch(entry.name)) if home().is_dir() else []


def _indexes() -> set[int]:
    """The numbers of all profiles that can be read; one that cannot be does not start either."""
    found: set[int] = set()
    for name in _names():
        with suppress(ConfigurationError):
            if profile := find_profile(name):
                found.add(profile.index)
    return found


def _free_index(name: str, taken: Collection[int]) -> int:
    """The lowest for the usual home; elsewhere one that follows from the place, so that unrelated homes rarely meet."""
    start = zlib.crc32(str(home()).encode()) % len(INDEXES) if os.environ.get("REMORA_HOME") else 0
    for offset in INDEXES:
        index = (start + offset) % len(INDEXES)
        if index not in taken:
            return index
    raise UsageError(f"there are {len(INDEXES)} profiles already; remove one with `remora delete --profile NAME`")
