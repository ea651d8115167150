#!/usr/bin/env python3
"""Writes the seeds of fuzz_decode: the packets of tests/unit/wire_samples.h, some of them cut."""
import pathlib
import re

here = pathlib.Path(__file__).resolve().parent
text = (here.parent / "unit" / "wire_samples.h").read_text()
into = here / "corpus" / "decode"
into.mkdir(parents=True, exist_ok=True)
for name, pieces in re.findall(r'\{"([a-z0-9-]+)",((?:\s*"[0-9a-f]+")+)\}', text):
    packet = bytes.fromhex("".join(re.findall(r'"([0-9a-f]+)"', pieces)))
    (into / name).write_bytes(packet)
    # Cut in the middle of the transport header or of a quote.
    if name.startswith(("linux4-syn-ts1-sack1", "linux6", "icmp", "tcp6-extension")):
        (into / (name + "-cut")).write_bytes(packet[: len(packet) * 3 // 4])
(into / "empty").write_bytes(b"")
