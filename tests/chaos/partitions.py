"""Faults between a replica and its database: packets are dropped, bytes are taken and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.network import Direction
    from chaos.stage import Stage


@scenario(
    "cut off",
    "packets between a replica and PostgreSQL are dropped, inside a transaction",
    namespaces=True,
)
def cut_off(stage: Stage) -> None:
    _drop(stage, "both")


@scenario("cut off, inbound", "a replica hears nothing from PostgreSQL", namespaces=True)
def cut_off_inbound(stage: Stage) -> None:
    _drop(stage, "in")


@scenario("cut off, outbound", "PostgreSQL hears nothing from a replica", namespaces=True)
def cut_off_outbound(stage: Stage) -> None:
    _drop(stage, "out")


@scenario("unplugged", "a replica's cable is out, and in again", namespaces=True)
def unplugged(stage: Stage) -> None:
    victim = stage.any_name()
    namespace = stage.namespaces[victim]
    with stage.fault("link down", victim, reachable=False):
        stage.catch_inside(
            victim,
            lambda _: stage.network.unplug(namespace),
            lambda _: stage.network.plug(namespace),
        )
        stage.wait()
        stage.network.plug(namespace)


def _one_behind_proxy(stage: Stage) -> None:
    stage.settings[stage.names[0]] = {"ROUTER_DATABASE_URL": stage.proxied(stage.service_url)}


@scenario(
    "frozen proxy",
    "a proxy before PostgreSQL takes bytes and forwards nothing",
    through_proxy=True,
    prepare=_one_behind_proxy,
)
def frozen_proxy(stage: Stage) -> None:
    if stage.proxy is None:
        raise LookupError("this scenario has no proxy")
    with stage.fault("frozen proxy", stage.names[0]):
        stage.proxy.freeze()
        stage.wait()
        stage.proxy.break_off()


@scenario(
    "frozen proxy inside",
    "the same, inside a transaction that holds locks",
    through_proxy=True,
    prepare=_one_behind_proxy,
    short=True,
)
def frozen_proxy_inside(stage: Stage) -> None:
    proxy = stage.proxy
    if proxy is None:
        raise LookupError("this scenario has no proxy")
    victim = stage.names[0]
    with stage.fault("frozen proxy", victim):
        stage.catch_inside(victim, lambda _: proxy.freeze(), lambda _: proxy.resume())
        stage.wait()
        proxy.break_off()


def _drop(stage: Stage, direction: Direction) -> None:
    victim = stage.any_name()
    namespace, port = stage.namespaces[victim], stage.server.port
    with stage.fault(f"dropped {direction}", victim):
        stage.catch_inside(
            victim,
            lambda _: stage.network.drop(namespace, port, direction),
            lambda _: stage.network.heal(namespace),
        )
        stage.wait()
        stage.network.heal(namespace)
