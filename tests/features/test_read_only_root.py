"""The controller as the manifests run it: no root, on a root file system that is read-only but for two directories."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.features.test_controller_end_to_end import STICKY, Bench, _ingress, answers, bench

__all__ = ["bench"]

USER = 65532
_ROOM = """#!/bin/sh
exec unshare --mount sh -c '
set -e
mount --make-rprivate /
for place in @state @tmp; do mount --bind $place $place; done
mount -o remount,bind,ro /
if touch /etc/remora-was-here 2>/dev/null; then exit 9; fi
export TMPDIR=@tmp PYTHONDONTWRITEBYTECODE=1
exec setpriv --reuid=@user --regid=@user --clear-groups --no-new-privs @python "$@"
' room "$@"
"""


def _can_have_rooms() -> bool:
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    script = "mount --make-rprivate / && mount -o remount,bind,ro / && ! touch /etc/remora-was-here 2>/dev/null"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, timeout=20, check=False)
    if done.returncode != 0:
        return False
    python = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", sys.executable, "-c", "import remora"]
    return subprocess.run(python, capture_output=True, timeout=20, check=False).returncode == 0


@pytest.mark.skipif(not _can_have_rooms(), reason="this user may not make a mount namespace, or others may not read Python")
async def test_the_state_and_tmp_are_all_that_is_written_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # pytest's own directories are closed to others.
    temporary = Path(tempfile.mkdtemp(prefix="remora-"))
    state, room = Path(bench.settings.state_directory), tmp_path / "python"
    for place in (state, temporary):
        shutil.chown(place, USER, USER)
    script = _ROOM
    for word, value in {"state": state, "tmp": temporary, "user": USER, "python": sys.executable}.items():
        script = script.replace(f"@{word}", str(value))
    room.write_text(script)
    room.chmod(0o755)
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    monkeypatch.setattr(sys, "executable", str(room))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        (master,) = (state / "haproxy.pid").read_text().split()
        assert f"\nUid:\t{USER}\t" in Path(f"/proc/{master}/status").read_text()
    shutil.rmtree(temporary)
