"""The stacks that are compared: where each comes from, how it is built, with which settings.

Nothing of the others' code is kept here: their package managers bring it, into build/compare.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
# Bytes of each send and receive buffer, of bulk; the same for all.
BUFFER = 1 << 20


class Missing(Exception):
    """A peer that cannot take part, and why."""


@dataclass
class Peer:
    name: str
    title: str
    version: str
    program: list  # the harness, arguments that precede the workload
    workloads: set
    settings: list = field(default_factory=list)
    # What callgrind is told, so that it counts the measured part alone; None: not under callgrind.
    callgrind: list | None = None


WORKLOADS = {"short", "open_close", "bulk", "round", "memory"}
BY_REQUEST = ["--instr-atstart=no"]


def run(command, log, **options):
    """Runs a command of a build; what it says goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as out:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT, check=False, **options).returncode
        except OSError as error:
            raise Missing(f"{command[0]}: {error.strerror.lower()}") from error
    if status != 0:
        raise Missing(f"{Path(command[0]).name} failed, see {log.relative_to(TREE)}")


def need(tool, what):
    if shutil.which(tool) is None:
        raise Missing(f"{what} ({tool}) is missing")


def said_by(command):
    """The first line that a command says."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout or done.stderr).partition("\n")[0].strip()


# --- estab ---------------------------------------------------------------------------------------


def build_estab(build, log):
    """Both of its harnesses; returns the directory of the build."""
    need("cmake", "CMake")
    place = build / "estab"
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    run(["cmake", "-S", str(TREE), "-B", str(place), *generator, "-DCMAKE_BUILD_TYPE=Release",
         "-DESTAB_BUILD_BENCH=ON", "-DESTAB_BUILD_COMMAND=OFF", "-DESTAB_BUILD_TESTS=OFF"], log)
    run(["cmake", "--build", str(place), "--parallel", "--target", "bench_engine", "bench_c_abi",
         "estab_core"], log)
    return place


def estab_version():
    text = (TREE / "CMakeLists.txt").read_text()
    version = re.search(r"project\(estab VERSION ([0-9.]+)", text)[1]
    commit = said_by(["git", "-C", str(TREE), "describe", "--always", "--dirty"])
    return f"{version} ({commit})" if commit else version


ESTAB_SETTINGS = [
    "release build as it ships (-O3), vector code chosen at run time",
    "all features on: timestamps, SACK, RACK-TLP, window scaling, CUBIC; the journal of transitions "
    "is on at both ends",
    "no memory limit, no limit of TIME_WAIT records, ports 1024 to 65535; the rest is the default",
]


def make_estab(build, log):
    place = build_estab(build, log)
    return Peer("estab", "estab", estab_version(), [str(place / "bench/bench_engine")],
                WORKLOADS | {"time_wait", "ports", "scale", "timers", "zero_copy"},
                [*ESTAB_SETTINGS, "C++ API, driven by readiness; in bulk 32 packets a Receive, "
                 "otherwise what has arrived, one by one"], BY_REQUEST)


def make_estab_c(build, log):
    place = build_estab(build, log)
    return Peer("estab-c", "estab, C ABI", estab_version(), [str(place / "bench/bench_c_abi")],
                WORKLOADS - {"memory"} | {"zero_copy"},
                [*ESTAB_SETTINGS, "libestab.so; the wire is estab_wire_collect and "
                 "estab_wire_inject, a packet a call"], BY_REQUEST)


# --- lwIP ----------------------------------------------------------------------------------------

LWIP_SOURCES = [*(f"core/{n}" for n in
                  "init def inet_chksum ip mem memp netif pbuf sys tcp tcp_in tcp_out timeouts".split()),
                *(f"core/ipv4/{n}" for n in "icmp ip4 ip4_addr ip4_frag".split())]
# The first release of Debian that has lwIP 2.2.
LWIP_RELEASE = "trixie"


def debian_archive():
    """Where this machine's apt has Debian from."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)",
                           "Created-By: Packages"], capture_output=True, text=True, check=False)
    for line in said.stdout.splitlines():
        origin, _, uri = line.partition(" ")
        if origin == "Debian" and not uri.rstrip("/").endswith("-security"):
            return uri
    raise Missing("apt knows no archive of Debian (apt-get update?)")


