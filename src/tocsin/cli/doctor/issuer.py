"""The keys of the tokens' issuer: they are fetched as the server fetches them."""

import asyncio
from urllib.parse import urlsplit

from tocsin.adapters.jwks_fetch import NotFetched, fetch
from tocsin.adapters.signing_keys import UnusableKey, keys_of_jwks
from tocsin.cli.doctor.finding import Findings, ok, problem, warning
from tocsin.settings import Settings


def look(settings: Settings) -> Findings:
    """Look at what TOCSIN_JWKS_URL gives; nothing where it is not set."""
    if settings.jwks_url is None:
        return
    where = urlsplit(settings.jwks_url).netloc
    try:
        keys = keys_of_jwks(asyncio.run(fetch(settings.jwks_url)))
    except (NotFetched, UnusableKey) as error:
        yield problem("keys", f"TOCSIN_JWKS_URL at {where}: {error}", "nobody gets in with it: look at the provider")
    else:
        kinds = sorted({algorithm for key in keys.values() for algorithm in key.algorithms})
        yield ok("keys", f"TOCSIN_JWKS_URL at {where}: {len(keys)} keys, of {', '.join(kinds)}")
    if settings.jwt_audience is None:
        yield warning(
            "keys",
            "tokens for other services of yours are not told apart, and those with an `aud` are refused",
            "set TOCSIN_JWT_AUDIENCE",
        )
