"""The store: versions, watches, compaction, and what a new process finds."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remora.cluster.store import Store, TooOldError
from remora.cluster.store.store import LOG_LENGTH
from remora.core.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def thing(name: str, namespace: str = "default", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **fields}


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_a_damaged_file_says_in_a_sentence_how_to_begin_anew(path: Path) -> None:
    path.write_bytes(b"no database, however long this is" * 200)
    with pytest.raises(ConfigurationError, match=rf"{path} cannot be read: .*\. To begin anew .* remove that file$"):
        Store(path)
    path.unlink()
    Store(path).close()


def test_an_object_that_cannot_be_read_is_told_as_a_damaged_file(path: Path) -> None:
    opened = Store(path)
    opened.put("pods", thing("a"))
    opened.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE objects SET body = '{bad'")
        connection.commit()
    with pytest.raises(ConfigurationError, match=f"{path} cannot be read: JSON is malformed"):
        Store(path)


def test_a_file_that_may_be_whole_is_not_to_be_removed(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigurationError, match=f"{path} cannot be used: unable to open database file$"):
        Store(path)


def test_every_write_gets_the_next_version_whatever_the_resource(store: Store) -> None:
    first, second = store.put("pods", thing("a")), store.put("services", thing("a"))
    assert [int(obj["metadata"]["resourceVersion"]) for obj in (first, second)] == [1, 2]
    assert store.version == 2


def test_a_list_is_ordered_by_namespace_and_name(store: Store) -> None:
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        store.put("pods", thing(name, namespace))
    assert names(store.list("pods")) == ["y", "z", "x"]
    assert names(store.list("pods", "a")) == ["y", "z"]


def test_a_written_object_is_not_the_callers(store: Store) -> None:
    given_ = thing("a")
    store.put("pods", given_)
    assert "resourceVersion" not in given_["metadata"]


async def test_a_subscription_tells_what_came_after_its_version_and_what_comes(store: Store) -> None:
    store.put("pods", thing("a"))
    store.put("pods", thing("a", spec=1))
    subscription = store.subscribe("pods", since=1)
    store.remove("pods", thing("a", spec=1))
    changes = [await subscription.next(), await subscription.next()]
    assert [(c.version, c.type) for c in changes] == [(2, "MODIFIED"), (3, "DELETED")]
    assert changes[1].object["metadata"]["resourceVersion"] == "3"
    assert not subscription.has_next()


async def test_a_waiting_subscription_wakes_up_with_a_write(store: Store) -> None:
    subscription = store.subscribe("pods", since=0)
    waiting = asyncio.ensure_future(subscription.next())
    await asyncio.sleep(0)
    store.put("pods", thing("a"))
    assert (await waiting).type == "ADDED"


async def test_a_change_carries_the_state_before_it(store: Store) -> None:
    store.put("pods", thing("a", spec=1))
    subscription = store.subscribe("pods", since=1)
    store.put("pods", thing("a", spec=2))
    previous = (await subscription.next()).previous
    assert previous is not None
    assert previous["spec"] == 1


def test_a_log_that_does_not_reach_back_refuses_to_be_followed(store: Store) -> None:
    for number in range(LOG_LENGTH + 1):
        store.put("pods", thing("a", spec=number))
    with pytest.raises(TooOldError):
        store.subscribe("pods", since=0)
    store.subscribe("pods", since=1)


def test_many_changes_of_one_resource_do_not_age_the_log_of_another(store: Store) -> None:
    store.put("services", thing("a"))
    for number in range(LOG_LENGTH + 1):
        store.put("leases", thing("a", spec=number))
    assert store.subscribe("services", since=0).has_next()


async def test_a_reader_that_is_too_slow_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.cluster.store.store._LONGEST_QUEUE", 2)
    subscription = store.subscribe("pods", since=0)
    for number in range(4):
        store.put("pods", thing("a", spec=number))
    with pytest.raises(TooOldError):
        await subscription.next()


def test_a_new_process_finds_everything_that_was_acknowledged(path: Path) -> None:
    first = Store(path)
    first.put("pods", thing("a"))
    first.put("pods", thing("b"))
    first.remove("pods", thing("a"))
    # Neither closed nor flushed: a killed process does neither.
    second = Store(path)
    assert names(second.list("pods")) == ["b"]
    assert second.version == 3
    second.close()
    first.close()


async def test_a_watch_goes_on_where_it_was_after_a_restart(path: Path) -> None:
    first = Store(path)
    first.put("pods", thing("a", spec=1))
    first.put("pods", thing("a", spec=2))
    first.close()
    second = Store(path)
    change = await second.subscribe("pods", since=1).next()
    assert (change.version, change.type, change.object["spec"]) == (2, "MODIFIED", 2)
    second.close()


def test_compaction_on_disk_is_remembered_after_a_restart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.cluster.store.store.LOG_LENGTH", 10)
    monkeypatch.setattr("remora.cluster.store.store._COMPACT_EVERY", 5)
    first = Store(path)
    for number in range(30):
        first.put("pods", thing("a", spec=number))
    first.close()
    second = Store(path)
    with pytest.raises(TooOldError):
        second.subscribe("pods", since=5)
    with pytest.raises(TooOldError):
        second.subscribe("services", since=5)
    assert second.subscribe("pods", since=20).has_next()
    second.close()


operations = st.lists(st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from(["a", "b", "c"])), max_size=20)


@given(operations)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_what_is_read_again_is_what_was_in_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "store.db"
    store = Store(path)
    for number, (step, name) in enumerate(steps):
        if step == "put":
            store.put("pods", thing(name, spec=number))
        elif (found := store.find("pods", "default", name)) is not None:
            store.remove("pods", found)
    before = (store.version, store.list("pods"))
    store.close()
    again = Store(path)
    assert (again.version, again.list("pods")) == before
    again.close()


async def test_writes_of_one_turn_are_one_transaction_and_are_told_after_it(store: Store, path: Path) -> None:
    subscription = store.subscribe("pods", since=0)
    store.put("pods", thing("a"))
    store.put("pods", thing("b"))
    assert not subscription.has_next()
    assert Store(path).version == 0
    await store.settled()
    assert [(await subscription.next()).version for _ in range(2)] == [1, 2]
    assert names(Store(path).list("pods")) == ["a", "b"]


async def test_who_begins_to_watch_amid_a_turn_sees_each_change_once(store: Store) -> None:
    store.put("pods", thing("a"))
    subscription = store.subscribe("pods", since=store.version)
    store.put("pods", thing("b"))
    await store.settled()
    assert (await subscription.next()).version == 2
    assert not subscription.has_next()


async def test_what_cannot_be_written_is_undone_and_told_to_who_waits_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("pods", thing("a", spec=1))
    await store.settled()
    subscription = store.subscribe("pods", since=1)
    with monkeypatch.context() as patch:
        patch.setattr(store._database, "_write", failing)
        store.put("pods", thing("a", spec=2))
        store.put("pods", thing("b"))
        with pytest.raises(sqlite3.OperationalError):
            await store.settled()
    assert [obj["spec"] for obj in store.list("pods")] == [1]
    assert not subscription.has_next()
    after = store.put("pods", thing("a", spec=3))
    await store.settled()
    assert int(after["metadata"]["resourceVersion"]) > 3
    assert (await subscription.next()).object["spec"] == 3


def failing(row: object) -> None:
    raise sqlite3.OperationalError("disk full")


async def test_a_watch_of_a_namespace_sees_no_other(store: Store) -> None:
    subscription = store.subscribe("pods", since=0, namespace="a")
    store.put("pods", thing("x", "b"))
    store.put("pods", thing("y", "a"))
    await store.settled()
    assert (await subscription.next()).object["metadata"]["name"] == "y"
    assert not subscription.has_next()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["pods", "services", "restart"]), min_size=25, max_size=60))
def test_after_a_restart_a_watch_goes_on_without_a_gap_or_is_refused(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remora.cluster.store.store.LOG_LENGTH", 10)
    monkeypatch.setattr("remora.cluster.store.store._COMPACT_EVERY", 4)
    path = tmp_path_factory.mktemp("store") / "store.db"
    changes: dict[str, list[int]] = {"pods": [], "services": []}
    store = Store(path)
    for resource in steps:
        if resource == "restart":
            store.close()
            store = Store(path)
        else:
            changes[resource].append(int(store.put(resource, thing("a"))["metadata"]["resourceVersion"]))
    for resource, versions in changes.items():
        for since in range(store.version + 1):
            try:
                subscription = store.subscribe(resource, since=since)
            except TooOldError:
                assert since < store.version - 9, "a version that the log must reach back to"
                continue
            told = [change.version for change in subscription._changes]
            assert told == [version for version in versions if version > since]
    store.close()
