"""Sockets under the faults of a wire: what is heard, what is answered, and how it is known that a wire is gone."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from common.errors import WireLost
from ingesters.feed import Dial, Frame
from ingesters.mailbox import MOST_TAKEN, MOST_TAKEN_BYTES, MOST_WAITING_BYTES, Mailbox
from ingesters.sockets import MAX_FRAME_BYTES
from ingesters.wires import Wires
from tests.fleet_harness import free_port
from tests.ingest_kit import listener, until, venue_socket

pytestmark = pytest.mark.timeout(30)

MEGABYTE = 2**20


@asynccontextmanager
async def wired(url):
    mailbox = Mailbox()
    wires = Wires("venue", mailbox)
    try:
        await wires.dial(Dial(url))
        yield wires, mailbox
    finally:
        wires.hang_up()


async def heard(mailbox, count):
    """Return the payloads of the next frames."""
    found = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += [frame.payload for frame in await mailbox.take()]
    return found


async def lost(mailbox):
    """Return what came before the wire was lost, and why it was."""
    found = []
    try:
        async with asyncio.timeout(10):
            while True:
                found += [frame.payload for frame in await mailbox.take()]
    except WireLost as error:
        return found, error.reason


async def for_ever(socket):
    await socket.wait_closed()


async def test_a_message_in_fragments_is_heard_whole_with_a_ping_between():
    pongs = []

    async def talk(socket):
        async def parts():
            yield '{"a":'
            pongs.append(await socket.ping("between"))
            yield "1"
            yield "}"

        await socket.send(parts())
        await pongs[0]
        await socket.send("answered")
        await for_ever(socket)

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        assert [b'{"a":1}', b"answered"] == await heard(mailbox, 2)


async def test_a_message_of_ten_megabytes_is_heard_whole():
    message = bytes(range(256)) * (10 * MEGABYTE // 256)

    async def talk(socket):
        await socket.send(message)
        await for_ever(socket)

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        assert [message] == await heard(mailbox, 1)


async def test_a_message_that_never_ends_is_cut_off():
    async def talk(socket):
        async def parts():
            while True:
                yield b"x" * MEGABYTE

        with suppress(ConnectionClosed):
            await socket.send(parts())

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        assert ([], f"main: a message of more than {MAX_FRAME_BYTES} bytes in fragments") == await lost(mailbox)


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1001, "going away", "main: closed by the venue: 1001 going away"),
        (1000, "", "main: closed by the venue: 1000"),
        (4999, "own code", "main: closed by the venue: 4999 own code"),
    ],
)
async def test_a_close_is_told_in_the_venues_words_after_what_came_before(code, reason, told):
    async def talk(socket):
        await socket.send("last words")
        await socket.close(code, reason)

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        assert ([b"last words"], told) == await lost(mailbox)


@pytest.mark.parametrize(
    ("close", "told"),
    [
        (b"\x88\x00", "main: closed by the venue: without a code"),
        (b"\x88\x04\x03\xe8\xff\xfe", "main: the connection ended without a word"),
        (b"", "main: the connection ended without a word"),
    ],
    ids=["without a code", "with a reason that is no text", "without a close"],
)
async def test_an_odd_end_is_an_end_with_all_that_came_before(close, told):
    async def talk(socket):
        await socket.send("last words")
        socket.transport.write(close)
        socket.transport.close()
        await for_ever(socket)

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        assert ([b"last words"], told) == await lost(mailbox)


async def test_a_frame_that_breaks_the_protocol_ends_the_connection():
    async def talk(socket):
        await socket.send("good")
        socket.transport.write(b"\x8b\x00")  # an operation that does not exist
        await for_ever(socket)

    async with venue_socket(talk) as url, wired(url) as (_, mailbox):
        found, _ = await lost(mailbox)

    assert [b"good"] == found


async def test_a_socket_without_a_byte_is_dead():
    async with venue_socket(for_ever) as url, wired(url) as (wires, _):
        wires.judge(dead_s=60, mute_s=60)
        with pytest.raises(WireLost, match=r"main: not a byte for 0 s"):
            wires.judge(dead_s=0, mute_s=60)


async def test_a_socket_with_nothing_but_pings_is_mute_and_not_dead():
    answered = asyncio.Event()

    async def talk(socket):
        await asyncio.sleep(0.3)
        await (await socket.ping("payload"))
        answered.set()
        await for_ever(socket)

    async with venue_socket(talk) as url, wired(url) as (wires, _):
        await asyncio.wait_for(answered.wait(), 5)

        with pytest.raises(WireLost, match=r"nothing but pings for 0\.2 s"):
            wires.judge(dead_s=0.2, mute_s=0.2)


async def test_a_socket_that_we_do_not_read_is_neither_dead_nor_mute():
    async with venue_socket(for_ever) as url, wired(url) as (wires, _):
        wires.pause()
        wires.judge(dead_s=0, mute_s=0)
        wires.resume()

        with pytest.raises(WireLost):
            wires.judge(dead_s=0, mute_s=0)


async def test_a_socket_that_was_cut_while_it_was_not_read_can_be_paused_and_resumed():
    async def talk(socket):
        socket.transport.abort()

    async with venue_socket(talk) as url, wired(url) as (wires, mailbox):
        await lost(mailbox)
        wires.pause()
        wires.resume()


async def test_no_more_is_read_than_the_mailbox_may_hold():
    sent = 0

    async def talk(socket):
        nonlocal sent
        with suppress(ConnectionClosed):
            while True:
                await socket.send(b"x" * MEGABYTE)
                sent += 1

    async with venue_socket(talk) as url, wired(url) as (wires, mailbox):
        await until(lambda: mailbox.is_full)
        await asyncio.sleep(0.2)  # nothing happens is not an event
        held_bytes = mailbox.size_bytes
        mailbox.frames.clear()
        mailbox.size_bytes = 0
        wires.resume()
        await until(lambda: sent > 2 * MOST_WAITING_BYTES // MEGABYTE)

    assert held_bytes < 2 * MOST_WAITING_BYTES


async def test_a_read_that_brings_thousands_is_heard_in_parts_with_answers_first():
    mailbox = Mailbox()
    for number in range(2 * MOST_TAKEN + 1):
        mailbox.put(Frame(number, b"12"))

    first = await mailbox.take()
    mailbox.put(Frame(-1, b"", reply_to="asked"))
    second = await mailbox.take()
    third = await mailbox.take()

    assert (MOST_TAKEN, MOST_TAKEN, 2) == (len(first), len(second), len(third))
    assert [*range(MOST_TAKEN), -1, *range(MOST_TAKEN, 2 * MOST_TAKEN + 1)] == [
        frame.received_ns for frame in first + second + third
    ]
    assert (0, 4) == (mailbox.size_bytes, mailbox.taken_bytes)
    assert not mailbox.arrived.is_set()


async def test_large_frames_are_heard_a_few_at_a_time():
    mailbox = Mailbox()
    for number in range(6):
        mailbox.put(Frame(number, b"x" * MEGABYTE))

    first = await mailbox.take()

    assert (MOST_TAKEN_BYTES // MEGABYTE + 1) * MEGABYTE == mailbox.taken_bytes == len(first) * MEGABYTE
    assert [5] == [frame.received_ns for frame in await mailbox.take()]
    assert 0 == mailbox.size_bytes


async def hang(reader, _writer):
    await reader.read()


async def hang_up(_reader, writer):
    writer.transport.abort()


def say(text):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return talk


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"),
        (say(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), "429"),
        (say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "200"),
        (say(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), ""),
        (say(b"HTTP/1.1 302 Found\r\nLocation: nowhere://else\r\n\r\n"), ""),
        (say(b"HTTP/1.1 301 Moved\r\n\r\n"), ""),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), ""),
        (say(b"\xff" * 100_000), ""),
        (say(b"HTTP/1.1 101 Swit"), ""),
        (hang_up, ""),
    ],
    ids=["403", "429", "200", "no upgrade", "odd redirect", "no way", "no HTTP", "noise", "half", "hang up"],
)
async def test_a_handshake_that_fails_is_a_lost_wire(talk, reason):
    async with listener(talk) as port:
        with pytest.raises(WireLost, match=f"no connection to ws://127.0.0.1:{port}/stream: .*{reason}"):
            await Wires("venue", Mailbox()).dial(Dial(f"ws://127.0.0.1:{port}/stream?streams=a"))


async def test_a_dial_that_nobody_answers_is_a_lost_wire():
    with pytest.raises(WireLost, match="no connection"):
        await Wires("venue", Mailbox()).dial(Dial(f"ws://127.0.0.1:{free_port()}/"))


async def test_a_dial_that_hangs_is_given_up():
    async with listener(hang) as port:
        with pytest.raises(WireLost, match="no connection"):
            await Wires("venue", Mailbox(), dial_s=0.3).dial(Dial(f"ws://127.0.0.1:{port}/"))


async def test_a_name_that_does_not_exist_is_a_lost_wire():
    with pytest.raises(WireLost, match="no connection"):
        await Wires("venue", Mailbox()).dial(Dial("ws://no-such-host.invalid/"))


async def test_a_bell_that_was_rung_before_anybody_waited_is_heard():
    mailbox = Mailbox()
    mailbox.put(Frame(1, b"a"))
    await mailbox.take()
    mailbox.arrived.set()

    assert [] == await asyncio.wait_for(mailbox.take(), 1)


async def test_what_comes_after_a_loss_is_not_taken_for_a_part_of_the_connection():
    mailbox = Mailbox()
    mailbox.put(Frame(1, b"before"))
    mailbox.lose(WireLost("venue", reason="first"))
    mailbox.put(Frame(2, b"after"))
    mailbox.lose(WireLost("venue", reason="second"))

    assert ([b"before"], "first") == await lost(mailbox)
