"""The whole service: the node, the work and the page, until it is told to end."""

from __future__ import annotations

import fcntl
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mri_resorb.batch.worker import Compare
from mri_resorb.case import follow_up
from mri_resorb.errors import SettingsError, StoreError
from mri_resorb.pipeline import read_pipeline
from mri_resorb.service.jobs import clear_unnamed
from mri_resorb.service.node import listening
from mri_resorb.service.reception import Deidentify, clear_unnoted
from mri_resorb.service.settings import Settings, read_settings
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.work import working

LOCK_NAME = "service.lock"
KEY_NAME = "deidentification.key"


def serve(folder: Path, *, tell: Callable[[str], None], compare: Compare = follow_up) -> None:
    """Run until SIGTERM or SIGINT; what is not done then is taken up the next time.

    Args:
        folder: of the service; made where it is missing.
        tell: called with a line for people when everything listens.
        compare: instead of `mri_resorb.follow_up`; a function that workers can import.

    Raises:
        SettingsError, PipelineError: `service.toml` is wrong, not safe, or an address is taken.
        StoreError: the folder cannot be used, or another service runs in it.
        MissingPackageError: a package of the extra `service` is not installed.
    """
    from mri_resorb.service.web.app import create_app, server
    from mri_resorb.service.web.remeasuring_process import remeasuring_process

    settings = read_settings(folder)
    way = read_pipeline(settings.pipeline)
    with _alone_in(folder) as store, remeasuring_process() as remeasuring:
        clear_unnoted(store)
        clear_unnamed(store)
        deidentify = _deidentifier(folder) if settings.deidentify_on_arrival else None
        app = create_app(store, settings, deidentify=deidentify, remeasuring=remeasuring)
        with (
            _bound(settings) as bound,
            listening(store, settings.dicom, deidentify=deidentify),
            working(store, settings, way, compare=compare, deidentify=deidentify),
            _ending_on_signals(),
        ):
            tell(_announcement(settings))
            server(app, settings).run(sockets=[bound])


@contextmanager
def _alone_in(folder: Path) -> Iterator[Store]:
    store = open_store(folder)
    try:
        with (folder / LOCK_NAME).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"Another service runs in {folder}.") from error
            yield store
    finally:
        store.close()


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """A socket at the page's address, so that a taken one is told of before anything runs."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((settings.host, settings.port))
            bound.listen()
        except OSError as error:
            raise SettingsError(
                f"The page cannot be served at {settings.host}:{settings.port}: {error.strerror}."
            ) from error
        yield bound


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Let uvicorn take SIGTERM and SIGINT, which it raises again once it has ended."""
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(name, lambda *_: None) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def _deidentifier(folder: Path) -> Deidentify:
    from mri_resorb.deidentify.instance import deidentified
    from mri_resorb.deidentify.key import read_key

    return partial(deidentified, key=read_key(folder / KEY_NAME))


def _announcement(settings: Settings) -> str:
    scheme = "https" if settings.tls else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    node = settings.dicom
    return (
        f"The page is at {scheme}://{host}:{settings.port}/, the DICOM node {node.ae_title} at "
        f"{node.host}:{node.port}."
    )
