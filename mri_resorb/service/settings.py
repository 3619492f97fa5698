"""How a service runs: `service.toml` in its folder, all of it optional."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mri_resorb.errors import SettingsError

SETTINGS_NAME = "service.toml"

AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
"""PS3.5 6.2: up to 16 characters of the default repertoire, no backslash, no space at an end."""
Port = Annotated[int, Field(ge=1, le=65535)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Table):
    """Files in PEM; paths from the service's folder."""

    certificate: Path
    key: Path


class Peer(_Table):
    """Who may send studies.

    Attributes:
        address: IP address from which it comes; any where None.
    """

    ae_title: AeTitle
    address: str | None = None


class DicomNode(_Table):
    """The DICOM node of the service.

    Attributes:
        peers: who may connect; on loopback anyone may where there are none.
    """

    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "MRI_RESORB"
    peers: tuple[Peer, ...] = ()


class DimsePacs(_Table):
    """A PACS that takes results by C-STORE."""

    ae_title: AeTitle
    host: str
    port: Port


class DicomwebPacs(_Table):
    """A PACS that is asked for earlier studies (QIDO-RS, WADO-RS) and takes results (STOW-RS).

    Attributes:
        url: of the DICOMweb service, as `https://pacs.example/dicom-web`.
        password_file: holds the password and nothing else; path from the service's folder.
    """

    url: Annotated[str, Field(pattern=r"^https?://")]
    user: str | None = None
    password_file: Path | None = None


class Pacs(_Table):
    """Where results go, and earlier studies come from.

    With both kinds, results go by C-STORE.
    """

    dimse: DimsePacs | None = None
    dicomweb: DicomwebPacs | None = None


class Limits(_Table):
    """What the web side takes from one client.

    Attributes:
        upload_bytes: of one request.
        expansion: unpacked to packed, of a zip.
        requests_per_minute: of one address.
    """

    upload_bytes: Annotated[int, Field(gt=0)] = 4 * 2**30
    expansion: Annotated[float, Field(ge=1)] = 200.0
    requests_per_minute: Annotated[int, Field(gt=0)] = 1200


class Settings(_Table):
    """All of `service.toml`.

    Attributes:
        host, port: of the page and the REST interface.
        behind_proxy: a proxy before the service ends TLS.
        pipeline: name or file, with the `[remote]` rules.
        workers: processes that measure; each works on one case at a time.
        time_limit_seconds: of one case.
        deidentify_on_arrival: what is stored has been de-identified.
    """

    host: str = "127.0.0.1"
    port: Port = 8765
    tls: Tls | None = None
    behind_proxy: bool = False
    pipeline: str = "remote"
    workers: Annotated[int, Field(ge=1)] = 1
    time_limit_seconds: Annotated[float, Field(gt=0)] = 600.0
    deidentify_on_arrival: bool = False
    dicom: DicomNode = DicomNode()
    pacs: Pacs = Pacs()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _is_closed_to_strangers(self) -> Self:
        if not is_loopback(self.dicom.host) and not self.dicom.peers:
            raise ValueError(
                "beyond loopback the DICOM node needs [[dicom.peers]] that may connect"
            )
        if not is_loopback(self.host) and self.tls is None and not self.behind_proxy:
            raise ValueError(
                "beyond loopback the page needs [tls], or behind_proxy = true where a proxy ends it"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(folder: Path) -> Settings:
    """The settings of a service's folder; the defaults where it holds no `service.toml`.

    Paths in it become absolute.

    Raises:
        SettingsError: not TOML, or a wrong key or value.
    """
    file = folder / SETTINGS_NAME
    if not file.exists():
        return Settings()
    try:
        read = Settings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as TOML: {error}.") from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        what = re.sub(r"^Value error, ", "", fault["msg"])
        raise SettingsError(
            f"{file} is wrong{f' at {where!r}' if where else ''}: {what}."
        ) from error
    return _absolute(read, folder=folder)


def _absolute(read: Settings, *, folder: Path) -> Settings:
    base = folder.absolute()
    changed: dict[str, object] = {}
    if read.tls is not None:
        changed["tls"] = Tls(certificate=base / read.tls.certificate, key=base / read.tls.key)
    web = read.pacs.dicomweb
    if web is not None and web.password_file is not None:
        web = web.model_copy(update={"password_file": base / web.password_file})
        changed["pacs"] = read.pacs.model_copy(update={"dicomweb": web})
    if (base / read.pipeline).is_file():
        changed["pipeline"] = str(base / read.pipeline)
    return read.model_copy(update=changed)
