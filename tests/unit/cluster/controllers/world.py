"""A registry of plain values and a kubelet of a few lines, to let decisions follow on each other without a cluster."""

from itertools import count

from remora.cluster.controllers.actions import Action, Create, Delete, Update
from remora.cluster.objects import Object, is_terminating

_numbers = count(1)
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-05-01T11:00:00Z"}


class World:
    """Objects by resource and name, as actions leave them. What an action may not do is asserted."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {}

    def of(self, resource: str) -> list[Object]:
        found = self.objects.get(resource, {})
        return [found[name] for name in sorted(found)]

    @property
    def pods(self) -> list[Object]:
        return self.of("pods")

    def apply(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, Create):
                self._create(action)
            elif isinstance(action, Update):
                self._update(action)
            elif isinstance(action, Delete):
                self._delete(action)

    def _create(self, action: Create) -> None:
        number = next(_numbers)
        metadata = action.object["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{number:05}"
        known = self.objects.setdefault(action.resource, {})
        assert name not in known, f"{name} would be there twice"
        stamp = f"2026-05-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        metadata = {**metadata, "name": name, "uid": f"uid-{number}", "creationTimestamp": stamp, "generation": 1}
        known[name] = {**action.object, "metadata": metadata, "status": {"phase": "Pending"}}

    def _update(self, action: Update) -> None:
        known = self.objects.setdefault(action.resource, {})
        name = action.object["metadata"]["name"]
        before = known.get(name, action.object)
        known[name] = (
            {**before, "status": action.object["status"]}
            if action.subresource == "status"
            else {**action.object, "status": before.get("status", {})}
        )
        self._drop_done(action.resource, name)

    def _delete(self, action: Delete) -> None:
        known = self.objects[action.resource]
        found = known.get(action.name)
        if found is None or found["metadata"]["uid"] != action.uid:
            return
        marks = {"deletionTimestamp": "2026-05-01T12:00:00Z", "deletionGracePeriodSeconds": 30}
        if action.resource == "pods":
            known[action.name] = {**found, "metadata": {**found["metadata"], **marks}}
        else:
            del known[action.name]

    def _drop_done(self, resource: str, name: str) -> None:
        found = self.objects[resource][name]
        is_stopped = found["metadata"].get("deletionGracePeriodSeconds") == 0
        if is_stopped and not found["metadata"].get("finalizers"):
            del self.objects[resource][name]

    def start(self, name: str) -> None:
        """The kubelet makes a pod ready."""
        self._change(name, {"phase": "Running", "podIP": "127.0.0.1", "conditions": [READY]})

    def end(self, name: str, phase: str, *, at: str = "2026-05-01T12:00:00Z", code: int = 1) -> None:
        """A pod's process ends by itself."""
        terminated = {"exitCode": code if phase == "Failed" else 0, "finishedAt": at}
        self._change(name, {"phase": phase, "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]})

    def stop(self, name: str) -> None:
        """The kubelet has ended a pod that is being deleted."""
        known = self.objects["pods"]
        known[name] = {**known[name], "metadata": {**known[name]["metadata"], "deletionGracePeriodSeconds": 0}}
        self._drop_done("pods", name)

    def settle(self) -> None:
        """The kubelet does everything that it has to do."""
        for pod in self.pods:
            name = pod["metadata"]["name"]
            if is_terminating(pod):
                self.stop(name)
            elif pod["status"]["phase"] == "Pending":
                self.start(name)

    def _change(self, name: str, status: Object) -> None:
        known = self.objects["pods"]
        known[name] = {**known[name], "status": status}
