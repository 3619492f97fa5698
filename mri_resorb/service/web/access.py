"""Who asks: a person by a session, a program by a token, or on loopback whoever sits there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from mri_resorb.errors import SettingsError
from mri_resorb.service.accounts import Account, Role, anybody, program_of
from mri_resorb.service.sessions import is_same, session_of
from mri_resorb.service.settings import Settings, is_loopback
from mri_resorb.service.store import Store
from mri_resorb.service.web.problems import Problem

CSRF_HEADER = "X-CSRF-Token"
LOCAL_ACCOUNT = Account("local", "admin")
"""Who sits at the machine, where there are no accounts and nobody else can connect."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_CSRF = secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        csrf: what a browser has to repeat; None for a program.
    """

    name: str
    role: Role
    csrf: str | None

    @property
    def is_person(self) -> bool:
        """Not a program."""
        return self.csrf is not None


def is_local(settings: Settings) -> bool:
    """Whether this machine alone can connect."""
    return is_loopback(settings.host) and not settings.behind_proxy


def is_secure(settings: Settings) -> bool:
    """Whether all comes through TLS."""
    return settings.tls is not None or settings.behind_proxy


def cookie_name(settings: Settings) -> str:
    """Of the session; browsers hold `__Host-` to TLS and to this very host."""
    return "__Host-mri-resorb" if is_secure(settings) else "mri-resorb"


def check_exposure(store: Store, settings: Settings) -> None:
    """See that nobody gets in whom nobody let in.

    Raises:
        SettingsError: others can connect, and there is no TLS, or neither account nor token.
    """
    if is_local(settings):
        return
    if not is_secure(settings):
        raise SettingsError(
            f"At {settings.host} others can connect: give [tls], or behind_proxy = true where a "
            "proxy ends TLS."
        )
    with store.reading() as connection:
        if not anybody(connection):
            raise SettingsError(
                "Others can connect, and there is no account yet: add one with mri-resorb account "
                "add."
            )


def find_visitor(request: Request) -> Visitor | None:
    """Who asks; None for a stranger."""
    store: Store = request.app.state.store
    settings: Settings = request.app.state.settings
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        with store.reading() as connection:
            program = program_of(connection, bearer.strip())
        return Visitor(f"token {program.name}", program.role, None) if program else None
    token = request.cookies.get(cookie_name(settings))
    if token is not None:
        session = session_of(store, token)
        if session is not None:
            return Visitor(session.account.name, session.account.role, session.csrf)
    if is_local(settings):
        with store.reading() as connection:
            if not anybody(connection):
                return Visitor(LOCAL_ACCOUNT.name, LOCAL_ACCOUNT.role, _LOCAL_CSRF)
    return None


def reader(request: Request) -> Visitor:
    """Who asks, if they may; a browser that changes something has to show its CSRF token.

    Raises:
        Problem: 401 or 403.
    """
    visitor = find_visitor(request)
    if visitor is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "not-signed-in",
            "Sign in first.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if visitor.csrf is not None and request.method not in _SAFE:
        check_csrf(request, expected=visitor.csrf)
    return visitor


def admin(visitor: Annotated[Visitor, Depends(reader)]) -> Visitor:
    """Likewise, of the role admin.

    Raises:
        Problem: 401 or 403.
    """
    if visitor.role != "admin":
        raise Problem(HTTPStatus.FORBIDDEN, "not-allowed", "This takes the role admin.")
    return visitor


def person(visitor: Annotated[Visitor, Depends(reader)]) -> Visitor:
    """Likewise, not a program.

    Raises:
        Problem: 401 or 403.
    """
    if not visitor.is_person:
        raise Problem(HTTPStatus.FORBIDDEN, "not-allowed", "This takes a person, not a program.")
    return visitor


def check_csrf(request: Request, *, expected: str) -> None:
    """See that the page itself asks, not another site with the reader's cookie.

    Raises:
        Problem: 403.
    """
    if not is_same(request.headers.get(CSRF_HEADER, ""), expected):
        raise Problem(
            HTTPStatus.FORBIDDEN, "csrf", f"The header {CSRF_HEADER} is missing or wrong."
        )


Reader = Annotated[Visitor, Depends(reader)]
Admin = Annotated[Visitor, Depends(admin)]
Person = Annotated[Visitor, Depends(person)]


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


StoreOf = Annotated[Store, Depends(_store)]
SettingsOf = Annotated[Settings, Depends(_settings)]
