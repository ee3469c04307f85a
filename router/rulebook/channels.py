"""Reading `sources` and `channels`: values from outside are filled in here, and kept secret."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, Literal

from router.duration import parse_duration
from router.problem import Problem, closest
from router.rulebook.outside import Outside, fill, names_outside, values_outside
from router.rulebook.timing import read_rate
from router.rules import Channel, Retry, Source
from router.secret import MASK, Secret

if TYPE_CHECKING:
    from router.rulebook.tree import Path, Tree

SERVICES: tuple[Literal["slack", "email", "teams", "webhook", "url"], ...] = (
    "slack",
    "email",
    "teams",
    "webhook",
    "url",
)
_SECRETS = {
    "slack": frozenset({"token", "webhook"}),
    "email": frozenset({"password"}),
    "teams": frozenset({"webhook"}),
    "webhook": frozenset({"secret"}),
    "url": frozenset({"url"}),
}
_OPEN_ADDRESSES = ("json://", "jsons://", "xml://", "xmls://", "form://", "forms://", "ntfy://")


def read_sources(tree: Tree, outside: Outside) -> dict[str, Source]:
    """The sources of a file; what is wrong is told to its tree."""
    given = tree.data.get("sources")
    found: dict[str, Source] = {}
    for name, data in given.items() if isinstance(given, dict) else ():
        if not isinstance(data, dict):
            continue
        path: Path = ("sources", name)
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            note = "it stands in an address: use letters, digits, - and _"
            tree.tell(tree.key(path), f"`{name}` cannot be the name of a source", note)
        secrets = _source_secrets(tree, path, name, data.get("secret"), outside)
        found[name] = Source(name, tuple(secrets), _networks(tree, path, data.get("allow")))
    return found


def _source_secrets(
    tree: Tree, path: Path, name: str, given: Any, outside: Outside
) -> list[Secret]:
    several = isinstance(given, list)
    if several and not 1 <= len(given) <= 2:
        where = tree.value((*path, "secret"))
        tree.tell(where, f"source `{name}` has {len(given)} secrets; one, or two while they change")
    secrets = []
    for number, text in enumerate(given if several else [given]):
        at: Path = (*path, "secret", number) if several else (*path, "secret")
        if isinstance(text, str):
            secrets.append(Secret(_filled(tree, at, text, outside, secret=f"source `{name}`")))
    return secrets


def _networks(tree: Tree, path: Path, given: Any) -> tuple[str, ...]:
    found = []
    for number, text in enumerate(given if isinstance(given, list) else []):
        if not isinstance(text, str):
            continue  # the shape's check tells it
        try:
            found.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            where = tree.value((*path, "allow", number))
            tree.tell(where, f"`{text}` is not a network; write one like 10.0.0.0/8")
    return tuple(found)


def read_retry(tree: Tree, given: Any, path: Path, base: Retry) -> Retry:
    """A `retry:` mapping over what holds without it."""
    values = {"for": base.budget, "first": base.first, "at_most": base.at_most}
    for name, text in given.items() if isinstance(given, dict) else ():
        if name in values and isinstance(text, str):
            try:
                values[name] = parse_duration(text)
            except ValueError as error:
                tree.tell(tree.value((*path, name)), f"`{name}`: {error}")
    told = given.get("first") if isinstance(given, dict) else None
    if isinstance(told, str) and values["first"] > values["at_most"]:
        text = f"`first: {told}` is longer than the longest wait between two attempts (`at_most`)"
        tree.problems.append(Problem(tree.value((*path, "first")), text, (), "warning"))
    return Retry(values["for"], max(values["first"], 0.001), values["at_most"])


class ChannelReader:
    """Reads the channels of a file; what is wrong is told to its tree."""

    def __init__(self, tree: Tree, outside: Outside, retry: Retry) -> None:
        self._tree = tree
        self._outside = outside
        self._retry = retry

    def read(self) -> dict[str, Channel]:
        given = self._tree.data.get("channels")
        found: dict[str, Channel] = {}
        for name, data in given.items() if isinstance(given, dict) else ():
            if isinstance(data, dict):
                channel = self._channel(name, data)
                if channel is not None:
                    found[name] = channel
        return found

    def _channel(self, name: str, data: dict[str, Any]) -> Channel | None:
        path: Path = ("channels", name)
        services = [service for service in SERVICES if service in data]
        if not services and any(closest(key, SERVICES) for key in data):
            return None  # a misspelt one is told as an unknown key
        if len(services) != 1:
            told = "no service" if not services else "two services"
            note = f"it is exactly one of {', '.join(SERVICES)}"
            self._tree.tell(self._tree.key(path), f"channel `{name}` names {told}", note)
            return None
        service = services[0]
        given = data[service] if isinstance(data[service], dict) else {"url": data[service]}
        at = (*path, service) if isinstance(data[service], dict) else path
        if service == "slack":
            self._slack(name, given, at)
        if service == "email":
            self._email(name, given, at)
        parts: list[Secret] = []
        options = self._options(name, service, given, at, parts)
        address = data["url"] if isinstance(data.get("url"), str) else ""
        concurrency = data.get("concurrency")
        hide = data.get("hide")
        return Channel(
            name=name,
            service=service,
            options=options,
            retry=read_retry(self._tree, data.get("retry"), (*path, "retry"), self._retry),
            rate=read_rate(self._tree, path, name, data, service, address),
            fallback=data.get("fallback") if isinstance(data.get("fallback"), str) else None,
            concurrency=concurrency if isinstance(concurrency, int) else 4,
            hide=frozenset(map(str, hide)) if isinstance(hide, list) else frozenset(),
            paused=data.get("paused") is True,
            parts=tuple(parts),
        )

    def _slack(self, name: str, given: dict[str, Any], path: Path) -> None:
        bot = {"token", "to"} & given.keys()
        if "webhook" in given and bot:
            where = self._tree.key((*path, sorted(bot)[0]))
            text = f"channel `{name}` has both `webhook` and `{sorted(bot)[0]}`"
            self._tree.tell(where, text, "a webhook has its own channel; a bot needs token and to")
        elif "webhook" not in given and len(bot) < 2:
            lacks = sorted({"token", "to"} - given.keys())
            where = self._tree.key(path)
            note = "a bot has `token` and `to`, an incoming webhook `webhook`"
            self._tree.tell(where, f"channel `{name}` has no `{lacks[0]}`", note)

    def _email(self, name: str, given: dict[str, Any], path: Path) -> None:
        pair = ("user", "password")
        for key, other in (pair, pair[::-1]):
            if key in given and other not in given:
                where = self._tree.key((*path, key))
                text = f"channel `{name}` has `{key}` and no `{other}`"
                self._tree.tell(where, text, "a log-in takes both; without one, leave both out")

    def _options(
        self,
        name: str,
        service: str,
        given: dict[str, Any],
        path: Path,
        parts: list[Secret],
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in given.items():
            at = (*path, key)
            if isinstance(value, dict):
                found[key] = {
                    header: self._header(name, header, text, (*at, header))
                    for header, text in value.items()
                    if isinstance(text, str)
                }
            elif isinstance(value, list):
                found[key] = [
                    _filled(self._tree, (*at, n), text, self._outside)
                    for n, text in enumerate(value)
                    if isinstance(text, str)
                ]
            else:
                found[key] = self._option(name, service, key, value, at)
                if isinstance(found[key], Secret) and "://" in found[key].reveal():
                    parts.extend(self._parts(value, found[key].reveal()))
        if isinstance(found.get("port"), str | int):
            found["port"] = self._port(name, str(found["port"]), (*path, "port"))
        return found

    def _option(self, name: str, service: str, key: str, value: Any, path: Path) -> Any:
        if not isinstance(value, str):
            return value
        if not value:
            text = f"channel `{name}`: `{key}` is empty"
            self._tree.tell(self._tree.value(path), text, "fill it in, or leave it out")
        secret = key in _SECRETS[service] and not value.startswith(_OPEN_ADDRESSES)
        subject = f"channel `{name}`" if secret else None
        text = _filled(
            self._tree, path, value, self._outside, secret=subject, in_address=key == "url"
        )
        hidden = secret or (key == "url" and names_outside(value))
        return Secret(text) if hidden else text

    def _parts(self, value: str, filled: str) -> list[Secret]:
        """The secrets inside an address: what came from outside, or else what looks like one."""
        if names_outside(value):
            return [Secret(text) for text in values_outside(value, self._outside)]
        pieces = re.split(r"[/@:?&=#]+", filled)
        return [Secret(piece) for piece in pieces if len(piece) >= 8 and "." not in piece]

    def _header(self, name: str, header: str, value: str, path: Path) -> Secret:
        low = header.lower()
        telling = any(word in low for word in ("auth", "token", "key", "secret", "cookie"))
        subject = f"channel `{name}`" if telling else None
        return Secret(_filled(self._tree, path, value, self._outside, secret=subject))

    def _port(self, name: str, text: str, path: Path) -> int | None:
        if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
            return int(text)
        if text:
            text = f"channel `{name}`: `port` is no port number; it is from 1 to 65535"
            self._tree.tell(self._tree.value(path), text)
        return None


def _filled(
    tree: Tree,
    path: Path,
    text: str,
    outside: Outside,
    *,
    secret: str | None = None,
    in_address: bool = False,
) -> str:
    if secret is not None and text == MASK and outside.masked:
        return ""
    if secret is not None and text and not names_outside(text):
        tree.literal_secrets.append(path)
        where = tree.value(path)
        note = f"write `${{{_variable(path)}}}` here and set it in the environment"
        told = f"{secret}: a secret stands in the file itself"
        tree.problems.append(Problem(where, told, (note,), "warning"))
    try:
        return fill(text, outside, in_address=in_address)
    except ValueError as error:
        tree.tell(tree.value(path), str(error))
        return ""


def _variable(path: Path) -> str:
    words = [str(part) for part in path if isinstance(part, str)][1:]
    name = "_".join(words).upper()
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
