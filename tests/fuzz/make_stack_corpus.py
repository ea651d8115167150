#!/usr/bin/env python3
"""Writes the seeds of fuzz_stack: programs for the machine in stack_fuzz.cc that make sense."""
import pathlib

OPEN, BIND, LISTEN, CONNECT, ACCEPT, SEND, READ, SHUTDOWN, CLOSE, ABORT, OPTIONS, ASK = range(12)
RAW, FLOW, SEGMENT, GOOD, MS, LONG, LATE, TRANSMIT, SINK, COMPLETE, SETTING, HARM = (
    0x20, 0x21, 0x22, 0x25, 0x27, 0x28, 0x29, 0x2A, 0x2C, 0x2D, 0x2E, 0x2F)
PIECES, HEADERS, ERROR, BIG = 0xE0, 0xF0, 0xF8, 0xFC
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ALL = [TRANSMIT, 1]


def half(n):
    return [n >> 8, n & 255]


def good(what=0, flow=0):
    """The segment that the stack expects next: 1 FIN, 2 SYN, 4 closed window, 8 * n: 40 n bytes."""
    return [GOOD, flow, what]


def segment(flags, seq=0, ack=0, options=0, length=0, flow=0):
    return ([SEGMENT, flow, flags, seq] + ([ack] if flags & ACK else []) + [1, options, length, 0])


def send(n, user=0):
    return [SEND, user] + half(n)


def read(n=19999, user=0):
    return [READ, user] + half(n) + [0]


def advance(ms):
    return [LONG] + half(ms) + ALL


def listener(v6=0):
    return [OPEN, v6, BIND, 0, 1, v6, 0, LISTEN, 0, 8]


def flow(v6=0, stamps=1, remote=0):
    # MSS 1460, window scale 7, SACK permitted, and timestamps if `stamps`.
    return [FLOW, v6, 0, remote, 1, stamps, 7] + half(1460) + [7]


def passive(v6=0):
    """A listener, a handshake, and user 1 is the accepted connection."""
    return listener(v6) + flow(v6) + ALL + good() + [ACCEPT, 0]


def active(v6=0):
    """User 0 connected to a well-behaved peer."""
    return [OPEN, v6, CONNECT, 0, 0x10 | 2 | v6] + ALL + good(2) + ALL


def setting(which, value):
    """Of the path's MTU: 0 probing, 1 base, 2 floor, 3 interval, 4 threshold, 5 retries1, 6
    no discovery, 7 least, 8 life."""
    return [SETTING, 32 + which, 0] + half(value)


def too_big(mtu, near=9, flow=0):
    """ICMP about what the flow's side of the stack sent 1460 bytes before the last."""
    return [BIG, flow, near] + half(mtu) + ALL


def pieces(how=0, size=3000, mtu=200, id=0, odd=0, segment=0):
    """1 IPv6, 2 backwards, 4 and 8 one is moved, 16 one is lost, 32 all twice."""
    return [PIECES, how] + half(size) + [segment] + ([0] if segment else []) + [mtu, id, odd]


def headers(extra, v6=0, size=20, first=0):
    blocks = len(extra) // (8 if v6 else 4)
    return [HEADERS, v6] + half(size) + [0, blocks] + extra + ([first] if v6 else [])


