"""What docs/walkthrough.md has beyond the README, typed from the page: the older form, TLS, rewrites, passwords."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.terminal import ROOT, Terminal, wait_for

pytestmark = [pytest.mark.kubectl, pytest.mark.timeout(200)]

PAGE = (ROOT / "docs" / "walkthrough.md").read_text()
EXAMPLE = ROOT / "examples" / "sticky-session"
SEEN = {
    "-D cookies.txt": r'"pod": "echo-headers-',
    "-b cookies.txt": r'"cookie": "route=',
    "http://$ADDRESS/   ": r"^HTTP/1.1 308 [^\n]*\n(?:.*\n)*location: https://sticky\.localhost",
    "--cacert": r"^HTTP/2 200 (?:.*\n)*set-cookie: [^\n]*; Secure(?:.*\n)*strict-transport-security:",
    "/v1/users": r'"path": "/users\?id=7"',
    "# 401": r"^401$",
    "# 200": r"^200$",
    "remora_requests_total": r'code="401",host="api.localhost"',
}
"""What the lines that ask something are to show, by a piece of the line."""


def blocks(heading: str, language: str = "sh") -> list[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


class Page:
    """Lines of the page, typed into a shell at a place where `examples` is."""

    def __init__(self, cluster: Terminal, place: Path) -> None:
        self._place = place
        (place / "examples").symlink_to(ROOT / "examples")
        self.environment = cluster.environment | {
            "KUBECONFIG": str(cluster.home / "test" / "kubeconfig"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "REMORA_PROFILE": "test",
        }

    def ask(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            env=self.environment,
            cwd=self._place,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or "curl" in line, f"{line}: {done.stderr}{done.stdout}"
        return done.stdout.replace("\r", "")

    def _shows(self, line: str, wanted: str) -> bool:
        return re.search(wanted, self.ask(line), re.MULTILINE) is not None

    def type_section(self, heading: str, *, until: str = "") -> int:
        """How many lines were typed; those that ask are typed until they show what they are to show."""
        lines = "\n".join(blocks(heading)).replace("\\\n", "").splitlines()
        if until:
            lines = lines[: next(number for number, line in enumerate(lines) if line.startswith(until))]
        for line in lines:
            if "curl" in line and (wanted := next((shown for piece, shown in SEEN.items() if piece in line), "")):
                wait_for(partial(self._shows, line, wanted), f"answer to {line}")
            else:
                self.ask(line)
        return len(lines)


def test_the_page_can_be_typed_as_it_stands(cluster: Terminal, tmp_path: Path) -> None:
    page = Page(cluster, tmp_path)
    names = ("deployment.yml", "service.yml", "ingress-sticky.yml")
    cluster.kubectl("apply", *(word for name in names for word in ("-f", str(EXAMPLE / name))))
    address = "kubectl get ingress sticky -o jsonpath='{.status.loadBalancer.ingress[0].ip}'"
    page.environment["ADDRESS"] = wait_for(lambda: page.ask(address), "address of the Ingress")
    assert page.type_section("The older form") == 5
    assert page.type_section("TLS") == 5
    (manifest,) = blocks("Rewrites, passwords, metrics", "yaml")
    (tmp_path / "api.yml").write_text(manifest)
    assert page.type_section("Rewrites, passwords, metrics", until="remora check") == 7
