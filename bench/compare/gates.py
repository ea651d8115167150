"""The bounds that must hold: one table. What has not been measured does not hold."""

from dataclasses import dataclass
from typing import Callable

GIB = 1 << 30


@dataclass
class Gate:
    number: str
    name: str
    unit: str
    bound: float
    # The measured value, or None.
    measure: Callable
    at_least: bool = False
    goal: float | None = None

    def holds(self, value):
        if value is None:
            return False
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass
class Verdict:
    gate: Gate
    value: float | None
    holds: bool

    def line(self):
        """As a sentence part, for --check."""
        gate = self.gate
        if self.value is None:
            return f"{gate.number} {gate.name}: not measured"
        return (f"{gate.number} {gate.name}: {text(self.value)} {gate.unit}".rstrip() +
                f" (bound: {bound_text(gate)})")


def text(value):
    if value == int(value) and abs(value) < 1e9:
        return f"{value:,.0f}".replace(",", " ")
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f}".replace(",", " ")


def bound_text(gate):
    sign = ">=" if gate.at_least else "<="
    return f"{sign} {text(gate.bound)} {gate.unit}".rstrip()


def _ns(key, figure="ns_per_op"):
    return lambda r: r.median(key, "estab", figure)


def _more(key, large, small, figure="ns_per_op", peer="estab"):
    """How much more the large one costs."""
    def measure(r):
        a = r.median(f"{key}/{large}", peer, figure)
        b = r.median(f"{key}/{small}", peer, figure)
        return None if a is None or b is None else a - b
    return measure


def _times(key, large, small, figure="ns_per_op"):
    def measure(r):
        a = r.median(f"{key}/{large}", "estab", figure)
        b = r.median(f"{key}/{small}", "estab", figure)
        return None if a is None or not b else a / b
    return measure


def _ratio(key, figure, one, other):
    return lambda r: r.ratio(key, figure, one, other)


def _allocations(r):
    values = [r.median(key, "estab", f"{kind}_allocations")
              for key in ("steady", "bulk", "round/1000") for kind in ("slab", "heap")]
    return None if None in values else sum(values)


def _idle(r):
    ends = [r.median("memory", "estab", f"idle_{end}_bytes") for end in ("client", "server")]
    return None if None in ends else max(ends)


def _gibibytes(r):
    resident = r.median("scale/10000000", "estab", "resident_bytes")
    return None if resident is None else resident / GIB


def _from(part, figure):
    """What another program has measured: see others.py."""
    return lambda r: r.median(part, "estab", figure)


