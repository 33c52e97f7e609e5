"""What a key file must be for the start to go on."""

import importlib.util
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tocsin.adapters.fcm import NotUsable, read_key
from tocsin.bootstrap import Core, StartError
from tocsin.settings import Settings
from tocsin.testing.fcm import FakeFcm

FAKE = FakeFcm()
EC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def key():
    return FAKE.key() | {"token_uri": "https://oauth2.googleapis.com/token"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "firebase.json"


def test_a_key_is_read(key, path):
    """As it stands in the file."""
    path.write_text(json.dumps(key))

    assert key == read_key(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "authorized_user"}, "no key of a service account"),
        ({"project_id": ""}, "without project_id"),
        ({"client_email": None}, "without client_email"),
        ({"token_uri": 5}, "without token_uri"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, "a damaged private_key"),
        ({"private_key": EC_KEY.decode()}, "a damaged private_key"),
    ],
)
def test_what_is_no_key_is_refused_in_one_line(key, path, change, reason):
    """The line says where to get one, and shows nothing of the file."""
    path.write_text(json.dumps(key | change))
    with pytest.raises(NotUsable, match=reason) as refused:
        read_key(path)

    line = str(refused.value)
    assert line.endswith("Generate new private key")
    assert "\n" not in line
    assert "AAAA" not in line
    assert FAKE.project_id not in line


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"'])
def test_what_is_no_json_object_is_refused(path, content):
    """Whatever a wrong path leads to."""
    path.write_bytes(content)
    with pytest.raises(NotUsable, match=r"not JSON|no key"):
        read_key(path)


def test_a_missing_package_is_named(key, path, monkeypatch):
    """With the command that installs it, before anything is sent."""
    path.write_text(json.dumps(key))
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "firebase_admin" else found(name))
    with pytest.raises(NotUsable) as refused:
        read_key(path)

    assert "is set, its package is missing: pip install 'tocsin[fcm]'" == str(refused.value)


def test_the_start_is_refused(path, tmp_path):
    """The line begins with the setting."""
    path.write_text("{}")
    settings = Settings(
        _env_file=None, database_url=f"sqlite:///{tmp_path / 'tocsin.db'}", firebase_credentials_path=path
    )
    with pytest.raises(StartError, match=r"^FIREBASE_CREDENTIALS_PATH names a file that is no key"):
        Core(settings)
