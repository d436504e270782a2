"""The file that names the peers."""

import msgspec

from remora.core.settings import ProxySettings
from remora.haproxy.features.peers import configure_peers
from remora.model import Peer, Peering

SETTINGS = ProxySettings(state_directory="/s", peer_name="one", peers_address="fd00::1")


def test_a_replica_alone_teaches_its_next_worker_by_a_socket() -> None:
    part = configure_peers(SETTINGS, None)
    assert "    peer one unix@/s/peers.sock\n" in part.text
    assert part.identity == b""


def test_replicas_reach_one_another_at_their_own_addresses_and_show_who_they_are() -> None:
    part = configure_peers(SETTINGS, Peering((Peer("two", "10.0.0.2"),), b"pem"))
    tls = "ssl crt /s/peers.pem ca-file /s/peers.pem verify required"
    lines = (f"default-server {tls}", f"bind [fd00::1]:10244 {tls}", "server one", "server two 10.0.0.2:10244")
    assert all(f"    {line}\n" in part.text for line in lines)
    assert part.identity == b"pem"


def test_the_file_tells_its_digest_which_differs_with_the_peers() -> None:
    parts = [configure_peers(SETTINGS, peering) for peering in (None, Peering(), Peering((Peer("two", "10.0.0.2"),)))]
    assert len({part.digest for part in parts}) == len(parts)
    assert all(f"set-var proc.peers str({part.digest})" in part.text for part in parts)
    renamed = configure_peers(msgspec.structs.replace(SETTINGS, peer_name="three"), None)
    assert renamed.digest != parts[0].digest
