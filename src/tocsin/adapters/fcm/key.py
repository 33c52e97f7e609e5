"""The key file of a Firebase project: read once, checked without firebase-admin, shown to nobody."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_MEND = "download a new one in the Firebase console: Project settings, Service accounts, Generate new private key"
_PACKAGES = ("firebase_admin", "aiohttp")
_FIELDS = ("project_id", "client_email", "private_key", "token_uri")


class NotUsable(Exception):
    """Firebase can't be used so; the message is one line that follows ``FIREBASE_CREDENTIALS_PATH``."""


def read_key(path: Path) -> dict[str, Any]:
    """
    Return the content of a service account's key file.

    Raises:
        NotUsable: It is none, or the packages of the extra are not installed; the message tells nothing of the content.
    """
    if not all(map(importlib.util.find_spec, _PACKAGES)):
        raise NotUsable("is set, its package is missing: pip install 'tocsin[fcm]'")
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotUsable(f"names a file that can't be read ({error.strerror})") from None
    except ValueError:
        raise NotUsable(f"names a file that is not JSON; {_MEND}") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise NotUsable(f"names a file that is no key of a service account; {_MEND}")
    for field in _FIELDS:
        if not isinstance(key.get(field), str) or not key[field]:
            raise NotUsable(f"names a key file without {field}; {_MEND}")
    try:
        private = load_pem_private_key(key["private_key"].encode(), None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, RSAPrivateKey):
        raise NotUsable(f"names a key file with a damaged private_key; {_MEND}")
    return key
