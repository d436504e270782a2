"""What the bench of policies asks of Remora, which must mean what it says to it."""

from bench.policies import CONTROLLER, SESSION_KEY, objects
from bench.questions import QUESTIONS
from remora.core.settings import RoutingSettings
from remora.translate import Translator
from tests.support.translations import snapshot_of


def test_every_ingress_of_the_bench_is_served_as_it_stands() -> None:
    routing = RoutingSettings(session_key=SESSION_KEY, configmap=CONTROLLER)
    found = Translator(routing).translate(snapshot_of(objects(QUESTIONS, (1001, 1002, 1003), 1004)), None)
    assert found.problems == ()
    assert {host.host for host in found.model.virtual_hosts if host.host} >= {question.host for question in QUESTIONS}
