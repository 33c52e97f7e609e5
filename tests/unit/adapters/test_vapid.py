"""The keys of the installation, and the tokens that they sign."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.vapid import TOKEN_LIFE_S, VapidKeyring, make_keys
from tocsin.domain.web_push import from_base64url, is_public_key

MOZILLA = "https://updates.push.services.mozilla.com"
DAY_S = 24 * 3_600


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(str(tmp_path / "tocsin.db"))
    await store.start()
    yield store
    await store.stop()


def claims_of(authorization, audience=MOZILLA):
    scheme, token, key = authorization.replace(",", "").split(" ")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key.removeprefix("k=")))
    assert "vapid" == scheme
    return jwt.decode(token.removeprefix("t="), public, ["ES256"], audience=audience, options={"verify_exp": False})


async def test_every_node_has_the_same_key(store):
    """Made by whoever needs it first, kept for good."""
    first, second = VapidKeyring(store), VapidKeyring(store)

    assert is_public_key(await first.public_key())
    assert await first.public_key() == await second.public_key()
    assert await first.keys() == await second.keys()


async def test_a_token_is_for_one_service_for_less_than_a_day(store, clock):
    """It says whom the service may write to (RFC 8292, 2)."""
    keyring = VapidKeyring(store, "mailto:push@example.com", clock=clock)
    claims = claims_of(await keyring.authorization(MOZILLA))

    assert {"aud": MOZILLA, "exp": int(clock.now) + TOKEN_LIFE_S, "sub": "mailto:push@example.com"} == claims
    assert TOKEN_LIFE_S < DAY_S
    assert f"k={await keyring.public_key()}" in await keyring.authorization(MOZILLA)


async def test_nobody_is_named_where_nobody_was(store):
    """The claim is optional."""
    assert {"aud", "exp"} == claims_of(await VapidKeyring(store).authorization(MOZILLA)).keys()


async def test_a_token_is_used_until_it_is_about_to_expire(store, clock):
    """One a service, made again in its last hour, and when the clock was set back by more than its life."""
    keyring = VapidKeyring(store, clock=clock)
    first = await keyring.authorization(MOZILLA)
    clock.now += TOKEN_LIFE_S - 3_700
    assert first == await keyring.authorization(MOZILLA)
    assert first != await keyring.authorization("https://fcm.googleapis.com")

    clock.now += 200
    second = await keyring.authorization(MOZILLA)
    assert first != second
    clock.now -= DAY_S
    assert claims_of(second)["exp"] - claims_of(await keyring.authorization(MOZILLA))["exp"] == DAY_S


async def test_services_without_end_are_not_remembered_without_end(store):
    """Hosts below one that is allowed may be many."""
    keyring = VapidKeyring(store)
    for number in range(300):
        await keyring.authorization(f"https://{number}.notify.windows.com")

    assert len(keyring._tokens) <= 256


async def test_no_repr_holds_a_key(store):
    """Of the keyring, the keys, and what it holds."""
    keyring = VapidKeyring(store)
    keys = await keyring.keys()

    shown = repr(keyring) + repr(keys) + repr(vars(keyring))
    assert "PRIVATE" not in shown
    assert repr(keys.receipt_key) not in shown


def test_new_keys_are_new():
    """No two installations have the same."""
    made = [make_keys() for _ in range(3)]

    assert 3 == len({keys.private_pem for keys in made}) == len({keys.receipt_key for keys in made})
    assert {32} == {len(keys.receipt_key) for keys in made}
