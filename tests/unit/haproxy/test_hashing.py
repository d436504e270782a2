"""What the map `hashes` says."""

import pytest

from remora.haproxy.features.hashing import hash_entry
from remora.model import HashBy, RequestFact


def test_entry_has_letters_and_names_in_their_places() -> None:
    assert hash_entry(HashBy((RequestFact.TARGET, RequestFact.CLIENT))) == "tc||||||"
    assert hash_entry(HashBy((RequestFact.HOST,), ("x-user",), ("a", "b"), ("c",))) == "h+|x-user||a|b|c|"
    assert hash_entry(HashBy()) == "||||||"
    assert hash_entry(HashBy((RequestFact.PATH,), cookies=("a",), subset=3)) == "p~+|||a||||3"


@pytest.mark.parametrize("hash_by", [HashBy(headers=("a", "b", "c")), HashBy(cookies=("a|b",))])
def test_what_has_no_place_is_refused(hash_by: HashBy) -> None:
    with pytest.raises(ValueError, match="names"):
        hash_entry(hash_by)
