"""The doctor before real databases, a real Valkey, real proxies and certificates, well and broken."""

import json
import re
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import make_url

from tests.jwks_server import ISSUER, issuer, send
from tests.postgres import postgres
from tests.processes import environment
from tests.proxies import haproxy, nginx
from tests.valkey import WITHOUT_SHARDS, valkey
from tocsin.adapters.sql.migrate import upgrade_postgres
from tocsin.cli.doctor import database, keys, redis_bus, url
from tocsin.cli.prove.node import free_port
from tocsin.settings import Settings

pytestmark = pytest.mark.slow

RANDOM = "9f1c66d2c0a4e7b85d3f0a91e6b7c2d84f5a6b3c1d9e8f70a2b4c6d8e0f1a3b5"


def bad(findings, level="problem"):
    return [one.text for one in findings if one.level == level]


def texts(findings):
    return [one.text for one in findings]


def of_database(**settings):
    return [*database.look(Settings(**settings))]


def of_redis(redis_url):
    return [*redis_bus.look(Settings(redis_url=redis_url))]


# An issuer's keys


def test_the_keys_of_an_issuer_are_fetched():
    """How many and of which kind; an issuer that answers none is a problem, a missing audience a warning."""
    with issuer() as idp:
        idp.add_key("a")
        settings = Settings(_env_file=None, jwks_url=idp.url, jwt_issuer=ISSUER)
        well = [*keys.look(settings)]
        idp.answer = lambda request: send(request, 500)
        ill = [*keys.look(settings)]

    assert [] == bad(well)
    assert any("1 keys, of ES256" in text for text in texts(well))
    assert any("TOCSIN_JWKS_URL" in text and "answers 500" in text for text in bad(ill))
    assert any("aud" in text for text in bad(well, "warning"))


# PostgreSQL


def test_a_postgresql_that_is_well():
    """Every line is ok, or a warning of its room."""
    with postgres(fsync="on", full_page_writes="on") as server:
        upgrade_postgres(server.url)
        found = of_database(database_url=server.url)

    assert [] == bad(found)
    assert any("are up to date" in text for text in texts(found))
    assert any("synchronous_commit" in text for text in texts(found))
    assert any("PostgreSQL are together" in text for text in texts(found))


def test_a_password_that_is_wrong_is_not_told(postgres_url):
    """Neither the wrong nor the right one."""
    port = free_port()
    wrong = make_url(postgres_url).set(password="hush-hush", port=port).render_as_string(hide_password=False)
    found = of_database(database_url=wrong)

    assert any("can't be used" in text for text in bad(found))
    assert "hush-hush" not in repr(found)


def test_a_postgresql_that_loses_what_it_acknowledged():
    """And one that has no room for so many workers."""
    with postgres(fsync="off", synchronous_commit="off", max_connections="20") as server:
        found = of_database(database_url=server.url, workers=8, redis_url="redis://x")

    assert any(text.startswith("fsync is off") for text in bad(found))
    assert any("synchronous_commit is off" in text for text in bad(found, "warning"))
    assert any("8 workers take 40" in text for text in bad(found))
    assert any("no tables yet" in text for text in bad(found, "warning"))


# Redis


def test_a_valkey_that_is_well(redis_url):
    """It is reached, fast, and brings what is published."""
    found = of_redis(redis_url)

    assert [] == bad(found)
    assert any("brings what is published" in text for text in texts(found))
    assert any("sharded channels" in text for text in texts(found))
    assert any("nothing is kept there" in text for text in texts(found))


def test_an_old_server_and_one_that_is_away(tmp_path):
    """The one is slower, the other a problem."""
    with valkey(tmp_path, **WITHOUT_SHARDS) as server:
        old = of_redis(server.url)
    away = of_redis(server.url)

    assert any("has no sharded channels" in text for text in bad(old, "warning"))
    assert any("brings what is published" in text for text in texts(old))
    assert 1 == len(bad(away))


def test_a_user_without_rights_is_told_so_and_no_password(tmp_path):
    """Who may not listen hears nothing; a wrong password is shown to nobody."""
    import redis  # noqa: PLC0415

    with valkey(tmp_path) as server, redis.Redis.from_url(server.url) as admin:
        rights = "on >right-pass ~* &tocsin:* -@all +ping +spublish +publish +client|setinfo"
        admin.execute_command("ACL", "SETUSER", "deaf", *rights.split())
        deaf = of_redis(f"redis://deaf:right-pass@127.0.0.1:{server.port}")
        wrong = of_redis(f"redis://deaf:wrong-pass@127.0.0.1:{server.port}")

    assert any("may not listen" in text for text in bad(deaf))
    assert 1 == len(bad(wrong))
    assert "right-pass" not in repr(deaf + wrong)
    assert "wrong-pass" not in repr(deaf + wrong)


# The way through proxies


@pytest.mark.parametrize("proxy", [nginx, haproxy], ids=["nginx", "haproxy"])
def test_the_proxies_of_deploy_are_well(start_server, tmp_path, proxy):
    """Polling, its upgrade, a WebSocket at once, and who the server thinks that it is."""
    ports = [int(start_server().url.rpartition(":")[2]) for _ in range(2)]
    with proxy(tmp_path, ports) as address:
        found = [*url.look(address)]

    assert [] == bad(found) + bad(found, "warning")
    assert any("101" in text for text in texts(found))
    assert any("becomes a WebSocket" in text for text in texts(found))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("proxy_set_header Upgrade $http_upgrade;", ""), "in place of 101"),
        (lambda text: text.replace("hash $remote_addr consistent;", ""), "polling loses its session"),
        (lambda text: text.replace("proxy_set_header Host $http_host;", ""), "scheme and host do not arrive"),
        (lambda text: text.replace("location / {", "location /js/ {"), "healthz answers 404"),
    ],
    ids=["no upgrade", "not sticky", "another host", "not all paths"],
)
def test_a_proxy_that_is_set_up_wrong(start_server, tmp_path, change, told):
    """Each mistake is told by what it breaks."""
    ports = [int(start_server().url.rpartition(":")[2]) for _ in range(2)]
    with nginx(tmp_path, ports, change) as address:
        found = [*url.look(address)]

    assert any(told in text for text in bad(found)), texts(found)


