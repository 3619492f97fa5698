"""Signing in and out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mri_resorb.service.accounts import MOST_PASSWORD_LENGTH
from mri_resorb.service.sessions import TooManyLoginsError, log_in, log_out
from mri_resorb.service.web.access import Reader, SettingsOf, StoreOf, cookie_name, is_secure
from mri_resorb.service.web.documents import SessionDocument
from mri_resorb.service.web.journal import Journal
from mri_resorb.service.web.problems import Problem

router = APIRouter(prefix="/api/session", tags=["session"])


class Credentials(BaseModel):
    """Who wants in."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=MOST_PASSWORD_LENGTH)]


@router.post("")
def begin(
    credentials: Credentials,
    request: Request,
    response: Response,
    store: StoreOf,
    settings: SettingsOf,
) -> SessionDocument:
    """Sign in; the answer sets a cookie, and tells the CSRF token."""
    journal: Journal = request.app.state.journal
    address = request.client.host if request.client else ""
    try:
        login = log_in(store, name=credentials.name, password=credentials.password, address=address)
    except TooManyLoginsError as error:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-logins",
            "Too many attempts to sign in failed; try again in a quarter of an hour.",
            headers={"Retry-After": str(error.seconds)},
        ) from error
    if login is None:
        journal.did("service", "sign-in refused", address=address)
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "wrong-password", "There is no such name and password."
        )
    old = request.cookies.get(cookie_name(settings))
    if old is not None:
        with store.transaction() as connection:
            log_out(connection, old)
    account = login.session.account
    journal.did(account.name, "signed in", address=address)
    response.set_cookie(
        cookie_name(settings),
        login.token,
        httponly=True,
        samesite="strict",
        secure=is_secure(settings),
        path="/",
    )
    return SessionDocument(name=account.name, role=account.role, csrf=login.session.csrf)


@router.get("")
def current(visitor: Reader) -> SessionDocument:
    """Who is signed in."""
    return SessionDocument(name=visitor.name, role=visitor.role, csrf=visitor.csrf)


@router.delete("", status_code=HTTPStatus.NO_CONTENT)
def end(request: Request, visitor: Reader, store: StoreOf, settings: SettingsOf) -> Response:
    """Sign out."""
    token = request.cookies.get(cookie_name(settings))
    if token is not None:
        with store.transaction() as connection:
            log_out(connection, token)
        journal: Journal = request.app.state.journal
        journal.did(visitor.name, "signed out")
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(
        cookie_name(settings),
        httponly=True,
        samesite="strict",
        secure=is_secure(settings),
        path="/",
    )
    return response
