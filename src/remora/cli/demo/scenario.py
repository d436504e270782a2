"""The story that the demonstration tells, chapter by chapter. Each chapter checks its statements while it shows them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from remora.cli.demo.screen import Screen, Statement, Tally
from remora.cli.demo.visitor import Answer, Visitor
from remora.cli.demo.workload import Workload, wait_for

PATIENCE = 30.0
"""Seconds that the cluster may take for one change."""
CROWD = 150
"""Visitors enough for a share to be told from chance."""


class Story:
    """What the chapters share: the application, who visits it, and what was seen so far."""

    def __init__(self, workload: Workload, entry: str, screen: Screen) -> None:
        self.workload = workload
        self.entry = entry
        self.screen = screen
        self.holds = True
        self.failed_requests = 0
        self.pods: dict[str, str] = {}
        """Names of all pods ever seen, by the id with which they answer."""
        self._counts: dict[str, Counter[str]] = {}
        self._shown: list[Visitor] = []

    def state(self, text: str, seen: str, *, holds: bool) -> None:
        """Checks one statement and shows it."""
        self.holds = self.holds and holds
        self.screen.statement(Statement(text, seen, holds))

    def settle(self, count: int) -> dict[str, str]:
        """Waits for so many pods."""
        found = self.workload.wait_pods(count, within=PATIENCE)
        self.pods |= found
        return found

    def show(self, visitors: Iterable[Visitor]) -> None:
        """Makes these the rows of the table, with nothing counted."""
        self._shown = list(visitors)
        self._counts = {visitor.name: Counter() for visitor in self._shown}
        self._refresh()

    def compare(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Shows where many visitors were and where they are now."""
        who = f"{len(before)} clients"
        counted = ((f"{who} on 3 pods", before), (f"{who} on 5 pods", after))
        rows = [Tally(title, Counter(map(self.name, pods)), "") for title, pods in counted]
        self.screen.tallies([self.name(pod) for pod in dict.fromkeys((*before, *after))], rows)

    def ask(self, visitor: Visitor) -> Answer:
        """One request, counted and shown."""
        answer = visitor.ask()
        if answer.status != 200:
            self.failed_requests += 1
        elif visitor.name in self._counts:
            self._counts[visitor.name][self.name(answer.pod)] += 1
            self._refresh()
        return answer

    def name(self, pod: str) -> str:
        """A pod's name, or its id while the name is not known."""
        return self.pods.get(pod, pod)

    def new_visitor(self, name: str = "") -> Visitor:
        """Somebody without cookies."""
        return Visitor(name, self.entry)

    def _refresh(self) -> None:
        rows = [
            Tally(
                visitor=visitor.name,
                answers=self._counts[visitor.name],
                latest=self.name(visitor.pod),
                cookie=next(iter(visitor.cookies.values()), "none"),
            )
            for visitor in self._shown
        ]
        self.screen.tallies(list(self.pods.values()), rows)


def tell(story: Story) -> None:
    """The whole story.

    Raises:
        RemoraError: the cluster did not do something in time.
    """
    _deploy(story)
    _spread(story)
    trio = _stick(story)
    _lose_a_pod(story, trio)
    _grow_persistent(story, trio)
    _grow_balanced(story)
    story.state("no request failed", f"{story.failed_requests} failed", holds=story.failed_requests == 0)


def _deploy(story: Story) -> None:
    story.screen.heading("deploying three replicas, a Service and an Ingress")
    story.workload.deploy(3)
    story.settle(3)
    visitor = story.new_visitor()
    wait_for(lambda: visitor.ask().status == 200, "answer through the Ingress", within=PATIENCE)
    visitor.close()


def _spread(story: Story) -> None:
    story.screen.heading("without affinity")
    visitor = story.new_visitor("A")
    story.show([visitor])
    reached = Counter(story.ask(visitor).pod for _ in range(30))
    visitor.close()
    story.state("without affinity 30 requests of one client reach all three pods", _shares(reached), holds=len(reached) == 3)


def _stick(story: Story) -> list[Visitor]:
    """Gives the Ingress persistent affinity; three visitors on three pods."""
    story.screen.heading("giving the Ingress affinity by cookie")
    story.workload.stick(mode="persistent", cookie="sticky-session")
    _wait_cookie(story, "sticky-session")
    trio = _on_different_pods(story, ("A", "B", "C"))
    story.show(trio)
    first = [story.ask(trio[0]) for _ in range(20)]
    alone = {answer.pod for answer in first}
    story.state("with affinity one client stays on its pod", f"20 requests, {len(alone)} pod", holds=len(alone) == 1)
    homes = {visitor.name: visitor.pod for visitor in trio}
    stayed = all(story.ask(visitor).pod == homes[visitor.name] for _ in range(20) for visitor in trio)
    story.state("three clients each stay on theirs", f"60 requests, {len(set(homes.values()))} pods", holds=stayed)
    return trio