seeds = {
    "empty": [],
    "handshake-passive": passive(),
    "handshake-passive-ipv6": passive(1),
    "handshake-active": active(),
    "handshake-active-ipv6": active(1),
    "refused": [OPEN, 0, CONNECT, 0, 0x12] + ALL + segment(RST | ACK) + [ASK, 0],
    "simultaneous-open": [OPEN, 0, CONNECT, 0, 0x12] + ALL + segment(SYN) + ALL + good(2) + ALL,
    "data-in": passive() + good(8 * 20) + good(8 * 20) + ALL + read(user=1) + ALL,
    "data-out": active() + send(9000) + ALL + good() + ALL + good() + ALL + good() + ALL,
    "out-of-order": passive() + segment(ACK, seq=7, length=0x90) + ALL + good(8 * 9)
                    + segment(ACK, seq=6, length=0x90) + ALL + good(8 * 31) + ALL + read(user=1),
    "overlaps": passive() + segment(ACK, seq=0x90, length=0xA0) + segment(ACK, seq=0x88, length=0xC0)
                + ALL + segment(ACK, seq=0xC4, length=0xFF) + ALL + read(user=1) + ALL,
    "close-four-way": active() + [SHUTDOWN, 0, 1] + ALL + good() + good(1) + ALL + [CLOSE, 0]
                      + advance(60000),
    "close-by-peer": active() + good(1) + ALL + read() + [CLOSE, 0] + ALL + good() + advance(1000),
    "close-simultaneous": active() + [CLOSE, 0] + segment(FIN | ACK) + ALL + good() + ALL
                          + advance(60000) + advance(10),
    "close-unread": active() + good(8 * 3) + [CLOSE, 0] + ALL,
    "abort": active() + send(100) + [ABORT, 0] + ALL,
    "reset-in-window": active() + segment(RST, seq=6) + ALL + segment(RST) + [ASK, 0],
    "syn-in-window": active() + segment(SYN, seq=6) + ALL + advance(500),
    "zero-window": active() + good(4) + send(3000) + ALL + advance(1000) + good(4) + advance(5000)
                   + good() + ALL,
    "retransmit": active() + send(3000) + ALL + advance(1000) + advance(5000) + good() + ALL,
    "fast-retransmit": active() + send(14000) + ALL + good() * 4 + ALL + good() * 3 + ALL,
    "sack": active() + send(14000) + ALL + segment(ACK, ack=9, options=0x40) + [1, 0, 5] + ALL,
    "syn-lost": [OPEN, 0, CONNECT, 0, 0x12] + ALL + advance(1000) + advance(3000) + advance(60000) * 3,
    "syn-ack-lost": listener() + flow() + ALL + advance(3000) + advance(7000) + good() + [ACCEPT, 0],
    "loopback": listener() + [OPEN, 0, CONNECT, 1, 0, 0] + ALL + [ACCEPT, 0] + send(5000, 1) + ALL
                + read(user=2) + [CLOSE, 1] + ALL + read(user=2) + [CLOSE, 1] + ALL,
    "busy": active() + [SINK, 0, 1, 0] + send(9000) + ALL + [SINK, 0, 2, 0] + ALL + good() + ALL
            + [SINK, 1, 0] + ALL,
    "held": active() + [SINK, 1, 1] + send(9000) + ALL + [0] * 12 + good() + [CLOSE, 0] + ALL
            + [COMPLETE, 3, 0, 0, 0, 0],
    "no-memory": passive() + [HARM, 1, 0] + good(8 * 20) + send(9000, 1) + flow(0, 1, 1) + ALL
                 + [HARM, 0x40] + ALL,
    "listener-closed": listener() + flow() + flow(0, 1, 1) + ALL + good() + [CLOSE, 0] + ALL,
    "queue-full": [OPEN, 0, BIND, 0, 1, 0, 0, LISTEN, 0, 0] + flow() + flow(0, 1, 1) + flow(0, 1, 2)
                  + ALL + good(0, 0) + good(0, 1) + good(0, 2) + ALL + advance(5000),
    "keepalive": active() + [OPTIONS, 0, 0x82] + half(0) + [0, 1, 2, 0, 0, 0, 0, 0, 0] + advance(2000)
                 + advance(60000) * 3,
    "time-wait-reopen": passive() + [CLOSE, 1] + ALL + good(1) + ALL + advance(2000) + flow() + ALL
                        + good() + ALL,
    "settings": [SETTING, 4, 1, 0, SETTING, 5, 1, 0, SETTING, 6, 1, 0] + passive() + good(8 * 20) + ALL,
    "pieces": pieces() + pieces(1) + pieces(2) + pieces(3) + pieces(0x20) + ALL,
    "pieces-of-data": passive() + pieces(0, 900, 60, 1, 0, 1) + ALL + read(user=1),
    "pieces-lost": pieces(0x10) + pieces(0x11, odd=1) + advance(60000) + advance(60000),
    "pieces-overlap": pieces(4) + [0x10] + pieces(5, id=1) + [0x10] + pieces(8, id=2) + advance(60000),
    "ip-options": headers([1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]) + headers([68, 12, 5, 1] + [0] * 8)
                  + headers([7, 7, 6, 0, 0, 0, 0, 0]) + headers([131, 7, 4, 1, 2, 3, 4, 0]) + ALL,
    "extensions": headers([58, 0, 5, 2, 0, 0, 1, 0], 1) + headers([60, 0, 1, 4, 0, 0, 0, 0,
                  58, 0, 0xBF, 4, 0, 0, 0, 0], 1, first=3)
                  + headers([58, 0, 0, 1, 0, 0, 0, 0], 1, first=1)
                  + headers([58, 0, 0, 0, 0, 0, 0, 9], 1, first=2) + ALL,
    "icmp-errors": [OPEN, 0, CONNECT, 0, 0x12] + ALL + [ERROR, 0, 3, 3, 4] + [ERROR, 0, 0x81, 3, 1]
                   + ALL + [ASK, 0] + passive() + [ERROR, 1, 0, 11, 0],
    "too-big": active() + send(9000) + ALL + too_big(1300) + too_big(576) + too_big(0) + good() * 3 + ALL,
    "too-big-ipv6": active(1) + send(9000) + ALL + too_big(1400) + too_big(1280) + too_big(1279)
                    + good() * 3 + ALL,
    "too-big-forged": active() + send(9000) + ALL + too_big(68, 0x8f) + too_big(68, 11) + too_big(68, 4)
                      + too_big(65535) + good() + ALL,
    "too-big-tiny": setting(7, 68) + active() + send(3000) + ALL + too_big(68) + too_big(1) + advance(300)
                    + good() * 9 + ALL + advance(60000),
    "too-big-expires": setting(8, 1) + active() + send(9000) + ALL + too_big(600) + advance(1500) + good() * 8
                       + ALL + send(9000) + ALL + good() * 8 + ALL,
    "too-big-sacked": active() + send(14000) + ALL + segment(ACK, ack=9, options=0x40) + [1, 0, 5] + ALL
                      + too_big(700) + segment(ACK, ack=9, options=0x40) + [1, 0, 6] + ALL + good() * 9 + ALL,
    "black-hole": setting(0, 1) + setting(5, 1) + active() + send(9000) + ALL + advance(1000) + advance(3000)
                  + advance(9000) + advance(60000) + good() * 9 + ALL,
    "mtu-probes": setting(0, 2) + active() + (send(19999) + ALL + good() * 12 + ALL) * 6
                  + segment(ACK, ack=9, options=0x40) + [1, 0, 5] + ALL + advance(1000) + good() * 9 + ALL,
    "raw": [RAW] + half(40) + list(bytes.fromhex(
        "450000280001000040060000c0000202c00002019c4000500000000000000000500220000000000000000000"))[:41],
}

into = pathlib.Path(__file__).resolve().parent / "corpus" / "stack"
into.mkdir(parents=True, exist_ok=True)
for name, program in seeds.items():
    (into / name).write_bytes(bytes(program))
