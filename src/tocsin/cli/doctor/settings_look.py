"""The settings: each bad one is a line, and the rest is looked at with the defaults of those."""

import importlib
import ipaddress
import os
from collections.abc import Mapping

from dotenv import dotenv_values
from pydantic import AliasChoices

from tocsin.bootstrap import StartError
from tocsin.bootstrap.listening import open_certificate
from tocsin.cli.doctor.finding import Finding, Findings, ok, problem, warning
from tocsin.settings import ANY_ORIGIN, Settings, SettingsError

AREA = "settings"
_OURS = ("TOCSIN_", "SOCKETIO_")
# Of the tests of crashes; no settings.
_OTHERS = frozenset({"TOCSIN_FAILPOINT", "TOCSIN_FAILPOINTS"})
_LOCAL = ("http://localhost", "http://127.", "http://[::1]")


def read() -> tuple[Settings | None, list[Finding]]:
    """Return the settings, None where nothing can be made of them, and what is wrong with them."""
    found: list[Finding] = []
    given: dict[str, object] = {}
    for _ in range(len(Settings.model_fields)):
        try:
            return Settings(**given), found
        except SettingsError as error:
            if given and not error.fields:
                break  # what does not go together may be the defaults that stand in
            found += [problem(AREA, line, "correct it: the server does not start so") for line in error.lines]
            usual = {name: Settings.model_fields[name].get_default() for name in error.fields}
            if not usual.keys() - given.keys():
                break
            given |= usual
    return None, found


def look(settings: Settings, environment: Mapping[str, str] = os.environ) -> Findings:
    """Look for what is allowed and hardly meant."""
    yield from _misspelt({**dotenv_values(".env"), **environment})
    yield from _origins(settings)
    yield from _proxies(settings)
    yield from _certificate(settings)
    yield from _traces(settings)


def _misspelt(environment: Mapping[str, str | None]) -> Findings:
    known = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields} | _OTHERS
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            known |= {str(choice) for choice in field.validation_alias.choices}
    for name in sorted(environment):
        if name.upper().startswith(_OURS) and name.upper() not in known:
            yield warning(
                AREA, f"{name} is no setting and changes nothing", "look for a misspelling; see the reference"
            )


def _origins(settings: Settings) -> Findings:
    if ANY_ORIGIN in settings.cors_origins:
        yield warning(
            "origins",
            "every web page may use this server with a token that it gets hold of",
            "name your own in TOCSIN_CORS_ORIGINS",
        )
    for origin in settings.cors_origins:
        if origin.startswith("http://") and not origin.startswith(_LOCAL):
            yield warning("origins", f"{origin} is not encrypted", "serve that page by https, and name it so")
    if ANY_ORIGIN not in settings.cors_origins:
        yield ok("origins", ", ".join(settings.cors_origins) or "pages of the server's own origin alone")


def _proxies(settings: Settings) -> Findings:
    for proxy in settings.trusted_proxies:
        network = ipaddress.ip_network(proxy)
        if network.prefixlen == 0 or (network.num_addresses > 2**16 and network.is_global):
            yield problem(
                "proxies",
                f"{proxy} is believed: anybody there may say which address a client has",
                "TOCSIN_TRUSTED_PROXIES: the addresses of your proxies alone",
            )
    yield ok("proxies", f"believed: {', '.join(settings.trusted_proxies) or 'none'}")


def _certificate(settings: Settings) -> Findings:
    try:
        if open_certificate(settings) is not None:
            yield ok("tls", "TOCSIN_TLS_CERTIFICATE can be served with its key")
    except StartError as error:
        yield problem("tls", str(error), "correct it: the server does not start so")


def _traces(settings: Settings) -> Findings:
    if settings.otlp_url is None:
        return
    try:
        importlib.import_module("tocsin.adapters.otel")
    except ImportError:
        yield problem("traces", "TOCSIN_OTLP_URL is set, its package is missing", "pip install 'tocsin[otel]'")
