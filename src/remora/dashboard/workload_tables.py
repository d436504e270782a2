"""Rows of the workload pages as elements that the frame keeps up to date; what has not changed is not rendered again."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import msgspec

from remora.dashboard.fragments import Element, Leaf, Shell, element_id
from remora.dashboard.site import Site, shell
from remora.dashboard.workload_objects import Condition
from remora.dashboard.workload_others import EventRow
from remora.dashboard.workloads import NamespaceRows, PodRow, WorkloadRow

EVENT_HEADS = ("Seen", "Type", "Reason", "About", "Message", "From")


class Leaves:
    """Makes leaves from the macros of one template, and keeps those of the last time."""

    def __init__(self, site: Site) -> None:
        self._macros: Any = site.templates.get_template("workload_leaves.html").module
        self._before: dict[Hashable, Leaf] = {}
        self._now: dict[Hashable, Leaf] = {}

    def begin(self) -> None:
        """A page is made anew: what it does not ask for now is forgotten the next time."""
        self._before, self._now = self._now, {}

    def leaf(self, macro: str, id: str, *values: Hashable) -> Leaf:
        """The macro's element; the values are frozen, so that equal ones need no rendering."""
        key = (macro, id, values)
        found = self._now.get(key) or self._before.get(key)
        if found is None:
            found = Leaf(id, str(getattr(self._macros, macro)(id, *values)).strip())
        self._now[key] = found
        return found

    def table(self, id: str, head: Leaf, rows: Sequence[Leaf], *, empty: str, columns: int, label: str) -> Shell:
        """A table that scrolls by itself where it is too wide."""
        body = rows or (self.leaf("empty_row", f"{id}-none", empty, columns),)
        inner = shell("table", f"{id}-table", (head, shell("tbody", f"{id}-rows", body)))
        return shell("div", id, (inner,), class_="scroll stacks", tabindex="0", role="region", aria_label=label)

    def titled(self, macro: str, id: str, heads: Sequence[str], rows: Iterable[tuple[str, Any]], *, empty: str) -> Shell:
        """A table of rows, each with what tells it from the others."""
        head = self.leaf("table_head", f"{id}-head", tuple(heads))
        leaves = [self.leaf(macro, element_id(id, key), row) for key, row in rows]
        return self.table(id, head, leaves, empty=empty, columns=len(heads), label=f"Table: {heads[0]}")

    def pods(self, id: str, rows: Sequence[PodRow], *, empty: str = "No pods.") -> Shell:
        """Pods as `kubectl get pods -o wide` has them."""
        head = self.leaf("pods_head", f"{id}-head")
        leaves = [self.leaf("pod_row", element_id("pod", row.name.namespace, row.name.name, row.uid), row) for row in rows]
        return self.table(id, head, leaves, empty=empty, columns=8, label="Table: Pods")

    def events(self, id: str, rows: Sequence[EventRow]) -> Shell:
        """Events about one thing and what it made, newest first."""
        return self.titled("own_event_row", id, EVENT_HEADS, [(row.uid, row) for row in rows], empty="No Events.")

    def conditions(self, id: str, rows: Sequence[Condition]) -> Shell:
        """Conditions as the object's status has them."""
        heads = ("Condition", "Status", "Reason", "Message", "Changed")
        return self.titled("condition_row", id, heads, [(row.type, row) for row in rows], empty="No conditions.")

    def notices(self, id: str, trouble: Sequence[tuple[str, str]]) -> Shell:
        """What is not known, and why."""
        by_reason: dict[str, list[str]] = {}
        for plural, why in trouble:
            by_reason.setdefault(why, []).append(plural)
        leaves = [
            self.leaf("notice", element_id(id, why), "bad", f"{', '.join(plurals)} may be out of date or missing: {why}")
            for why, plurals in by_reason.items()
        ]
        return shell("div", id, leaves)


def namespace_section(leaves: Leaves, rows: NamespaceRows) -> Element:
    """A namespace with its workloads and the pods that nobody looks after."""
    id = element_id("ns", rows.name)
    trouble = sum(1 for row in rows.workloads if row.tone.value == "bad")
    trouble += sum(1 for pod in rows.bare if pod.state.tone.value == "bad")
    pods = sum(len(row.pods) + row.unlisted for row in rows.workloads) + len(rows.bare)
    head = leaves.leaf("namespace_head", f"{id}-head", rows.name, len(rows.workloads), pods, trouble)
    children: list[Element] = [head, *(_workload(leaves, row) for row in rows.workloads)]
    if rows.bare:
        children.append(_folded(leaves, f"{id}-bare", rows.bare, "Pods that nobody looks after: ", is_open=True))
    return shell("section", id, children, class_="card flush namespace")


def _workload(leaves: Leaves, row: WorkloadRow) -> Element:
    id = element_id("w", row.plural, row.name.namespace, row.name.name, row.uid)
    head = leaves.leaf("workload_head", f"{id}-head", _without_pods(row))
    children: list[Element] = [head]
    if row.pods:
        children.append(_folded(leaves, f"{id}-pods", row.pods, "", is_open=False))
    if row.unlisted:
        children.append(leaves.leaf("more_pods", f"{id}-more", row))
    return shell("article", id, children, class_="workload")


def _folded(leaves: Leaves, id: str, pods: Sequence[PodRow], what: str, *, is_open: bool) -> Element:
    counts = Counter((row.state.reason, row.state.tone) for row in pods)
    told = tuple((reason, tone, count) for (reason, tone), count in counts.items())
    summary = leaves.leaf("pods_summary", f"{id}-summary", what, told)
    return shell("details", id, (summary, leaves.pods(f"{id}-list", pods)), **({"open": "open"} if is_open else {}))


def _without_pods(row: WorkloadRow) -> WorkloadRow:
    """What the line of a workload shows, so that a pod's change does not change the line."""
    return msgspec.structs.replace(row, pods=())
