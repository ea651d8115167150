"""What the runs have given, and what follows from them."""

import statistics


def spread(values):
    """(least, median, most)."""
    return min(values), statistics.median(values), max(values)


class Results:
    """Figures by measurement, peer and round."""

    def __init__(self):
        self.runs = []
        self._values = {}

    def add(self, key, peer, round_number, figures):
        self.runs.append({"measurement": key, "peer": peer, "round": round_number,
                          "figures": figures})
        for name, value in figures.items():
            if isinstance(value, (int, float)):
                self._values.setdefault((key, peer, name), {})[round_number] = value

    def values(self, key, peer, figure="ns_per_op"):
        """The figure of every round; empty if it was not measured."""
        return list(self._values.get((key, peer, figure), {}).values())

    def median(self, key, peer, figure="ns_per_op"):
        values = self.values(key, peer, figure)
        return statistics.median(values) if values else None

    def ratios(self, key, figure, one, other):
        """one / other, round by round: neighbours in time are compared."""
        mine = self._values.get((key, one, figure), {})
        theirs = self._values.get((key, other, figure), {})
        return [mine[r] / theirs[r] for r in mine if r in theirs and theirs[r] != 0]

    def ratio(self, key, figure, one, other):
        values = self.ratios(key, figure, one, other)
        return statistics.median(values) if values else None

    def sizes(self, prefix, peer):
        """The numbers of connections for which `prefix`/N was measured of a peer, ascending."""
        found = {int(key.rpartition("/")[2]) for key, who, _ in self._values
                 if who == peer and key.startswith(prefix + "/")}
        return sorted(found)