GATES = [
    Gate("1.1", "connect + 1 B each way + close, both ends", "Ir", 12_000,
         _ns("ir/short", "ir_per_op"), goal=9_000),
    Gate("1.2", "the same, time over lwIP's", "", 0.7, _ratio("short", "ns_per_op", "estab", "lwip"),
         goal=0.5),
    Gate("1.3", "allocations while connections come and go, bulk flows, bytes go round", "", 0,
         _allocations),
    Gate("1.4", "system calls and clocks in the core (check-purity)", "", 0,
         _from("purity", "offences")),
    Gate("1.5", "C ABI over C++ API, connect + 1 B each way + close", "", 1.4,
         _ratio("short", "ns_per_op", "estab-c", "estab")),
    Gate("1.6", "bulk over smoltcp's, equal buffers", "", 1.1,
         _ratio("bulk", "gbit_per_s", "estab", "smoltcp"), at_least=True, goal=1.5),
    Gate("1.7", "bulk, a segment, both ends", "Ir", 2_600, _ns("ir/bulk", "ir_per_op"), goal=1_800),
    Gate("1.8", "zero-copy bulk", "Gbit/s", 60, _ns("zero_copy", "gbit_per_s"), at_least=True,
         goal=75),
    Gate("1.9", "zero-copy bulk through the C ABI", "Gbit/s", 60,
         lambda r: r.median("zero_copy", "estab-c", "gbit_per_s"), at_least=True, goal=75),
    Gate("2.1", "1 B segment, batches of 32, 1 M connections over 10", "", 2,
         _times("scale", 1_000_000, 10, "batched_ns")),
    Gate("2.2", "1 B segment, singly, 1 M connections: more than 10", "ns", 1_000,
         _more("scale", 1_000_000, 10, "singly_ns")),
    Gate("2.3", "connect + close beside 1 M connections: more than beside 10", "ns", 1_000,
         _more("scale", 1_000_000, 10, "open_close_ns")),
    Gate("2.4", "10 M connections, the whole process", "GiB", 20, _gibibytes),
    Gate("2.5", "connect + close with 1 M TIME_WAIT over 10", "times the Ir", 1.2,
         _times("ir/time_wait", 1_000_000, 10, "ir_per_op")),
    Gate("2.6", "connect + close with 1 M TIME_WAIT: more than with 10", "ns", 300,
         _more("time_wait", 1_000_000, 10)),
    Gate("2.7", "connect + abort with 60 000 of 64 512 ports taken: more than with 10", "ns", 1_000,
         _more("ports", 60_000, 10)),
    Gate("2.8", "cancel + set a timer among 10 M over among 10", "times the Ir", 1.2,
         _times("ir/timers", 10_000_000, 10, "ir_per_op")),
    Gate("2.9", "the same, time: more than among 10", "ns", 1_000, _more("timers", 10_000_000, 10)),
    Gate("3.1", "idle established end, all in", "B", 448, _idle, goal=320),
    Gate("3.2", "its core record", "B", 384, _ns("memory", "sizeof_socket")),
    Gate("3.3", "half-open record", "B", 128, _ns("memory", "sizeof_half_open")),
    Gate("3.4", "TIME_WAIT record, IPv4", "B", 64, _ns("memory", "sizeof_time_wait_4")),
    Gate("3.5", "TIME_WAIT record, IPv6", "B", 96, _ns("memory", "sizeof_time_wait_6")),
    Gate("3.6", "TIME_WAIT record with its index, IPv4", "B", 80, _ns("memory", "time_wait_bytes")),
    Gate("3.7", "connection attempt answered by a SYN cookie", "B", 0,
         _ns("memory", "syn_cookie_bytes")),
    Gate("4.1", "TUN bulk to the kernel over veth with GSO", "", 0.65,
         _from("links", "tun_to_kernel"), at_least=True),
    Gate("4.2", "TUN bulk from the kernel over veth with GSO", "", 0.5,
         _from("links", "tun_from_kernel"), at_least=True),
    Gate("4.3", "64 in parallel connect + close over TUN over lwIP's", "", 1.3,
         _from("links", "tun_connects_over_lwip"), at_least=True),
    Gate("4.4", "1 B latency p50 over veth over the kernel's", "", 1,
         _from("links", "veth_latency_over_kernel")),
    Gate("5.1", "two cores over one, in memory", "", 1.8, _from("cores", "two_over_one"),
         at_least=True),
    Gate("7.1", "growth of callgrind counts beyond the golden file", "%", 3,
         _from("guard", "worst_growth")),
    Gate("8.1", "soak: connections opened and closed a second", "", 200_000,
         _from("soak", "connections_per_s"), at_least=True),
    Gate("8.2", "SYN flood: honest clients that connect", "%", 99.9,
         _from("soak", "honest_percent"), at_least=True),
    Gate("8.3", "SYN flood: p99 over the calm one", "", 3, _from("soak", "p99_over_calm")),
    Gate("8.4", "records left after the soak", "", 0, _from("soak", "left")),
    Gate("8.5", "memory grown while connections came and went", "B", 0, _from("soak", "grown")),
]


def judge(results):
    verdicts = []
    for gate in GATES:
        value = gate.measure(results)
        verdicts.append(Verdict(gate, value, gate.holds(value)))
    return verdicts
