"""The figures as text, and docs/performance.md with its plots."""

import gates
import peers
import plots
from results import spread

ORDER = list(peers.TITLES)
# Measurements that every peer can take part in: title, key, figure, unit, factor, more is better.
TABLE = [
    ("connect, 1 B each way, close", "short", "ns_per_op", "µs", 1e-3, False),
    ("connect, close", "open_close", "ns_per_op", "µs", 1e-3, False),
    ("bulk", "bulk", "gbit_per_s", "Gbit/s", 1, True),
    ("1 B segment, 10 connections", "round/10", "ns_per_op", "µs", 1e-3, False),
    ("1 B segment, 1 000", "round/1000", "ns_per_op", "µs", 1e-3, False),
    ("1 B segment, 10 000", "round/10000", "ns_per_op", "µs", 1e-3, False),
    ("1 B segment, 50 000", "round/50000", "ns_per_op", "µs", 1e-3, False),
    ("1 B segment, 100 000", "round/100000", "ns_per_op", "µs", 1e-3, False),
    ("connect, close, 10 TIME_WAIT", "time_wait/10", "ns_per_op", "µs", 1e-3, False),
    ("connect, close, 10 000 TIME_WAIT", "time_wait/10000", "ns_per_op", "µs", 1e-3, False),
    ("connect, close, 1 M TIME_WAIT", "time_wait/1000000", "ns_per_op", "µs", 1e-3, False),
    ("instructions, 1 B each way", "ir/short", "ir_per_op", "Ir", 1, False),
    ("instructions, no data", "ir/open_close", "ir_per_op", "Ir", 1, False),
    ("instructions, bulk segment", "ir/bulk", "ir_per_op", "Ir", 1, False),
]


def _present(document):
    return [p for p in ORDER if p in document["peers"]]


def _cell(values, factor):
    return "/".join(gates.text(v * factor) for v in spread(values)) if len(values) > 1 else \
        gates.text(values[0] * factor)


def _rows(document, results):
    """(title with unit, peer, figure, ratio or None) of everything in TABLE that was measured."""
    for title, key, figure, unit, factor, _ in TABLE:
        for peer in _present(document):
            values = results.values(key, peer, figure)
            if values:
                ratios = [] if peer == "estab" else results.ratios(key, figure, peer, "estab")
                yield (f"{title}, {unit}", document["peers"][peer]["title"],
                       _cell(values, factor), _cell(ratios, 1) if ratios else "")


def as_text(document, results):
    """What is printed: least/median/most, and the ratio to estab's in the same round."""
    lines = []
    for name in _present(document):
        one = document["peers"][name]
        lines.append(f"{one['title']} {one['version']}")
        lines += [f"    {s}" for s in one["settings"]]
    lines.append("")
    lines.append(f"{'least/median/most':42} {'':16} {'':>24} {'over estab':>18}")
    last = None
    for title, peer, figure, ratio in _rows(document, results):
        lines.append(f"{title if title != last else '':42} {peer:16} {figure:>24} {ratio:>18}")
        last = title
    lines.append("")
    lines += _scale_as_text(results)
    seconds = document["seconds"]
    lines.append(f"{seconds['all']} s, of them {seconds['building']} of building")
    return "\n".join(lines)


def _scale_as_text(results):
    sizes = results.sizes("scale", "estab")
    if not sizes:
        return []
    lines = [f"{'estab alone, ns; connections:':42}" +
             "".join(f"{plots.short_number(n):>10}" for n in sizes)]
    for title, figure in SCALE:
        lines.append(f"  {title:40}" + "".join(
            f"{gates.text(results.median(f'scale/{n}', 'estab', figure)):>10}" for n in sizes))
    return [*lines, ""]


SCALE = [("1 B segment, batches of 32", "batched_ns"), ("1 B segment, singly", "singly_ns"),
         ("connect, close besides", "open_close_ns"),
         ("a millisecond in which nothing happens", "millisecond_ns")]


def gates_as_text(verdicts):
    lines = ["gates"]
    for v in verdicts:
        state = "holds" if v.holds else "NOT MEASURED" if v.value is None else "DOES NOT HOLD"
        value = "" if v.value is None else gates.text(v.value)
        lines.append(f"  {v.gate.number:5}{v.gate.name:76} {value:>10}  "
                     f"{gates.bound_text(v.gate):20} {state}")
    return "\n".join(lines) + "\n"


