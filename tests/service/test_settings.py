"""Settings: defaults that are safe, and one clear sentence for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mri_resorb.errors import SettingsError
from mri_resorb.service.settings import read_settings

PEER = '[[dicom.peers]]\nae_title = "MR1"\naddress = "192.0.2.7"\n'


def written(folder: Path, text: str) -> Path:
    (folder / "service.toml").write_text(text)
    return folder


def test_without_a_file_everything_listens_to_this_machine_alone(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert settings.host == settings.dicom.host == "127.0.0.1"
    assert settings.pacs.dimse is None
    assert settings.pacs.dicomweb is None


def test_files_are_named_from_the_folder_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "own.toml").touch()
    settings = read_settings(
        written(
            tmp_path,
            'pipeline = "own.toml"\n[tls]\ncertificate = "tls/cert.pem"\nkey = "/etc/key.pem"\n'
            '[pacs.dicomweb]\nurl = "https://pacs.example/dicom-web"\npassword_file = "password"\n',
        )
    )
    assert settings.tls is not None
    assert settings.tls.certificate == tmp_path / "tls" / "cert.pem"
    assert settings.tls.key == Path("/etc/key.pem")
    assert settings.pipeline == str(tmp_path / "own.toml")
    assert settings.pacs.dicomweb is not None
    assert settings.pacs.dicomweb.password_file == tmp_path / "password"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('host = "0.0.0.0"', r"\[tls\]"),
        ('host = "::"', r"\[tls\]"),
        ('[dicom]\nhost = "0.0.0.0"', r"dicom\.peers"),
        ('[dicom]\nae_title = "SEVENTEEN LETTERS"', r"dicom\.ae_title"),
        ('[dicom]\nae_title = "BACK\\\\SLASH"', r"dicom\.ae_title"),
        ('[pacs.dicomweb]\nurl = "ftp://pacs"', r"pacs\.dicomweb\.url"),
        ("prot = 1", "prot"),
        ("port = 70000", "port"),
        ("port = = 1", "TOML"),
    ],
)
def test_what_is_wrong_or_open_to_strangers_is_refused(
    tmp_path: Path, text: str, word: str
) -> None:
    with pytest.raises(SettingsError, match=word) as caught:
        read_settings(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_beyond_loopback_behind_a_proxy_and_with_peers(tmp_path: Path) -> None:
    text = 'host = "0.0.0.0"\nbehind_proxy = true\n[dicom]\nhost = "0.0.0.0"\n' + PEER
    settings = read_settings(written(tmp_path, text))
    assert settings.dicom.peers[0].address == "192.0.2.7"
