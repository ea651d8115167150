"""What is measured, of whom, how often."""

from dataclasses import dataclass

KIB = 1 << 10
MIB = 1 << 20


@dataclass
class Job:
    """One measurement: each peer's own arguments, since a run shall take some tenths of a second
    whether a stack is fast or slow."""

    key: str
    workload: str
    arguments: dict  # peer -> arguments
    rounds: int = 1
    callgrind: bool = False
    needs_gib: float = 0  # of free memory


def _arguments(**values):
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]


def _each(**counts):
    """Peers with how much each measures, and a fifth of it to warm up."""
    return {peer.replace("_", "-"): _arguments(count=n, warm=max(n // 5, 1))
            for peer, n in counts.items()}


def _times(jobs, part):
    """Smaller counts, for a quick look; what warms up stays."""
    for job in jobs:
        for arguments in job.arguments.values():
            i = arguments.index("--count") + 1
            arguments[i] = str(max(int(int(arguments[i]) * part), 1))
    return jobs


def _connections(rounds):
    return [
        Job("short", "short", _each(estab=100_000, estab_c=100_000, lwip=200_000, smoltcp=150_000,
                                    gvisor=10_000, kernel=15_000), rounds),
        Job("open_close", "open_close", _each(estab=100_000, estab_c=100_000, lwip=250_000,
                                              smoltcp=150_000, gvisor=15_000, kernel=20_000), rounds),
    ]


def _steady():
    """So long that every port has been used: what is allocated at first has been."""
    return [Job("steady", "short", {"estab": _arguments(count=100_000, warm=400_000)})]


def _bulk(rounds):
    return [Job("bulk", "bulk", _each(estab=1024 * MIB, estab_c=768 * MIB, lwip=1024 * MIB,
                                      smoltcp=2048 * MIB, gvisor=192 * MIB, kernel=384 * MIB), rounds)]


def _zero_copy(rounds):
    """estab's own: the others have nothing like it on a wire in memory."""
    return [Job("zero_copy", "zero_copy", _each(estab=2048 * MIB, estab_c=2048 * MIB), rounds)]


# How many bytes there and back each measures, for so many connections.
_ROUNDS = {
    10: {"estab": 200_000, "estab-c": 200_000, "lwip": 500_000, "smoltcp": 250_000,
         "gvisor": 20_000, "kernel": 40_000},
    1_000: {"estab": 200_000, "lwip": 20_000, "smoltcp": 3_000, "gvisor": 15_000, "kernel": 40_000},
    10_000: {"estab": 150_000, "lwip": 3_000, "smoltcp": 100, "gvisor": 12_000, "kernel": 30_000},
    50_000: {"estab": 100_000, "lwip": 400},
    100_000: {"estab": 100_000},
}


def _bytes(rounds, sizes):
    jobs = []
    for n in sizes:
        arguments = {}
        for peer, count in _ROUNDS[n].items():
            warm = {"lwip": min(n, count), "smoltcp": min(n, count // 2)}.get(peer, 2 * n)
            arguments[peer] = _arguments(connections=n, count=count, warm=max(warm, 10))
        most = 1 if n > 10_000 else 2 if n > 1_000 else rounds
        jobs.append(Job(f"round/{n}", "round", arguments, min(rounds, most)))
    return jobs


def _time_wait(rounds, sizes):
    jobs = []
    for n in sizes:
        counts = {"estab": 20_000}
        if n == 10_000:  # the others' with none is open_close
            counts |= {"lwip": 2_000, "gvisor": 4_000, "kernel": 8_000}
        jobs.append(Job(f"time_wait/{n}", "time_wait",
                        {peer: _arguments(connections=n, count=count, warm=min(count // 4, 2_000))
                         for peer, count in counts.items()}, rounds))
    return jobs


def _alone(workload, rounds, sizes, **values):
    """estab alone, for so many connections."""
    return [Job(f"{workload}/{n}", workload, {"estab": _arguments(connections=n, **values)},
                rounds if n < 1_000_000 else min(rounds, 2) if n == 1_000_000 else 1,
                needs_gib=n * 1_100 / (1 << 30))
            for n in sizes]


def _memory(n):
    peers = {"estab": 10 * n, "lwip": n, "smoltcp": n, "gvisor": n // 5, "kernel": n // 10}
    return [Job("memory", "memory", {p: _arguments(connections=m) for p, m in peers.items()})]


def _instructions(quick):
    """Under callgrind: counts are exact, a thousand operations are enough."""
    def job(workload, peers, **values):
        return Job(f"ir/{workload}", workload, {p: _arguments(**values) for p in peers},
                   callgrind=True)

    jobs = [
        job("short", ["estab", "estab-c", "lwip", "smoltcp"], count=1_024, warm=640),
        job("open_close", ["estab", "lwip", "smoltcp"], count=1_024, warm=640),
        job("bulk", ["estab", "lwip", "smoltcp"], count=16 * MIB, warm=8 * MIB),
    ]
    if not quick:
        for n in (10, 1_000_000):
            more = job("time_wait", ["estab"], connections=n, count=2_000, warm=500)
            more.key += f"/{n}"
            jobs.append(more)
        for n in (10, 10_000_000):
            more = job("timers", ["estab"], connections=n, count=100_000, warm=10_000)
            more.key += f"/{n}"
            jobs.append(more)
    return jobs


def plan(quick, instructions):
    if quick:
        jobs = _times([*_connections(3), *_bulk(3), *_zero_copy(3), *_bytes(2, (10, 1_000)),
                       *_time_wait(2, (10, 10_000))], 0.3)
        jobs += [*_steady(), *_alone("scale", 1, (10, 100_000), count=50_000),
                 *_alone("ports", 1, (10, 60_000), count=10_000),
                 *_alone("timers", 1, (10, 100_000), count=500_000), *_memory(20_000)]
    else:
        jobs = [*_connections(7), *_steady(), *_bulk(7), *_zero_copy(7),
                *_bytes(5, (10, 1_000, 10_000, 50_000, 100_000)),
                *_time_wait(3, (10, 10_000, 1_000_000)),
                *_alone("scale", 3, (10, 1_000, 10_000, 100_000, 1_000_000, 10_000_000),
                        count=200_000),
                *_alone("ports", 3, (10, 60_000), count=30_000),
                *_alone("timers", 3, (10, 1_000, 100_000, 1_000_000, 10_000_000), count=1_000_000),
                *_memory(100_000)]
    return jobs + (_instructions(quick) if instructions else [])
