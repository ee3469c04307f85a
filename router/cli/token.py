"""router token"""

from __future__ import annotations

import secrets
import sys
import time

import click

from router.cli.edge import echo_json, fail, note_deed, open_ledger_now, settings_now, who_asks


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Print a fresh secret for a source, the API or a password; or see to the API's tokens.

    \b
    Example:
      export ATFINITY_SECRET=$(router token)
      router token new backup --role viewer --for 90d
    """
    if context.invoked_subcommand is None:
        click.echo(secrets.token_urlsafe(32))


@command.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator"]),
    required=True,
    help="A viewer may look; an operator may also act.",
)
@click.option("--for", "length", help="How long it holds: 90d; without it, until it is revoked.")
def new(name: str, role: str, length: str | None) -> None:
    """Make a token called NAME for the API, and show it this once.

    Only its hash is kept. It is sent as `Authorization: Bearer TOKEN`.

    \b
    Example:
      router token new backup --role viewer --for 90d
    """
    from router.access import make_token  # noqa: PLC0415 - not for `--help`
    from router.duration import parse_duration  # noqa: PLC0415
    from router.identity import ROLES, clean_name  # noqa: PLC0415

    if not name or clean_name(name) != name:
        fail("a token's name is one line of at most 80 characters", 2)
    try:
        until = None if length is None else time.time() + parse_duration(length)
    except ValueError as error:
        fail(str(error), 2)
    ledger = open_ledger_now(settings_now())
    chosen = next(one for one in ROLES if one == role)
    token, key = make_token()
    made = ledger.people.add_token(name, chosen, key, author=who_asks(), until=until)
    if made is not None:
        detail = role if length is None else f"{role}, for {length}"
        note_deed(ledger, "token made", f"token {name}", detail)
    ledger.close()
    if made is None:
        fail(f"there is a token `{name}`; revoke it first, or take another name")
    click.echo(token)
    click.echo("it is not shown again; `router token revoke` ends it", err=True)


@command.command("list")
@click.option("--ended", is_flag=True, help="List those that were revoked or are over as well.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON for scripts.")
def list_tokens(*, ended: bool, as_json: bool) -> None:
    """List the API's tokens: what they may do, until when, and when they were last used.

    \b
    Example:
      router token list
    """
    from router.cli.lists import show_tokens  # noqa: PLC0415 - not for `--help`
    from router.view import token_view  # noqa: PLC0415

    ledger = open_ledger_now(settings_now())
    tokens = ledger.people.tokens(ended=ended)
    ledger.close()
    if as_json:
        echo_json([token_view(token) for token in tokens])
    else:
        show_tokens(tokens, time.time())


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End the token called NAME: from now on it lets nobody in.

    \b
    Example:
      router token revoke backup
    """
    ledger = open_ledger_now(settings_now())
    ended = ledger.people.revoke_token(name)
    if ended is not None:
        note_deed(ledger, "token revoked", f"token {name}")
    ledger.close()
    if ended is None:
        fail(f"there is no token `{name}` that holds; `router token list` names them")
    click.echo(f"token `{name}` lets nobody in any more")


@command.command("hash")
def hash_() -> None:
    """Print what can be set as a password in its place, so that it stands nowhere itself.

    The password is asked for, or read from a pipe.

    \b
    Example:
      router token hash
      export ROUTER_ADMIN_PASSWORD="$(router token hash < password.txt)"
    """
    from router.access import hash_password  # noqa: PLC0415 - not for `--help`

    if sys.stdin.isatty():
        text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.read().strip()
    if not text:
        fail("there is no password to hash", 2)
    click.echo(hash_password(text))