def fetch_lwip(place, log):
    """lwIP's source package, by apt-get with lists of its own; returns its directory."""
    found = sorted(place.glob("lwip-*/src"))
    if found:
        return found[0].parent
    need("apt-get", "apt")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    for directory in ("lists/partial", "cache/archives/partial"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    (place / "sources.list").write_text(f"deb-src {signed}{debian_archive()} {LWIP_RELEASE} main\n")
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::SourceList={place}/sources.list",
           "-o", "Dir::Etc::SourceParts=/dev/null", "-o", f"Dir::State::Lists={place}/lists",
           "-o", f"Dir::Cache={place}/cache", "-o", "APT::Sandbox::User=root"]
    run([*apt, "update"], log)
    run([*apt, "source", "--download-only", "lwip"], log, cwd=place)
    archives = sorted(place.glob("lwip_*.orig.tar.*"))
    if not archives:
        raise Missing("apt-get source brought no lwIP")
    run(["tar", "xf", str(archives[0]), "-C", str(place)], log)
    return sorted(place.glob("lwip-*/src"))[0].parent


def lwip_tun(build):
    """Its server over a TUN device, for bench_links."""
    return build / "lwip" / "lwip_tun"


def make_lwip(build, log):
    for tool, what in (("gcc", "a C compiler"), ("ld", "a linker"), ("objcopy", "binutils")):
        need(tool, what)
    place = build / "lwip"
    place.mkdir(parents=True, exist_ok=True)
    source = fetch_lwip(place, log)
    own = HERE / "lwip"
    program = place / "bench_lwip"
    flags = ["-O3", "-g", "-DNDEBUG", f"-DBENCH_BUFFER={BUFFER}", f"-I{own}", f"-I{HERE.parent}",
             f"-I{source}/src/include"]
    objects = []
    for unit in [*(source / "src" / f"{s}.c" for s in LWIP_SOURCES), own / "end.c"]:
        objects.append(str(place / f"{unit.stem}.o"))
        run(["gcc", *flags, "-c", str(unit), "-o", objects[-1]], log)
    # Its state is global: one object that shows a single name, used under two names.
    whole = str(place / "end.ro")
    run(["ld", "-r", "-o", whole, *objects], log)
    run(["objcopy", "--keep-global-symbol=lwip_end", whole], log)
    ends = []
    for role in ("client", "server"):
        ends.append(str(place / f"{role}.ro"))
        run(["objcopy", f"--redefine-sym=lwip_end={role}_end", whole, ends[-1]], log)
    run(["gcc", *flags, str(own / "main.c"), str(own / "checksum.c"),
         str(HERE.parent / "common/harness.c"), *ends, "-o", str(program)], log)
    run(["gcc", *flags, str(own / "tun.c"), str(own / "checksum.c"), whole, "-o",
         str(lwip_tun(build))], log)
    return Peer("lwip", "lwIP", source.name.removeprefix("lwip-"), [str(program)],
                WORKLOADS | {"time_wait"}, [
                    f"Debian's source package, gcc {said_by(['gcc', '-dumpfullversion'])} -O3; NO_SYS=1, "
                    "raw API, two instances",
                    "as its optimisation hints say: a checksum of our own (vectors, AVX2 where there "
                    "is), byte order by the compiler, LWIP_STATS 0, LWIP_NOASSERT; besides "
                    "LWIP_CHECKSUM_ON_COPY, memory pools large enough, MEM_USE_POOLS",
                    "TCP_MSS 1460, window scaling; its defaults without timestamps and SACK (so it "
                    "has 12 bytes less to a segment); TCP_MSL 1 s, which is kind to its timers",
                    "arriving packets stay where they are (PBUF_REF), the program copies the bytes "
                    f"out; TCP_SND_BUF and TCP_WND {BUFFER}",
                    "over TUN one thread in poll, which reads until there is nothing more and writes "
                    "the answers then, or 32 at once"], BY_REQUEST)


