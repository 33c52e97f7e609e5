"""Where Web Push may go, and all the ways in which somebody might try to have it go elsewhere."""

import asyncio

import pytest

from tocsin.adapters import push_endpoints
from tocsin.adapters.push_endpoints import NotAllowed, PushEndpoints, Unresolved, is_public
from tocsin.settings import PUSH_SERVICES

FAKE = "127.0.0.1:8030"
PUBLIC = ["142.250.74.10", "2a00:1450:400f:80c::200a"]


class Names:
    """A name server that says what it is told, and counts who asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def endpoints(*answers, hosts=PUSH_SERVICES):
    return PushEndpoints(hosts, Names(*(answers or (PUBLIC,))))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABn-Q_7",
        "https://updates-autopush.push.services.mozilla.com/wpush/v2/a%2Fb",
        "https://fcm.googleapis.com/fcm/send/dK3:APA91b-Hun4_MxP5",
        "https://fcm.googleapis.com/wp/dK3:APA91b-Hun4_MxP5",
        "https://fcm.googleapis.com:443/fcm/send/dK3",
        "https://jmt17.google.com/fcm/send/dK3:APA91",
        "https://web.push.apple.com/QGuQyavXutnMH9pGLB3",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2b%2f=&x=(1)",
    ],
)
async def test_endpoints_of_browsers_pass(endpoint):
    """Firefox, Chrome and its kin, Safari, Edge: as they make them."""
    await endpoints().check(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://",
        "https:///fcm.googleapis.com/x",
        "fcm.googleapis.com/fcm/send/x",
        "//fcm.googleapis.com/fcm/send/x",
        "https:/fcm.googleapis.com/fcm/send/x",
        "https://fcm.googleapis.com",
        # Other schemes and ports
        "http://fcm.googleapis.com/fcm/send/x",
        "HTTPS://fcm.googleapis.com/fcm/send/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "gopher://fcm.googleapis.com/x",
        "javascript:alert(1)",
        "https://fcm.googleapis.com:80/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:/x",
        "https://fcm.googleapis.com:0443/x",
        "https://fcm.googleapis.com:443:443/x",
        # Hosts that are not on the list, though they look so
        "https://example.com/x",
        "https://fcm.googleapis.com.evil.com/x",
        "https://evilfcm.googleapis.com/x",
        "https://storage.googleapis.com/x",
        "https://googleapis.com/x",
        "https://notify.windows.com.evil.com/x",
        "https://xnotify.windows.com/x",
        "https://.push.apple.com/x",
        "https://a..push.apple.com/x",
        "https://-.push.apple.com/x",
        "https://a_b.push.apple.com/x",
        "https://*.push.apple.com/x",
        f"https://{'a' * 64}.push.apple.com/x",
        "https://fcm.googleapis.com./x",
        "https://FCM.googleapis.com/x",
        # User info, and what parsers take for it
        "https://user@fcm.googleapis.com/x",
        "https://user:word@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@169.254.169.254/x",
        "https://fcm.googleapis.com%40169.254.169.254/x",
        "https://fcm.googleapis.com\\@169.254.169.254/x",
        "https://169.254.169.254\\.push.apple.com/x",
        "https://169.254.169.254#.push.apple.com/x",
        "https://169.254.169.254?.push.apple.com/x",
        "https://169.254.169.254;.push.apple.com/x",
        "https://fcm.googleapis.com/x#fragment",
        "https://fcm.googleapis.com?x=/y",
        # Addresses in all their forms
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/x",
        "https://017700000001/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://127.1/x",
        "https://0/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://142.250.74.10/x",
        # Names beyond ASCII, and what they become
        "https://fcm.google\u0430pis.com/x",
        "https://fcm\u3002googleapis.com/x",
        "https://\uff46cm.googleapis.com/x",
        "https://fcm.googleapis.com\u2044.evil.com/x",
        "https://\u2460\u2461\u2466.0.0.1/x",
        "https://xn--fcm-5cd.googleapis.com.xn--evil-com/x",
        # What cuts a request in two, or hides
        "https://fcm.googleapis.com/x\r\nHost: evil.com",
        "https://fcm.googleapis.com/x\n",
        "\nhttps://fcm.googleapis.com/x",
        " https://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/\tx",
        "https://fcm.goo\tgleapis.com/x",
        "https://fcm.googleapis.com\0.evil.com/x",
        "https://fcm.googleapis.com/%0",
        "https://fcm.googleapis.com/%zz",
        'https://fcm.googleapis.com/"',
        "https://fcm.googleapis.com/" + "x" * 2_048,
        # A fake that nobody has named
        "http://127.0.0.1:8030/x",
        "https://localhost:8030/x",
    ],
)
async def test_whatever_else_is_refused(endpoint):
    """Before any name is looked up; the refusal repeats nothing of it."""
    names = Names(PUBLIC)
    with pytest.raises(NotAllowed) as refusal:
        await PushEndpoints(PUSH_SERVICES, names).check(endpoint)

    assert [] == names.asked
    assert "endpoint must be the https URL of a push service that TOCSIN_WEBPUSH_HOSTS allows" == refusal.value.detail


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2a00:1450::1%eth0",
        "fec0::1",
        "ff02::1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "",
        "name",
    ],
)
async def test_no_address_but_a_public_one_is_gone_to(address):
    """One among many is enough to refuse the host."""
    assert not is_public(address)
    with pytest.raises(NotAllowed, match="not public"):
        await endpoints([*PUBLIC, address]).check("https://fcm.googleapis.com/fcm/send/x")


@pytest.mark.parametrize("address", [*PUBLIC, "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2620:149:208::1"])
def test_public_addresses(address):
    """Of both families, and IPv4 behind a translator."""
    assert is_public(address)


async def test_a_name_that_changes_is_judged_each_time():
    """What was public when the endpoint was saved is not when something is sent (DNS rebinding)."""
    judge = endpoints(PUBLIC, ["127.0.0.1"])
    await judge.check("https://fcm.googleapis.com/fcm/send/x")

    with pytest.raises(NotAllowed):
        await judge.addresses("fcm.googleapis.com", 443)


async def test_addresses_of_an_unlisted_host_are_not_asked_for():
    """Whoever calls."""
    names = Names(PUBLIC)

    with pytest.raises(NotAllowed):
        await PushEndpoints(PUSH_SERVICES, names).addresses("example.com", 443)
    assert [] == names.asked


@pytest.mark.parametrize("answer", [OSError("no such name"), []])
async def test_a_name_that_is_not_known_now_may_be_later(answer):
    """It is refused, as something to be tried again."""
    with pytest.raises(Unresolved) as refusal:
        await endpoints(answer).check("https://fcm.googleapis.com/fcm/send/x")

    assert refusal.value.retryable
    assert 5 == refusal.value.retry_after_s


async def test_a_name_server_that_hangs_is_not_waited_for(monkeypatch):
    """The check ends in bounded time."""

    async def hang(host, port):
        await asyncio.Event().wait()

    monkeypatch.setattr(push_endpoints, "LOOK_UP_S", 0.01)
    with pytest.raises(Unresolved):
        await PushEndpoints(PUSH_SERVICES, hang).check("https://fcm.googleapis.com/fcm/send/x")


@pytest.mark.parametrize("endpoint", [f"http://{FAKE}/push/1", f"https://{FAKE}/push/1"])
async def test_a_fake_that_is_named_passes(endpoint):
    """That port alone, and the usual services no more where only it is named."""
    judge = PushEndpoints((FAKE,))
    await judge.check(endpoint)

    for other in (
        "http://127.0.0.1:8031/x",
        "http://127.0.0.1/x",
        "http://localhost:8030/x",
        "https://fcm.googleapis.com/x",
    ):
        with pytest.raises(NotAllowed):
            await judge.check(other)


async def test_a_fake_by_name_is_on_loopback():
    """Whatever the name means elsewhere."""
    judge = endpoints(["10.0.0.1"], hosts=("localhost:8030",))

    with pytest.raises(NotAllowed):
        await judge.check("http://localhost:8030/x")
    await endpoints(["127.0.0.1", "::1"], hosts=("localhost:8030",)).check("http://localhost:8030/x")