def _draw(document, results):
    """File name -> SVG."""
    names = {p: document["peers"][p]["title"] for p in _present(document)}
    lines = []
    for peer, title in names.items():
        points = [(n, results.median(f"round/{n}", peer)) for n in results.sizes("round", peer)]
        if len(points) > 1:
            lines.append((title, plots.COLOURS[peer], 2.8 if peer == "estab" else 1.6, "none",
                          points))
    flat = []
    for (title, figure), dashes in zip(SCALE[:3], ("none", "6 3", "2 3")):
        points = [(n, results.median(f"scale/{n}", "estab", figure))
                  for n in results.sizes("scale", "estab")]
        flat.append((title, plots.COLOURS["estab"], 2.0, dashes, points))
    timers = [(n, results.median(f"timers/{n}", "estab")) for n in results.sizes("timers", "estab")]
    flat.append(("cancel and set a timer", plots.COLOURS["gvisor"], 2.0, "none", timers))

    def rows(key, figure, factor):
        found = [(names[p], plots.COLOURS[p], results.values(key, p, figure)) for p in names]
        return [(title, colour, tuple(v * factor for v in spread(values)) if values else None,
                 gates.text(spread(values)[1] * factor) if values else "")
                for title, colour, values in found]

    memory = [(names[p], plots.COLOURS[p], (v, v, v), gates.text(v))
              for p, v in _idle_ends(document, results).items()]
    drawn = {
        "connections.svg": plots.curves("Cost of a segment of one byte", "connections", lines),
        "flat.svg": plots.curves("estab: what must not grow", "connections", flat),
        "short.svg": plots.bars("Connect, a byte each way, close: both ends",
                                rows("short", "ns_per_op", 1e-3), "µs"),
        "goodput.svg": plots.bars("Bulk, MTU 1500, checksums in software: both ends on one core",
                                  rows("bulk", "gbit_per_s", 1), "Gbit/s"),
        "memory.svg": plots.bars("Memory of an idle established end", memory, "B"),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _idle_ends(document, results):
    found = {}
    for peer in _present(document):
        values = [results.median("memory", peer, f) for f in
                  ("idle_bytes", "idle_client_bytes", "idle_server_bytes")]
        values = [v for v in values if v is not None]
        if values:
            found[peer] = max(values)
    return found


def _markdown_table(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def _figures(document, results):
    present = _present(document)
    heads = ["least/median/most"] + [document["peers"][p]["title"] for p in present]
    rows = []
    for title, key, figure, unit, factor, _ in TABLE:
        cells = []
        for peer in present:
            values = results.values(key, peer, figure)
            cells.append(_cell(values, factor) if values else "-")
        if any(c != "-" for c in cells):
            rows.append([f"{title}, {unit}", *cells])
    ratios = []
    for title, key, figure, _, _, more in TABLE:
        cells = []
        for peer in present[1:]:
            values = results.ratios(key, figure, peer, "estab")
            cells.append(_cell(values, 1) if values else "-")
        if any(c != "-" for c in cells):
            ratios.append([title + (" (goodput)" if more else ""), *cells])
    lines = _markdown_table(heads, rows)
    if present and present[0] == "estab" and ratios:
        lines += ["Over estab's, round by round: above 1 the other one needs more (of goodput: has "
                  "more).", "", *_markdown_table([""] + heads[2:], ratios)]
    return lines


def _memory(document, results):
    rows = []
    kinds = [("idle established end", None), ("half-open", "half_open_bytes"),
             ("TIME_WAIT", "time_wait_bytes")]
    for title, figure in kinds:
        cells = []
        for peer in _present(document):
            value = (_idle_ends(document, results).get(peer) if figure is None else
                     results.median("memory", peer, figure))
            cells.append("-" if value is None else gates.text(value))
        rows.append([title, *cells])
    heads = ["bytes"] + [document["peers"][p]["title"] for p in _present(document)]
    return _markdown_table(heads, rows)


def _scale(results):
    sizes = results.sizes("scale", "estab")
    if not sizes:
        return []
    rows = [[title] + [gates.text(results.median(f"scale/{n}", "estab", figure)) for n in sizes]
            for title, figure in SCALE]
    timers = results.sizes("timers", "estab")
    rows.append(["cancel and set a timer"] + [
        gates.text(results.median(f"timers/{n}", "estab")) if n in timers else "-" for n in sizes])
    rows.append(["the whole process, MiB"] + [
        gates.text(results.median(f"scale/{n}", "estab", "resident_bytes") / 2**20) for n in sizes])
    return _markdown_table(["ns; connections"] + [plots.short_number(n) for n in sizes], rows)


LINKS = [("veth", "Linux, veth"), ("tun", "estab, TUN"), ("tun_lwip", "lwIP, TUN"),
         ("packet", "estab, AF_PACKET"), ("xdp", "estab, AF_XDP"), ("tun_busy", "estab, TUN, awake"),
         ("packet_busy", "estab, AF_PACKET, awake"), ("xdp_busy", "estab, AF_XDP, awake")]
OVER_LINKS = [("bulk to the kernel, Gbit/s", "bulk_up"), ("bulk from the kernel, Gbit/s", "bulk_down"),
              ("64 in parallel connect and close, 1 000/s", "connect"),
              ("1 B there and back, p50, µs", "latency")]
HOW_LINKS = """The kernel's TCP at the one end, in a process of its own; at the other end, in another one, the
kernel too (veth, with all its offloads), estab through its C interface, or lwIP through its raw API; in real
time, by turns, in new namespaces every time. For connections the client is the kernel's: 64 sockets, each
closed as soon as it is open and opened anew, to 8 ports of the server, which closes when its peer has. Over
lwIP's is the median of the ratios of the rounds. Awake: it never sleeps for packets."""


def _links(results):
    columns = [(link, title) for link, title in LINKS
               if any(results.median("links", "estab", f"{workload}_{link}") is not None
                      for _, workload in OVER_LINKS)]
    if not columns:
        return []
    rows = []
    for title, workload in OVER_LINKS:
        values = [results.median("links", "estab", f"{workload}_{link}") for link, _ in columns]
        rows.append([title, *("-" if v is None else gates.text(v) for v in values)])
    return ["## Over devices", "", HOW_LINKS, "",
            *_markdown_table(["medians"] + [title for _, title in columns], rows)]


def _gates(verdicts):
    rows = []
    for v in verdicts:
        state = "holds" if v.holds else "not measured" if v.value is None else "**does not hold**"
        goal = "" if v.gate.goal is None else gates.text(v.gate.goal)
        rows.append([v.gate.number, v.gate.name, "" if v.value is None else gates.text(v.value),
                     gates.bound_text(v.gate).replace("<=", "≤").replace(">=", "≥"), goal, state])
    return _markdown_table(["", "what", "measured", "bound", "goal", ""], rows)


def _settings(document):
    lines = []
    for name in _present(document):
        one = document["peers"][name]
        lines += [f"**{one['title']}** {one['version']}", ""]
        lines += [f"- {s}" for s in one["settings"]]
        lines.append("")
    for name, why in document["left_out"].items():
        lines += [f"**{peers.TITLES[name]}** was left out: {why}.", ""]
    return lines


INTRODUCTION = """# Performance

<!-- Written by bench/compare/run: change that, not this. -->

How fast estab is, beside other stacks, on one machine on one day. The ratios travel to another machine
better than the figures do; to have them of yours:

```
bench/compare/run                 everything: under 15 minutes
bench/compare/run --quick         a look: under 3
bench/compare/run --check         exit status 1, and names the bounds that do not hold
```

Each stack drives the same workloads with both of its ends in one thread, on a wire in memory (the kernel: a
veth pair): packets of at most 1500 bytes are copied once into a ring of 32 and handed over, checksums are
made and verified in software. The stacks take turns, round by round; times are the process's own, after a
warm-up. The programs at both ends copy the bytes in and out, everywhere.
"""


def write(docs, document, results, verdicts):
    """performance.md and performance/*.svg, in `docs`."""
    plots_there = docs / "performance"
    plots_there.mkdir(parents=True, exist_ok=True)
    drawn = _draw(document, results)
    for name, svg in drawn.items():
        (plots_there / name).write_text(svg)

    def picture(name, what):
        return [f"![{what}](performance/{name})", ""] if name in drawn else []

    m = document["machine"]
    lines = [
        INTRODUCTION,
        f"{m['date']}: {m['processor']}, {m['cores']} cores, {m['memory_gib']:g} GiB, Linux "
        f"{m['kernel']}" + ("; a quick look, with few rounds." if document["quick"] else "."), "",
        "## Connections and bulk", "",
        *picture("short.svg", "time of a short connection"),
        *picture("goodput.svg", "goodput of a bulk transfer"),
        *_figures(document, results),
        "## Many connections", "",
        "A byte there and a byte back over each of them, in an order without order; the cost is that "
        "of one segment, both ends.", "",
        *picture("connections.svg", "cost of a segment against the number of connections"),
        "estab alone, much further; here the acknowledgement of every answer comes from its timer, "
        "one segment and a half a byte, so that no connection keeps anything. The last three rows: "
        "time that passes, a timer of one connection, memory.", "",
        *picture("flat.svg", "estab's costs against the number of connections"),
        *_scale(results),
        "## Memory", "",
        "Of one end. estab: all that its allocator gave, tables included, after a byte each way. "
        "lwIP, smoltcp: the record alone, without buffers. gVisor: the heap. Linux: its slabs.", "",
        *picture("memory.svg", "memory of an idle end"),
        *_memory(document, results),
        *_links(results),
        "## Bounds", "",
        "What must hold; where there is a goal, that is what is aimed at.", "",
        *_gates(verdicts),
        "## Settings", "",
        *_settings(document),
    ]
    (docs / "performance.md").write_text("\n".join(lines).rstrip() + "\n")