# --- smoltcp -------------------------------------------------------------------------------------


def make_smoltcp(build, log):
    need("cargo", "Rust")
    place = build / "smoltcp"
    manifest = HERE / "smoltcp/Cargo.toml"
    run(["cargo", "build", "--release", "--locked", "--manifest-path", str(manifest),
         "--target-dir", str(place)], log)
    version = re.search(r'smoltcp = \{ version = "=([0-9.]+)"', manifest.read_text())[1]
    return Peer("smoltcp", "smoltcp", version, [str(place / "release/bench_smoltcp")], WORKLOADS, [
        f"{said_by(['rustc', '--version'])}: release, opt-level 3, fat LTO, one codegen unit",
        "features std, medium-ip, proto-ipv4, socket-tcp; checksums in software both ways",
        "its defaults: no timestamps, no congestion control, Nagle on, ACKs wait 10 ms",
        "short connections use one socket again and again (it keeps TIME_WAIT in the socket); the "
        "program chooses its ports; idle sockets have buffers of 64 bytes"],
        ["--collect-atstart=no", "--toggle-collect=measured"])


# --- gVisor --------------------------------------------------------------------------------------


def make_gvisor(build, log):
    need("go", "Go")
    program = build / "gvisor" / "bench_gvisor"
    program.parent.mkdir(parents=True, exist_ok=True)
    run(["go", "build", "-mod=readonly", "-o", str(program), "."], log, cwd=HERE / "gvisor")
    version = re.search(r"gvisor.dev/gvisor (\S+)", (HERE / "gvisor/go.mod").read_text())[1]
    return Peer("gvisor", "gVisor netstack", version, [str(program)], WORKLOADS | {"time_wait"}, [
        f"{said_by(['go', 'version'])}; GOMAXPROCS=1, GOGC=100",
        "two stacks joined by its own link/pipe, gonet, a goroutine for each connection of the server",
        "SACK, RACK, timestamps, CUBIC; receive buffers do not grow by themselves; TIME_WAIT 1 ms but "
        "where it is what is measured", "the collector's work is counted"])


# --- the kernel ----------------------------------------------------------------------------------


def make_kernel(build, log):
    need("gcc", "a C compiler")
    need("ip", "iproute2")
    program = build / "kernel" / "bench_kernel"
    program.parent.mkdir(parents=True, exist_ok=True)
    run(["gcc", "-O2", "-std=gnu11", f"-I{HERE.parent}", str(HERE / "kernel/main.c"),
         str(HERE.parent / "common/harness.c"), "-o", str(program)], log)
    enter = [] if os.geteuid() == 0 else ["unshare", "-Ur"]
    try:
        trial = subprocess.run([*enter, str(program), "short", "--count", "1", "--warm", "1"],
                               capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"no veth between two namespaces: {error}") from error
    if trial.returncode != 0:
        raise Missing("no veth between two namespaces: " +
                      trial.stderr.strip().rpartition("\n")[2].removeprefix("bench_kernel: "))
    system = os.uname()
    return Peer("kernel", "Linux", system.release, [*enter, str(program)], WORKLOADS | {"time_wait"}, [
        "both ends in one thread on one processor, a veth pair between two namespaces, MTU 1500",
        "TSO, GSO, GRO and checksum offload off: segments and checksums in software like everyone's",
        "TCP_NODELAY, its defaults otherwise; TIME_WAIT piles up (20 000 to a port of the server), as "
        "it does on Linux", "what its softirqs do is the process's time or ksoftirqd's, and counted"])


MAKERS = {"estab": make_estab, "estab-c": make_estab_c, "lwip": make_lwip, "smoltcp": make_smoltcp,
          "gvisor": make_gvisor, "kernel": make_kernel}
TITLES = {"estab": "estab", "estab-c": "estab, C ABI", "lwip": "lwIP", "smoltcp": "smoltcp",
          "gvisor": "gVisor netstack", "kernel": "Linux"}
