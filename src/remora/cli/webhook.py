"""`remora webhook`: the admission webhook on its own, with the controller's flags."""

import os
from typing import TYPE_CHECKING

import typer

from remora.core.errors import UsageError

if TYPE_CHECKING:
    from remora.cli.flags import Given
    from remora.controller.webhook import Judge, WebhookSettings


def webhook(context: typer.Context) -> None:
    """Review Ingresses for a Kubernetes API before it stores them; the flags are those of the controller."""
    from remora.cli.catalogue import examples_text
    from remora.cli.controller_flags import FLAGS
    from remora.cli.flags import parse_flags, render_help

    if {"--help", "-h"} & set(context.args):
        print(render_help(FLAGS), examples_text("webhook"), sep="\n\n")
        return
    run_given(parse_flags(context.args, FLAGS))


def run_given(given: "Given") -> None:
    """Runs the webhook that the flags ask for until it is told to stop.

    Raises:
        UsageError: there is no address or no certificate.
    """
    from remora.controller.webhook_run import WebhookRun, run_webhook
    from remora.observe.logs import LogFormat, configure_logging

    settings = webhook_of(given)
    if settings is None:
        raise UsageError("give --validating-webhook=:8443 and the files of its certificate")
    configure_logging(LogFormat(given["log-format"]), verbose=given["v"] >= 2)
    run = WebhookRun(
        webhook=settings,
        kubeconfig=given["kubeconfig"],
        context=given["context"],
        watch_namespace=given["watch-namespace"],
        configmap=given["configmap"],
    )
    run_webhook(run, judge_of(given))


def webhook_of(given: "Given") -> "WebhookSettings | None":
    """What flags say of the webhook; None if there is to be none.

    Raises:
        UsageError: it has no certificate.
    """
    from remora.controller.state import mounted
    from remora.controller.webhook import WebhookSettings

    if given["validating-webhook"] is None:
        return None
    certificate, key = given["validating-webhook-certificate"], given["validating-webhook-key"]
    if not certificate or not key:
        raise UsageError("--validating-webhook needs --validating-webhook-certificate and --validating-webhook-key")
    host, port = given["validating-webhook"]
    files = (str(mounted(file, os.environ)) for file in (certificate, key))
    return WebhookSettings((host,) if host else given["bind-address"], port, *files)


def judge_of(given: "Given") -> "Judge":
    """How reviews are answered with these flags."""
    from functools import partial

    from remora.cli.controller import routing_of
    from remora.core.settings import RoutingSettings
    from remora.report.admission import AdmissionSettings, answer_review

    routing = RoutingSettings(session_key=b"", **routing_of(given))
    settings = AdmissionSettings(routing, given["watch-namespace"], given["deep-inspect"])
    return partial(answer_review, settings=settings)
