"""TLS to a venue: a certificate that is not the venue's is a lost wire, and no byte of the talk is believed."""

import shutil
import ssl
import subprocess
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests
from websockets.asyncio.server import serve

from common.errors import WireLost
from ingesters.feed import Dial, Fetch
from ingesters.mailbox import Mailbox
from ingesters.web import Web
from ingesters.wires import Wires

OURS = "subjectAltName=IP:127.0.0.1"
ANOTHERS = "subjectAltName=DNS:another.invalid"


@pytest.fixture(scope="module")
def certify(tmp_path_factory):
    """A function that makes a certificate of an authority, and the authority that is believed."""
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def told(*words):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True, timeout=30)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for authority in ("believed", "unknown"):
        name = ("-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        told("req", "-x509", *key, *name)

    def made(name, authority="believed", extension=OURS, days="1"):
        (folder / f"{name}.ext").write_text(extension)
        told("req", *key, "-subj", "/CN=venue", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", days)
        told("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", *signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        return context

    made.believed = str(folder / "believed.pem")
    return made


@pytest.fixture(autouse=True)
def _believe(certify, monkeypatch):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, certify.believed)


@pytest.fixture(params=["unknown authority", "expired", "of another host"])
def wrong(request, certify):
    """A certificate that is not to be believed, and what is said of it."""
    return {
        "unknown authority": lambda: certify("stranger", authority="unknown"),
        "expired": lambda: certify("expired", days="-1"),
        "of another host": lambda: certify("other", extension=ANOTHERS),
    }[request.param]()


@asynccontextmanager
async def venue(context):
    heard = []

    async def talk(socket):
        heard.append(socket)
        await socket.send("hello")
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, ssl=context) as server:
        yield f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/", heard


async def test_a_wire_with_the_right_certificate_is_opened(certify):
    async with venue(certify("right")) as (url, _):
        mailbox = Mailbox()
        wires = Wires("venue", mailbox)
        await wires.dial(Dial(url))

        assert b"hello" == (await mailbox.take())[0].payload
        wires.hang_up()


async def test_a_wire_with_a_wrong_certificate_is_lost_before_a_word_is_said(wrong):
    async with venue(wrong) as (url, heard):
        with pytest.raises(WireLost, match=r"no connection to wss.*CERTIFICATE_VERIFY_FAILED"):
            await Wires("venue", Mailbox()).dial(Dial(url))

        assert [] == heard


async def test_a_venue_that_speaks_no_tls_is_a_lost_wire():
    async with venue(None) as (url, heard):
        with pytest.raises(WireLost, match="no connection to wss"):
            await Wires("venue", Mailbox()).dial(Dial(url))

        assert [] == heard


class Answer(BaseHTTPRequestHandler):
    """Answers every question."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_):
        """Say nothing."""


@asynccontextmanager
async def web(context):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    asked = Web(answer_s=5.0)
    try:
        yield lambda: asked.ask(Fetch("key", f"https://127.0.0.1:{server.server_address[1]}/"))
    finally:
        asked.close()
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_question_over_the_right_certificate_is_answered(certify):
    async with web(certify("right")) as ask:
        assert b"[]" == (await ask()).content


async def test_a_question_over_a_wrong_certificate_is_not_answered(wrong):
    async with web(wrong) as ask:
        with pytest.raises(requests.exceptions.SSLError):
            await ask()
