"""Secrets: long enough is asked of by the settings, hard to guess is looked at here. None is ever shown."""

import math
import re
from collections import Counter

from tocsin.adapters.jwt_tokens import JwtVerifier
from tocsin.cli.doctor import issuer
from tocsin.cli.doctor.finding import Finding, Findings, ok, problem, warning
from tocsin.settings import Settings, SettingsError

_MAKE = "`openssl rand -hex 32` makes one"
# 32 random bytes in hex have 128 bits by this measure; words of a phrase have more than half of that.
_LEAST_BITS = 80.0
_EXAMPLE = re.compile(
    r"secret|password|passw0rd|change[-_ ]?me|change[-_ ]?this|your[-_ ]|example|sample|default|dummy|insecure|"
    r"development|tocsin|qwerty|12345678|abcdefgh|0123456789abcdef0123456789abcdef|test",
    re.IGNORECASE,
)


def look(settings: Settings) -> Findings:
    """Look at what tokens and the bus are signed with."""
    secrets = {
        "TOCSIN_JWT_SECRET": settings.jwt_secret,
        "TOCSIN_BUS_KEY": settings.bus_key,
    }
    texts = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    for name, text in texts.items():
        yield _strength(name, text)
    if len(set(texts.values())) < len(texts):
        yield warning("keys", "TOCSIN_BUS_KEY is TOCSIN_JWT_SECRET: who learns one has both", f"use another; {_MAKE}")
    try:
        JwtVerifier.from_settings(settings)
    except SettingsError as error:
        mend = (
            "correct it: the server does not start so" if settings.jwt_public_key else f"set TOCSIN_JWT_SECRET; {_MAKE}"
        )
        yield problem("keys", f"no token can be verified: {error}", mend)
    yield from issuer.look(settings)
    if settings.redis_url is not None and settings.bus_key is None:
        yield warning(
            "keys",
            "who can publish in Redis can forge an event for any user",
            f"set TOCSIN_BUS_KEY, the same on all nodes; {_MAKE}",
        )


def _strength(name: str, text: str) -> Finding:
    if (word := _EXAMPLE.search(text)) is not None:
        return problem("keys", f"{name} holds a word of examples ({word[0].lower()})", f"use a random one; {_MAKE}")
    if (bits := entropy_bits(text)) < _LEAST_BITS:
        return problem("keys", f"{name} is easy to guess: about {bits:.0f} bits", f"use a random one; {_MAKE}")
    return ok("keys", f"{name}: {len(text.encode())} bytes, about {bits:.0f} bits hard to guess or more")


def entropy_bits(text: str) -> float:
    """Return the bits that who knows how often each character comes would guess; what is repeated counts once."""
    period = (text + text).find(text, 1)
    once = text[:period]
    total = len(once)
    return -sum(count * math.log2(count / total) for count in Counter(once).values())
