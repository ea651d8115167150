"""Drawings as SVG: lines over two logarithmic axes, and bars."""

import math
from html import escape

COLOURS = {"estab": "#0b5cad", "estab-c": "#6aa5dc", "lwip": "#c4570c", "smoltcp": "#7a4fa3",
           "gvisor": "#3a8a4d", "kernel": "#5c5c5c"}
_STYLE = ("font-family:Helvetica,Arial,sans-serif;font-size:13px")
WIDTH = 760


def _svg(height, parts, title):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" style="{_STYLE}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16" font-weight="bold" fill="#222">{escape(title)}</text>',
        *parts, "</svg>", ""])


def _text(x, y, text, anchor="start", colour="#444", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def _line(x1, y1, x2, y2, colour="#e4e4e4", width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"/>')


def short_number(value):
    """10 000 as 10 k, 1 000 000 as 1 M."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def short_time(ns):
    for size, unit in ((1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns"


def _apart(wanted, gap):
    """Places for labels as near to those wanted as a gap between them allows, in their order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    for before, after in zip(order, order[1:]):
        places[after] = max(places[after], places[before] + gap)
    return places


def curves(title, x_title, series):
    """`series`: (label, colour, width, dashes, [(x, ns)...]). Both axes are logarithmic."""
    left, right, top, bottom = 74, 196, 52, 372
    series = [s for s in series if s[4]]
    xs = [x for s in series for x, _ in s[4]]
    ys = [y for s in series for _, y in s[4]]
    if not xs:
        return None
    x0, x1 = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
    y0, y1 = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)

    def at(x, y):
        return (left + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - left - right),
                bottom - (math.log10(y) - y0) / (y1 - y0) * (bottom - top))

    parts = []
    for e in range(y0, y1 + 1):
        _, y = at(10**x0, 10**e)
        parts += [_line(left, y, WIDTH - right, y),
                  _text(left - 8, y + 4, short_time(10**e), "end")]
    for e in range(x0, x1 + 1):
        x, _ = at(10**e, 10**y0)
        parts += [_line(x, top, x, bottom), _text(x, bottom + 20, short_number(10**e), "middle")]
    parts.append(_text((left + WIDTH - right) / 2, bottom + 42, x_title, "middle"))
    labels = _apart([at(*s[4][-1])[1] for s in series], 16)
    for (label, colour, width, dashes, points), y in zip(series, labels):
        places = [at(*p) for p in points]
        path = " ".join(f"{x:.1f},{y_:.1f}" for x, y_ in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                     f'stroke-width="{width}" stroke-dasharray="{dashes}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y_:.1f}" r="{width + 0.8:.1f}" fill="{colour}"/>'
                  for x, y_ in places]
        parts += [_line(places[-1][0] + 5, places[-1][1], WIDTH - right + 12, y, colour, 0.6),
                  _text(WIDTH - right + 16, y + 4, label, colour=colour,
                        weight="bold" if width > 2 else "normal")]
    return _svg(bottom + 58, parts, title)


def bars(title, rows, unit):
    """`rows`: (label, colour, (least, median, most), text). One linear axis from 0."""
    rows = [r for r in rows if r[2]]
    if not rows:
        return None
    left, right, top, step = 150, 150, 46, 34
    most = max(r[2][2] for r in rows)
    scale = (WIDTH - left - right) / most
    parts = []
    for i, (label, colour, (low, middle, high), text) in enumerate(rows):
        y = top + i * step
        parts += [
            _text(left - 10, y + 18, label, "end", "#222"),
            f'<rect x="{left}" y="{y + 4}" width="{middle * scale:.1f}" height="20" '
            f'fill="{colour}"/>',
            _text(left + high * scale + 8, y + 18, f"{text} {unit}".rstrip(), colour="#222"),
        ]
        if high > low:
            parts += [_line(left + low * scale, y + 14, left + high * scale, y + 14, "#111", 1.4)]
            parts += [_line(left + v * scale, y + 9, left + v * scale, y + 19, "#111", 1.4)
                      for v in (low, high)]
    return _svg(top + len(rows) * step + 14, parts, title)
