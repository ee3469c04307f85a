"""Settings: what the environment says about this process. Names and defaults are contract.

`X_FILE` reads X from a file, for secrets mounted by a container service.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from router.duration import parse_duration
from router.problem import suggest
from router.secret import Secret

NAMES = (
    "ROUTER_RULES",
    "ROUTER_TEMPLATES",
    "ROUTER_DATABASE_URL",
    "ROUTER_OUTBOUND",
    "ROUTER_HOST",
    "ROUTER_PORT",
    "ROUTER_URL",
    "ROUTER_ADMIN_PASSWORD",
    "ROUTER_VIEWER_PASSWORD",
    "ROUTER_API_TOKEN",
    "ROUTER_INSECURE_NO_AUTH",
    "ROUTER_TRUSTED_PROXIES",
    "ROUTER_SSO_USER_HEADER",
    "ROUTER_SSO_GROUPS_HEADER",
    "ROUTER_SSO_OPERATORS",
    "ROUTER_SSO_VIEWERS",
    "ROUTER_RETENTION",
    "ROUTER_MAX_BODY",
    "ROUTER_DRAIN",
    "ROUTER_LOG_FORMAT",
    "ROUTER_LOG_LEVEL",
    "ROUTER_CA_BUNDLE",
    "ROUTER_DATABASE_EXPECT",
)
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|kB|MB)?")
_HASH = re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[\w+/]+\$[\w+/]+", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_UNITS = {None: 1, "B": 1, "kB": 1000, "MB": 1_000_000, "KiB": 1024, "MiB": 1024 * 1024}


class SettingsError(ValueError):
    """Settings that cannot be used; the text says each fault and what to do, one a line."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the process is told. Durations in seconds, sizes in bytes."""

    rules: str = "rules.yaml"
    templates: str | None = None
    database_url: Secret = Secret("sqlite:///router.db")
    outbound: Literal["live", "capture"] = "live"
    host: str = "127.0.0.1"
    port: int = 8000
    url: str | None = None
    admin_password: Secret | None = None
    viewer_password: Secret | None = None
    api_token: Secret | None = None
    insecure_no_auth: bool = False
    trusted_proxies: tuple[str, ...] = ()
    sso_user_header: str | None = None
    sso_groups_header: str | None = None
    sso_operators: tuple[str, ...] = ()
    sso_viewers: tuple[str, ...] = ()
    retention: float = 90 * 86400.0
    max_body: int = 256 * 1024
    drain: float = 20.0
    log_format: Literal["console", "json"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    ca_bundle: str | None = None
    database_expect: Literal["any", "existing"] = "any"

    @property
    def base_url(self) -> str:
        """Where people reach the router's pages, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def on_loopback(self) -> bool:
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def open_to_all(self) -> bool:
        """True when pages and API ask nobody who they are."""
        return self.sso_user_header is None and not self.asks_for_password

    @property
    def asks_for_password(self) -> bool:
        """True when somebody can log in with one."""
        passwords = (self.admin_password, self.viewer_password, self.api_token)
        return any(one is not None for one in passwords)

    def secrets(self) -> list[Secret]:
        passwords = (self.admin_password, self.viewer_password, self.api_token)
        given = (*passwords, self.database_url)
        return [secret for secret in given if secret is not None]


def read_settings(environment: Mapping[str, str], read_file: Callable[[str], str]) -> Settings:
    """Return the settings in `environment`; raises SettingsError that names every fault at once."""
    faults: list[str] = []
    values: dict[str, object] = {}
    for name in NAMES:
        try:
            text = _text(name, environment, read_file)
            if text is not None:
                values[name.removeprefix("ROUTER_").lower()] = _READERS.get(name, str)(text)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    faults.extend(_unknown(environment))
    if faults:
        raise SettingsError("\n".join(faults))
    settings = Settings(**values)  # type: ignore[arg-type]
    faults = _at_odds(settings)
    if faults:
        raise SettingsError("\n".join(faults))
    if not (settings.on_loopback or settings.insecure_no_auth) and settings.open_to_all:
        raise SettingsError(
            f"ROUTER_HOST: {settings.host} is reachable from other machines; set"
            " ROUTER_ADMIN_PASSWORD or ROUTER_API_TOKEN first (or ROUTER_INSECURE_NO_AUTH=1,"
            " if something in front asks for a password)"
        )
    return settings


def _at_odds(settings: Settings) -> list[str]:
    """What is wrong with settings that do not go together."""
    faults = []
    if settings.sso_user_header is None:
        given = {
            "ROUTER_SSO_GROUPS_HEADER": settings.sso_groups_header,
            "ROUTER_SSO_OPERATORS": settings.sso_operators,
            "ROUTER_SSO_VIEWERS": settings.sso_viewers,
        }
        faults += [
            f"{name}: it says nothing without ROUTER_SSO_USER_HEADER"
            for name, value in given.items()
            if value
        ]
    else:
        if not settings.trusted_proxies:
            faults.append(
                "ROUTER_SSO_USER_HEADER: anybody could send it; say in ROUTER_TRUSTED_PROXIES"
                " from which networks it is believed"
            )
        if not settings.sso_operators and not settings.sso_viewers:
            faults.append(
                "ROUTER_SSO_USER_HEADER: nobody would be let in; name users or groups in"
                " ROUTER_SSO_OPERATORS and ROUTER_SSO_VIEWERS (`*` is everybody)"
            )
    viewer = settings.viewer_password
    if viewer is not None and viewer in (settings.admin_password, settings.api_token):
        faults.append("ROUTER_VIEWER_PASSWORD: it is an operator's too; make it another one")
    return faults


def _text(name: str, environment: Mapping[str, str], read_file: Callable[[str], str]) -> str | None:
    path = environment.get(f"{name}_FILE")
    if path:
        if environment.get(name):
            raise ValueError(f"set either {name} or {name}_FILE, not both")
        try:
            return read_file(path).strip()
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from None
    return environment.get(name) or None


def _words(*words: str) -> Callable[[str], object]:
    return lambda text: _one_of(text.lower(), {word: word for word in words})


def _one_of(text: str, known: Mapping[str, object]) -> object:
    if text not in known:
        raise ValueError(f"`{text}` is not one of {', '.join(known)}")
    return known[text]


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 65535:
        raise ValueError(f"`{text}` is not a port; write a number from 1 to 65535")
    return int(text)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"`{text}` is not a size; write one like 256KiB")
    return int(found[1]) * _UNITS[found[2]]


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("write it whole, like https://router.bank.example")
    return text


def _password(text: str) -> Secret:
    if text.startswith("$argon2") and not _HASH.fullmatch(text):
        raise ValueError(
            "it looks like a hash, and is not one that `router token hash` prints; a shell or a"
            " compose file may have taken its `$` for variables"
        )
    return Secret(text)


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError(f"`{text}` is not the name of a header; write one like X-Forwarded-User")
    return text.lower()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _networks(text: str) -> tuple[str, ...]:
    return tuple(_network(part) for part in text.replace(",", " ").split())


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"`{text}` is not a network; write one like 10.0.0.0/8") from None


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {*NAMES, *(f"{name}_FILE" for name in NAMES)}
    return [
        f"{name}: there is no such setting; {suggest(name, known)}"
        for name in sorted(environment)
        if name.startswith("ROUTER_") and name not in known
    ]


_READERS: dict[str, Callable[[str], object]] = {
    "ROUTER_RETENTION": parse_duration,
    "ROUTER_DRAIN": parse_duration,
    "ROUTER_MAX_BODY": _size,
    "ROUTER_PORT": _port,
    "ROUTER_URL": _url,
    "ROUTER_TRUSTED_PROXIES": _networks,
    "ROUTER_INSECURE_NO_AUTH": lambda text: _one_of(text, {"1": True, "0": False}),
    "ROUTER_SSO_USER_HEADER": _header,
    "ROUTER_SSO_GROUPS_HEADER": _header,
    "ROUTER_SSO_OPERATORS": _names,
    "ROUTER_SSO_VIEWERS": _names,
    "ROUTER_ADMIN_PASSWORD": _password,
    "ROUTER_VIEWER_PASSWORD": _password,
    "ROUTER_API_TOKEN": Secret,
    "ROUTER_DATABASE_URL": Secret,
    "ROUTER_OUTBOUND": _words("live", "capture"),
    "ROUTER_DATABASE_EXPECT": _words("any", "existing"),
    "ROUTER_LOG_FORMAT": _words("console", "json"),
    "ROUTER_LOG_LEVEL": _words("debug", "info", "warning", "error"),
}
