"""The listening socket of a server that is alone and its certificate, or the one line that says why there is none."""

import os
import socket

from tocsin.bootstrap.core import SetupError, StartError
from tocsin.rest.serve import listen
from tocsin.rest.tls import Certificate
from tocsin.settings import Settings


def open_listener(settings: Settings) -> socket.socket:
    """
    Return the socket that the settings name.

    Raises:
        StartError: The port is taken, or there should be several workers.
    """
    if settings.workers > 1:
        raise SetupError(
            f"this process is one worker, not {settings.workers}: start `tocsin serve module:app` with TOCSIN_WORKERS "
            "in the environment or .env, where alone it is looked for"
        )
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        raise cant_listen(settings, error) from error


def open_certificate(settings: Settings) -> Certificate | None:
    """
    Return the certificate that the settings name, or None when they name none.

    Raises:
        StartError: It can't be used.
    """
    if settings.tls_certificate is None:
        return None
    try:
        return Certificate(settings.tls_certificate, settings.tls_key)
    except ValueError as error:
        # Tried again: whoever renews it may be between its file and that of the key.
        raise StartError(f"TOCSIN_TLS_CERTIFICATE: {error}") from error


def cant_listen(settings: Settings, error: OSError) -> StartError:
    """Return what to tell of an address at which this process can't listen."""
    mend = "set TOCSIN_HOST and TOCSIN_PORT to an address that is free"
    if isinstance(error, PermissionError):
        mend = "a port below 1024 is for root, or needs AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd"
    return StartError(f"can't listen on {settings.host}:{settings.port} ({_reason(error)}): {mend}")


def _reason(error: OSError) -> str:
    # Python adds the address to the text of an errno; a failed name look-up has a text of its own.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
