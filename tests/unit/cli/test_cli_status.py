"""Lines of `remora status`."""

from typing import Any

from remora.cli.render.status import status_lines
from remora.cli.status import PodLine, Status, find_entry, pod_line, service_line


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": "a"}, "spec": {"containers": [{"name": "c"}]}, "status": status}


def test_a_running_pod_shows_ready_containers_restarts_and_address() -> None:
    line = pod_line(
        pod(
            phase="Running",
            podIP="127.64.0.1",
            containerStatuses=[{"ready": True, "restartCount": 2, "state": {"running": {}}}],
        )
    )
    assert (line.ready, line.state, line.restarts, line.ip) == ("1/1", "Running", 2, "127.64.0.1")


def test_why_a_container_waits_is_the_state_of_its_pod() -> None:
    waiting = [{"ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}}]
    assert pod_line(pod(phase="Pending", containerStatuses=waiting)).state == "ErrImagePull"


def test_a_deleted_pod_is_terminating() -> None:
    found = pod(phase="Running")
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_line(found).state == "Terminating"


def test_what_keeps_a_service_from_listening_is_shown() -> None:
    condition = {"type": "remora.io/Listening", "status": "False", "message": "127.0.0.1:80 is in use"}
    metadata = {"namespace": "default", "name": "web"}
    line = service_line({"metadata": metadata, "spec": {"clusterIP": "None"}, "status": {"conditions": [condition]}})
    assert line.problem == "127.0.0.1:80 is in use"


def test_the_entry_is_the_controllers_service() -> None:
    service = {
        "metadata": {"namespace": "ingress-remora", "name": "remora-controller"},
        "spec": {"clusterIP": "127.64.128.2", "ports": [{"name": "http", "port": 8080}, {"name": "https", "port": 8443}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
    }
    assert find_entry([service]) == "http://127.0.0.1:8080"
    assert find_entry([]) == ""


def test_what_does_not_run_is_red_and_what_has_ended_faint() -> None:
    states = {"Running": "32", "CrashLoopBackOff": "31", "OOMKilled": "31", "Completed": "2", "ContainerCreating": "33"}
    pods = tuple(PodLine("default", f"web-{name}", "0/1", name, 0, "") for name in states)
    lines = list(status_lines(Status(profile="p", running=True, pods=pods), None, True, now=0))
    for name, colour in states.items():
        (line,) = [line for line in lines if f"web-{name} " in line]
        assert f"\033[{colour}m{name}\033[0m" in line


def test_a_cluster_that_is_down_is_one_line_while_it_is_watched() -> None:
    assert list(status_lines(Status(profile="p", running=False, directory="/d"), 80, False, now=0)) == [
        "Profile p does not run; its state is in /d."
    ]


def test_pods_can_be_told_apart_on_a_narrow_terminal() -> None:
    pods = tuple(
        PodLine("default", f"sticky-d-s76cbdlz6t-{end}", "1/1", "Running", 0, "127.66.0.2") for end in ("qctlq", "wkxxl")
    )
    lines = list(status_lines(Status(profile="p", running=True, pods=pods), 70, False, now=0))
    assert [line.split()[1][-5:] for line in lines if "1/1" in line] == ["qctlq", "wkxxl"]
    assert max(map(len, lines)) <= 70
