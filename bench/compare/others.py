"""What needs more than two stacks in memory is measured by other programs, as far as they are there.

Each part is a function of the build's directory and of whether a quick look is enough; it returns
(figures, None), (None, why not) or, if there is nothing to be said, (None, None).
"""

import json
import os
import re
import statistics
import subprocess
import tempfile

import peers


def _last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def _purity(build, _quick):
    """Names of the system in the core's objects."""
    archive = next((build / "estab").rglob("libestab_core.a"), None)
    if archive is None:
        return None, "no libestab_core.a"
    done = subprocess.run([str(peers.TREE / "tools/check-purity"), str(archive)],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return None, _last_line(done.stderr)
    return {"offences": len((done.stdout + done.stderr).splitlines()) * done.returncode}, None


def _links(build, quick):
    """bench_links: estab over TUN, AF_PACKET and AF_XDP beside the kernel over veth, and beside lwIP
    over TUN if that has been built, in namespaces of its own."""
    if not (peers.TREE / "bench/links").is_dir():
        return None, None
    try:
        peers.run(["cmake", "--build", str(build / "estab"), "--parallel", "--target",
                   "bench_links"], build / "links.log")
    except peers.Missing as why:
        return None, str(why)
    program = next(p for p in (build / "estab").rglob("bench_links") if p.is_file())
    enter = [] if os.geteuid() == 0 else ["unshare", "-Urn"]
    lwip = peers.lwip_tun(build)
    other = ["--other", f"lwip={lwip}"] if lwip.is_file() else []
    done = subprocess.run([*enter, str(program), "--json", "--seconds", "1" if quick else "2",
                           "--rounds", "3" if quick else "5", *other], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        # The end that failed says why, and then the others that they miss it.
        return None, "; ".join(done.stderr.strip().splitlines()[-3:])
    return link_figures(json.loads(done.stdout)), None


def link_figures(rows):
    """One flat object of what bench_links says, and the ratios that bounds are about."""
    medians = {(one["workload"], one["link"]): one["median"] for one in rows}
    rounds = {(one["workload"], one["link"]): one["rounds"] for one in rows}
    figures = {f"{workload}_{link}": value for (workload, link), value in medians.items()}
    for workload, name in (("bulk_up", "tun_to_kernel"), ("bulk_down", "tun_from_kernel")):
        if medians.get((workload, "veth")) and (workload, "tun") in medians:
            figures[name] = medians[workload, "tun"] / medians[workload, "veth"]
    # Round by round: neighbours in time are compared.
    pairs = zip(rounds.get(("connect", "tun"), ()), rounds.get(("connect", "tun_lwip"), ()))
    ratios = [mine / theirs for mine, theirs in pairs if theirs]
    if ratios:
        figures["tun_connects_over_lwip"] = statistics.median(ratios)
    # Whichever is the faster one: of those that sleep, and of all.
    asleep = ("packet", "xdp")
    for name, links in (("veth_latency_asleep_over_kernel", asleep),
                        ("veth_latency_over_kernel", (*asleep, "packet_busy", "xdp_busy"))):
        found = [medians[key] for link in links if (key := ("latency", link)) in medians]
        if found and ("latency", "veth") in medians:
            figures[name] = min(found) / medians["latency", "veth"]
    return figures


def _soak(build, quick):
    """Connections that come and go beside very many, and a flood of SYNs beside honest clients."""
    program = next((p for p in (build / "estab").rglob("bench_engine") if p.is_file()), None)
    if program is None:
        return None, "no bench_engine"
    size = ["--connections", "100000", "--count", "500000"] if quick else []
    done = subprocess.run([str(program), "soak", "--json", *size], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, _last_line(done.stderr)
    found = json.loads(done.stdout)
    return {"connections_per_s": found["connections_per_second"],
            "honest_percent": 100 * found["honest_connected"], "p99_over_calm": found["p99_ratio"],
            "left": found["left"], "grown": found["memory_grown_bytes"]}, None


def _guard(_build, _quick):
    """What tools/check-cost counts, against what is written down."""
    done = subprocess.run([str(peers.TREE / "tools/check-cost")], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    pairs = re.findall(r"^ *(\d+) Ir, *(\d+) written down", done.stdout, re.MULTILINE)
    if not pairs:
        return None, _last_line(done.stdout + done.stderr)
    return {"worst_growth": max(100 * (int(now) / int(then) - 1) for now, then in pairs)}, None


def _program(part):
    """bench/PART/run --json FILE [--quick] writes one flat object of figures."""
    def measure(_build, quick):
        program = peers.TREE / "bench" / part / "run"
        if not os.access(program, os.X_OK):
            return None, None
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            done = subprocess.run([str(program), "--json", file.name, *(["--quick"] * quick)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False)
            if done.returncode != 0:
                return None, _last_line(done.stderr)
            return json.load(file), None
    return measure


PARTS = {"purity": _purity, "links": _links, "cores": _program("cores"), "guard": _guard,
         "soak": _soak}
