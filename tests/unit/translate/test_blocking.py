"""A list of what is to be kept out, with a pattern that the proxy would not take, closes everything."""

import pytest

from remora.annotations.configmap import Access
from remora.annotations.registry import parse_defaults
from remora.core.names import NamespacedName, ObjectRef
from remora.translate.blocking import without_faulty_patterns

OWNER = ObjectRef("ConfigMap", NamespacedName("remora", "controller"))


@pytest.mark.parametrize("pattern", ["~(", "~*a{99999}", "good,~["])
def test_a_faulty_pattern_closes(pattern: str) -> None:
    defaults = parse_defaults({"block-user-agents": pattern, "block-referers": "~fine"}, object=OWNER)
    found = without_faulty_patterns(defaults, OWNER)
    assert found.guards == {"block-user-agents"}
    assert [one.field for one in found.problems] == ["data[block-user-agents]"]
    assert (found.of(Access).block_user_agents, found.of(Access).block_referers) == ((), ("~fine",))


def test_good_patterns_change_nothing() -> None:
    defaults = parse_defaults({"block-user-agents": "~*bot, (plain"}, object=OWNER)
    assert without_faulty_patterns(defaults, OWNER) is defaults
