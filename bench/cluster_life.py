"""`remora up` as a person uses it: how soon kubectl is answered, what it costs when idle, how soon an application serves."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measuring import Peer, cpu

REMORA = Path(sys.executable).parent / "remora"
PROFILE = "bench"
HOST = "bench.localhost"
PATIENCE = 60.0
QUIET = 20.0
"""Seconds over which an idle cluster is looked at."""

APPLICATION = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: bench}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: bench}}}}
  template:
    metadata: {{labels: {{app: bench}}}}
    spec:
      containers:
        - name: main
          image: {image}
          args: {args}
          ports: [{{name: http, containerPort: {port}}}]
          readinessProbe: {{httpGet: {{path: {health}, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: bench}}
spec:
  selector: {{app: bench}}
  ports: [{{port: 80, targetPort: http}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: bench
  annotations: {{nginx.ingress.kubernetes.io/affinity: cookie}}
spec:
  ingressClassName: nginx
  rules:
    - host: {host}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: bench, port: {{number: 80}}}}}}}}]}}
"""
ECHO = APPLICATION.format(
    host=HOST, image="remora/echo:1", args='["-text", "hello", "-listen", ":5678"]', port=5678, health="/"
)
FASTAPI = APPLICATION.format(host=HOST, image="remora/sticky-session:1", args="[]", port=8080, health="/health")


class Life:
    """A cluster in a home of its own."""

    def __init__(self, home: Path, *, http_port: int) -> None:
        self.home = home
        self.http_port = http_port
        self.kubeconfig = home / PROFILE / "kubeconfig"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REMORA_")}
        self._environment = {**kept, "REMORA_HOME": str(home), "HOME": str(home), "KUBECONFIG": str(self.kubeconfig)}
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def up(self) -> Iterator[float]:
        """Gives the seconds until kubectl was answered."""
        self.kubeconfig.unlink(missing_ok=True)
        began = time.perf_counter()
        command = [str(REMORA), "up", "--profile", PROFILE, "--http-port", str(self.http_port)]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=self._environment, stdout=quiet, stderr=quiet, start_new_session=True)
        try:
            self._until(lambda: self.kubeconfig.exists() and self.kubectl("get", "nodes") is not None)
            yield time.perf_counter() - began
        finally:
            self._process.terminate()
            self._process.wait(PATIENCE)

    def kubectl(self, *arguments: str, stdin: str = "") -> str | None:
        """What it said, None if it failed."""
        program = shutil.which("kubectl")
        if program is None:
            sys.exit("kubectl is missing: what it is answered cannot be measured")
        done = subprocess.run(
            [program, *arguments], env=self._environment, input=stdin, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    def ready(self) -> None:
        """Waits for the Ingress controller, which says 404 for what it does not know."""
        self._until(lambda: self._asked() == 404)

    def serves(self, manifests: str) -> float:
        """Seconds from `kubectl apply` until three replicas are ready and the Ingress gave an answer with its cookie."""
        began = time.perf_counter()
        if self.kubectl("apply", "-f", "-", stdin=manifests) is None:
            sys.exit("kubectl apply failed")
        self._until(lambda: self._asked() == 200)
        wanted = ("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/bench", f"--timeout={PATIENCE:.0f}s")
        if self.kubectl(*wanted) is None:
            sys.exit("the replicas did not become ready")
        seconds = time.perf_counter() - began
        self.kubectl("delete", "-f", "-", "--wait", stdin=manifests)
        self._until(lambda: self._asked() == 404 and not (self.kubectl("get", "pods", "-o", "name") or "").strip())
        return seconds

    def idle(self) -> dict[str, tuple[float, float]]:
        """Share of one core, and MB of memory that are theirs alone or their share, by program."""
        assert self._process is not None
        time.sleep(5)
        found = dict(_family(self._process.pid, self.home))
        before = {pid: cpu(Peer(0, (pid,))) for pid in found}
        time.sleep(QUIET)
        costs: dict[str, tuple[float, float]] = {}
        for pid, name in found.items():
            share, memory = costs.get(name, (0.0, 0.0))
            costs[name] = (share + (cpu(Peer(0, (pid,))) - before[pid]) / QUIET, memory + _megabytes(pid))
        return costs

    def _asked(self) -> int:
        """The status of the answer; 0 without one, or without the cookie that a session needs."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/", headers={"Host": HOST})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - ours
                return int(answer.status) if answer.headers.get("Set-Cookie") else 0
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                sys.exit(f"nothing came of it in {PATIENCE:.0f} s")
            time.sleep(0.01)


def _family(pid: int, home: Path) -> Iterator[tuple[int, str]]:
    """The cluster's process, what it has started, and the proxies, which are daemons and name their directory."""
    yield pid, "remora up"
    kin = set(_descendants(pid))
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == pid:
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(folder.name) in kin or str(home) in command:
            is_proxy, is_controller = "haproxy" in command.partition(" ")[0], "remora controller" in command
            yield int(folder.name), "HAProxy" if is_proxy else "Ingress controller" if is_controller else "others"


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from _descendants(child)


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
