"""Delivery: message -> far end, and what the far end answered. The only apprise."""

from router.delivery.gateway import SEND_DEADLINE, Gateway, formats, inspect, probe, unusable
from router.delivery.probe import PROBE, Probe
from router.delivery.senders import ChannelError
from router.delivery.watchdog import Watchdog

__all__ = [
    "PROBE",
    "SEND_DEADLINE",
    "ChannelError",
    "Gateway",
    "Probe",
    "Watchdog",
    "formats",
    "inspect",
    "probe",
    "unusable",
]
