"""Remora keeps every client on its pod: an Ingress controller on HAProxy, and a local cluster to run it on."""

__version__ = "0.1.0"
