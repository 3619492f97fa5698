"""`mri-resorb account`: who may use a reading service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mri_resorb.cli.terminal import check_packages, one_line_errors
from mri_resorb.errors import StoreError

if TYPE_CHECKING:
    import sqlite3


class RoleOption(StrEnum):
    """What somebody may do; an admin may also delete cases and read the audit log."""

    READER = "reader"
    ADMIN = "admin"


Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The service's folder.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Latin letters, digits and . _ @ -.")]
Role = Annotated[RoleOption, typer.Option("--role", help="An admin may delete, and read the log.")]

account = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who may use a reading service: people with passwords, programs with tokens.",
)


@account.command()
def add(folder: Folder, name: Name, role: Role = RoleOption.READER) -> None:
    """Let a person in; the password is asked for, or read from a pipe."""
    with one_line_errors():
        check_packages("argon2", extra="service")
        from mri_resorb.service.accounts import add_account

        password = _password()
        with _changing(folder, name, what=f"added as {role.value}", may_be_new=True) as connection:
            add_account(connection, name=name, role=role.value, password=password)


@account.command()
def password(folder: Folder, name: Name) -> None:
    """Give a person another password; their sessions end."""
    with one_line_errors():
        check_packages("argon2", extra="service")
        from mri_resorb.service.accounts import set_password

        given = _password()
        with _changing(folder, name, what="password") as connection:
            set_password(connection, name=name, password=given)


@account.command()
def remove(folder: Folder, name: Name) -> None:
    """Let a person in no more."""
    with one_line_errors():
        from mri_resorb.service.accounts import remove_account

        with _changing(folder, name, what="removed") as connection:
            remove_account(connection, name=name)


@account.command()
def token(folder: Folder, name: Name, role: Role = RoleOption.READER) -> None:
    """Let a program in; its token is shown now and never again."""
    with one_line_errors():
        from mri_resorb.service.accounts import add_token

        with _changing(folder, name, what=f"token as {role.value}", may_be_new=True) as connection:
            made = add_token(connection, name=name, role=role.value)
        typer.echo(made)


@account.command()
def remove_token(folder: Folder, name: Name) -> None:
    """Let a program in no more."""
    with one_line_errors():
        from mri_resorb.service import accounts

        with _changing(folder, name, what="token removed") as connection:
            accounts.remove_token(connection, name=name)


@account.command(name="list")
def show(folder: Folder) -> None:
    """Show who may use the service."""
    with one_line_errors():
        from mri_resorb.service.accounts import accounts, programs

        with _opened(folder) as connection:
            for kind, found in (("person", accounts), ("program", programs)):
                for one in found(connection):
                    typer.echo(f"{one.name}\t{kind}\t{one.role}")


@contextmanager
def _changing(
    folder: Path, name: str, *, what: str, may_be_new: bool = False
) -> Iterator[sqlite3.Connection]:
    """A change that the audit log tells."""
    from mri_resorb.service.audit import append

    with _opened(folder, may_be_new=may_be_new) as connection:
        yield connection
        append(
            connection,
            who="command line",
            action="account changed",
            subject=name,
            details={"what": what},
        )


@contextmanager
def _opened(folder: Path, *, may_be_new: bool = False) -> Iterator[sqlite3.Connection]:
    from mri_resorb.service import accounts, audit, sessions
    from mri_resorb.service.store import DATABASE_NAME, open_store

    if not may_be_new and not (folder / DATABASE_NAME).is_file():
        raise StoreError(f"{folder} is no folder of a service.")
    store = open_store(folder)
    try:
        for module in (accounts, sessions, audit):
            store.create_tables(module.SCHEMA)
        with store.transaction() as connection:
            yield connection
    finally:
        store.close()


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
