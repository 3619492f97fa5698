"""The application: routes, guards and the page, around a store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

import mri_resorb
from mri_resorb.pipeline import read_pipeline
from mri_resorb.service import accounts, audit, sessions
from mri_resorb.service.reception import Deidentify
from mri_resorb.service.settings import Settings
from mri_resorb.service.store import Store
from mri_resorb.service.web import problems
from mri_resorb.service.web.access import (
    admin,
    check_exposure,
    is_local,
    is_secure,
    reader,
)
from mri_resorb.service.web.corrections import Corrections, Remeasuring, RemeasuringHere
from mri_resorb.service.web.events import Events
from mri_resorb.service.web.journal import Journal
from mri_resorb.service.web.preparation import Preparation
from mri_resorb.service.web.routes import audit as audit_routes
from mri_resorb.service.web.routes import cases, files, health, masks, session, studies, words
from mri_resorb.service.web.routes.studies import MOST_UPLOADS
from mri_resorb.service.web.security import Guard
from mri_resorb.service.web.work_list import WorkList

STATIC_FOLDER = Path(__file__).parent / "static"


def create_app(
    store: Store,
    settings: Settings,
    *,
    deidentify: Deidentify | None = None,
    remeasuring: Remeasuring | None = None,
) -> FastAPI:
    """The REST interface and the page.

    Args:
        deidentify: applied to what is uploaded, before anything is kept.
        remeasuring: where corrected masks are measured; in this process where None.

    Raises:
        SettingsError: others could connect unencrypted, or without signing in.
        PipelineError: the settings name a pipeline that cannot be read.
    """
    for module in (accounts, sessions, audit):
        store.create_tables(module.SCHEMA)
    check_exposure(store, settings)
    app = FastAPI(
        title="mri-resorb",
        version=mri_resorb.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        responses={
            "4XX": {
                "description": "RFC 9457",
                "content": {
                    problems.PROBLEM_JSON: {
                        "schema": {"$ref": "#/components/schemas/ProblemDocument"}
                    }
                },
            }
        },
    )
    app.state.store = store
    app.state.settings = settings
    app.state.journal = Journal(store)
    app.state.events = Events(store)
    app.state.work_list = WorkList(store)
    language = read_pipeline(settings.pipeline).language
    corrections = Corrections(store, remeasuring or RemeasuringHere(), language)
    app.state.corrections = corrections
    app.state.preparation = Preparation(corrections.prepare)
    app.state.deidentify = deidentify
    app.state.uploads = asyncio.Semaphore(MOST_UPLOADS)
    problems.install(app)
    for routes in (session, health, words):  # `session` asks itself who it is
        app.include_router(routes.router)
    for routes in (cases, files, masks, studies):  # asked before anything else is looked at
        app.include_router(routes.router, dependencies=[Depends(reader)])
    app.include_router(audit_routes.router, dependencies=[Depends(admin)])
    app.mount("/", StaticFiles(directory=STATIC_FOLDER, html=True, check_dir=False))
    app.add_middleware(
        Guard,
        is_local=is_local(settings),
        is_secure=is_secure(settings),
        requests_per_minute=settings.limits.requests_per_minute,
        takes_files=_takes_files,
    )
    return app


def server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server of an application: nothing of a request in its log but what the guard says."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            ssl_certfile=settings.tls.certificate if settings.tls else None,
            ssl_keyfile=settings.tls.key if settings.tls else None,
            proxy_headers=settings.behind_proxy,
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=2**16,
        )
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(app.state.work_list.content)  # so that the first page need not wait
    yield
    events: Events = app.state.events
    events.end()


def _takes_files(method: str, path: str) -> bool:
    return (method == "POST" and path == "/api/studies") or (
        method == "PUT" and "/masks/" in path and path.startswith("/api/cases/")
    )