def test_a_small_body_limit_and_an_impatient_proxy(server, tmp_path):
    """What a client posts is refused on the way, and a WebSocket is cut while nothing is said."""
    port = int(server.url.rpartition(":")[2])

    def change(text):
        text = text.replace("client_max_body_size 1m", "client_max_body_size 10k")
        return text.replace("proxy_read_timeout 120s", "proxy_read_timeout 1s")

    with nginx(tmp_path, [port, port], change) as address:
        found = [*url.look(address, idle_s=3)]

    assert any("is refused" in text for text in bad(found, "warning"))
    assert any("is cut after" in text for text in bad(found, "warning"))


def test_a_proxy_that_makes_everybody_a_reader_on_the_machine(server, tmp_path):
    """It says neither whom it asks for nor by which name, as nginx does where it is told nothing."""
    port = int(server.url.rpartition(":")[2])

    def change(text):
        for header in ("Host", "X-Forwarded-For"):
            text = re.sub(rf"proxy_set_header {header} .*", "", text)
        return text.replace("proxy_pass http://tocsin", f"proxy_pass http://127.0.0.1:{port}")

    with nginx(tmp_path, [port, port], change) as address:
        found = [*url.look(address.replace("127.0.0.1", "127.0.0.2"))]

    assert "everybody may read /metrics" in bad(found, "warning")


def test_an_address_that_leads_elsewhere(server, tmp_path):
    """As plain HTTP leads to HTTPS: what is behind it is to be looked at instead."""
    port = int(server.url.rpartition(":")[2])

    def change(text):
        return text.replace("location / {", "location / { return 301 https://$host$request_uri;")

    with nginx(tmp_path, [port, port], change) as address:
        found = [*url.look(address)]

    assert [f"{address} leads to https://127.0.0.1/healthz"] == bad(found)


def test_a_server_that_speaks_no_tls(server):
    """Without a scheme https is meant; one finding, and what to do about it."""
    (found,) = url.look(server.url.removeprefix("http://"))

    assert found.level == "problem"
    assert "begin --url with http://" in found.advice


def test_a_token_is_checked(server):
    """One that the server takes, and one that it does not; neither is shown."""
    good, wrong = server.mint("ann"), server.mint("ann", ttl_s=-60)
    found = [[*url.look(server.url, token)] for token in (good, wrong)]

    assert [] == bad(found[0])
    assert any("the token is refused" in text for text in bad(found[1]))
    assert not {good, wrong} & set(repr(found).split())


def test_nobody_at_all(tmp_path):
    """A port where nothing listens, and something that is no URL."""
    assert any("does not answer" in text for text in bad(url.look(f"http://127.0.0.1:{free_port()}")))
    assert any("must look like" in text for text in bad(url.look("ftp://x")))


class Silent(BaseHTTPRequestHandler):
    """Another server, whose clock is an hour behind."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET  # noqa: N815 the library's

    def date_time_string(self, timestamp=None):
        return "Sat, 28 Nov 2020 00:00:00 GMT"

    def log_message(self, *_):
        pass


@contextmanager
def other_server(context=None):
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_another_server_and_its_clock():
    """It answers everything with 200, and is none of ours."""
    with other_server() as port:
        found = [*url.look(f"http://127.0.0.1:{port}")]

    assert any("apart" in text for text in bad(found))
    assert any("polling does not open" in text for text in bad(found))
    assert any("/js/websocket.js" in text for text in bad(found))


def certificate(folder, days):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + built.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context


def test_certificates(tmp_path, monkeypatch):
    """One that nobody trusts is a problem, and the rest is seen all the same; one that ends soon is a warning."""
    pem, context = certificate(tmp_path, days=3)
    with other_server(context) as port:
        distrusted = [*url.look(f"https://localhost:{port}")]
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        ending = [*url.look(f"https://localhost:{port}")]
        other_name = [*url.look(f"https://127.0.0.1:{port}")]

    assert any("browsers refuse the certificate" in text for text in bad(distrusted))
    assert any("/healthz answers" in text for text in texts(distrusted))
    assert any("holds for 3 days" in text for text in bad(ending, "warning"))
    assert any("browsers refuse the certificate" in text for text in bad(other_name))


# The command


def run(folder, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-c", "from tocsin.cli import main; main()", "doctor", *arguments],
        env=environment(folder / "tocsin.db", **variables),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_its_status_and_its_json(tmp_path, server):
    """0 where all is well, 1 with a problem; the same findings in JSON."""
    well = run(tmp_path, "--url", server.url, TOCSIN_JWT_SECRET=RANDOM)
    sick = run(tmp_path, "--json", TOCSIN_JWT_SECRET="change-me-" * 4)
    told = json.loads(sick.stdout)

    assert 0 == well.returncode, well.stdout
    assert "0 problems" in well.stdout
    assert 1 == sick.returncode
    assert 1 == told["problems"] == sum(one["level"] == "problem" for one in told["findings"])
    assert {"level", "area", "text", "advice"} == set(told["findings"][0])
    assert not [one for one in tmp_path.iterdir() if one.name.startswith("tocsin.db")]
    for done in (well, sick):
        assert RANDOM not in done.stdout + done.stderr
        assert "change-me-change" not in done.stdout + done.stderr