def _lose_a_pod(story: Story, trio: list[Visitor]) -> None:
    unlucky, *others = trio
    before = {visitor.name: visitor.pod for visitor in trio}
    cookie = dict(unlucky.cookies)
    story.screen.heading(f"deleting the pod of {unlucky.name}, {story.name(unlucky.pod)}")
    story.workload.delete_pod(story.pods[unlucky.pod])
    stayed = True

    def moved() -> bool:
        nonlocal stayed
        stayed = stayed and all(story.ask(visitor).pod == before[visitor.name] for visitor in others)
        # Until its endpoint is gone, a pod that does not answer keeps its session: another one answers, with no new cookie.
        return story.ask(unlucky).pod not in ("", before[unlucky.name]) and unlucky.cookies != cookie

    wait_for(moved, f"other pod and cookie for {unlucky.name}", within=PATIENCE)
    story.state(
        f"the pod of {unlucky.name} is deleted: {unlucky.name} moves, with a new cookie",
        f"to {story.name(unlucky.pod)}",
        holds=unlucky.cookies != cookie,
    )
    story.settle(3)
    stayed = stayed and all(story.ask(visitor).pod == before[visitor.name] for visitor in others)
    home = unlucky.pod
    settled = all(story.ask(unlucky).pod == home for _ in range(10))
    story.state("the others do not, and nobody moves again", "a new pod took the place", holds=stayed and settled)


def _grow_persistent(story: Story, trio: list[Visitor]) -> None:
    story.screen.heading(f"scaling to five with {CROWD} clients, persistent mode")
    crowd = [*trio, *_crowd(story)]
    homes = [visitor.pod for visitor in crowd]
    story.workload.scale(5)
    story.settle(5)
    arrived = [story.ask(visitor).pod for visitor in crowd]
    story.compare(homes, arrived)
    moved = sum(pod != home for pod, home in zip(arrived, homes, strict=True))
    story.state("scaling to five moves nobody in persistent mode", f"{moved} of {len(crowd)} moved", holds=moved == 0)
    for visitor in crowd:
        visitor.close()


def _grow_balanced(story: Story) -> None:
    story.screen.heading(f"scaling from three to five with {CROWD} clients, balanced mode")
    story.workload.scale(3)
    old = set(story.settle(3))
    story.workload.stick(mode="balanced", cookie="balanced-session")
    _wait_cookie(story, "balanced-session")
    crowd = _crowd(story)
    homes = [visitor.pod for visitor in crowd]
    story.workload.scale(5)
    new = set(story.settle(5)) - old
    arrived = [story.ask(visitor).pod for visitor in crowd]
    story.compare(homes, arrived)
    movers = [pod for pod, home in zip(arrived, homes, strict=True) if pod != home]
    share = len(movers) / len(crowd)
    # Two of five pods are new, so two fifths is fair; consistent hashing and chance leave some room.
    fair = set(movers) <= new and 0.2 <= share <= 0.6
    seen = f"{share:.0%} moved, all to new pods" if set(movers) <= new else f"{share:.0%} moved, some between old pods"
    story.state("in balanced mode only the new pods' fair share moves (40 %)", seen, holds=fair)
    for visitor in crowd:
        visitor.close()


def _crowd(story: Story) -> list[Visitor]:
    crowd = [story.new_visitor() for _ in range(CROWD)]
    for visitor in crowd:
        story.ask(visitor)
        # 150 idle connections would say nothing more.
        visitor.close()
    return crowd


def _wait_cookie(story: Story, name: str) -> None:
    """Waits until the proxy issues the cookie."""

    def is_issued() -> bool:
        visitor = story.new_visitor()
        story.ask(visitor)
        visitor.close()
        return name in visitor.cookies

    wait_for(is_issued, f"cookie {name}", within=PATIENCE)


def _on_different_pods(story: Story, names: tuple[str, ...]) -> list[Visitor]:
    """Visitors with cookies, no two on the same pod."""
    found: dict[str, Visitor] = {}

    def try_one() -> bool:
        visitor = story.new_visitor(names[len(found)])
        pod = story.ask(visitor).pod
        if pod and pod not in found:
            found[pod] = visitor
        else:
            visitor.close()
        return len(found) == len(names)

    wait_for(try_one, "clients on different pods", within=PATIENCE)
    return list(found.values())


def _shares(reached: Counter[str]) -> str:
    return " + ".join(str(count) for _, count in reached.most_common())
