#!/usr/bin/env python3
"""Draws what berth_bench --csv wrote: plot.py RESULTS.csv > PLOT.svg

Models are drawn as grouped bars, the host to the bare server of the same model; peers as one bar
each, to the bare epoll server, and proxies to HAProxy. Whiskers are 95 % intervals of the median. The colours can be read
on a light and on a dark page, since a picture in a README cannot know on which it lies.
"""

import csv
import sys
from xml.sax.saxutils import escape

TEXT, FAINT = "#6e7781", "#8b949e"
PALETTE = ["#e8964a", "#d4b13f", "#b58863", "#e0707f", "#d67bb8", "#ae8be0", "#4c9be8", "#45b3a2"]
HOST, BARE, PEER = "#4c9be8", "#aab2bb", "#b3c4da"
WORKS = {"roundtrip": "round trips", "pipeline": "16 deep", "bulk": "64 KiB", "churn": "churn"}
TRANSPORTS = {"tcp": "", "udp": "UDP ", "tls": "TLS "}
FIELDS = {"peers": "Echo servers beside a bare epoll server in C (1.00)",
          "proxies": "Proxies of TCP beside {} (1.00)"}


def read(path):
    """The facts of the heading, and the rows that have a ratio."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    for row in rows:
        title = TRANSPORTS[row["transport"]] + WORKS.get(row["work"], row["work"])
        clients = " sockets" if row["transport"] == "udp" else " conn."
        row["group"] = (title, "{:,}".format(int(row["connections"])) + clients)
    return facts, [row for row in rows if row["ratio"]]


def ordered(values):
    return list(dict.fromkeys(values))


class Picture:
    def __init__(self, width, height):
        self.size = (width, height)
        self.parts = []

    def text(self, x, y, words, size=12, anchor="start", color=TEXT, weight="normal"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{color}" font-weight="{weight}">{escape(words)}</text>'
        )

    def bar(self, x, y, width, height, color):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'rx="1.5" fill="{color}"/>'
        )

    def line(self, x1, y1, x2, y2, color=TEXT, width=1.0, dashes=""):
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="{width}"{dash}/>'
        )

    def arrow(self, x, y, height, color):
        """A bar that goes on."""
        points = f"{x:.1f},{y} {x + 6:.1f},{y + height / 2} {x:.1f},{y + height}"
        self.parts.append(f'<polygon points="{points}" fill="{color}"/>')

    def heading(self, title, facts):
        self.text(20, 28, title, 16, weight="600")
        self.text(20, 48, f"{facts['machine']} · {facts['date']} · median of {facts['rounds']} "
                  "rounds, with its 95 % interval", 12, color=FAINT)

    def __str__(self):
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="system-ui, -apple-system, Segoe UI, '
            'DejaVu Sans, sans-serif">\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def value_of(row):
    return tuple(float(row[name]) for name in ("ratio", "low", "high"))


def subject_of(row):
    return row["subject"] + (f" ×{row['workers']}" if row["workers"] != "1" else "")


class Panel:
    """Grouped bars of one quantity, a group for each work, from left to right."""

    TOP = 1.5  # longer bars are cut off there, and tell their value

    def __init__(self, picture, top, height):
        self.picture, self.top, self.height = picture, top, height
        self.left, self.right = 52, picture.size[0] - 20

    def y(self, ratio):
        return self.top + self.height * (1 - min(ratio, self.TOP) / self.TOP)

    def grid(self, title):
        self.picture.text(self.left, self.top - 12, title, 13, weight="600")
        for step in range(0, 7):
            ratio = step / 4
            whole = ratio == 1
            self.picture.line(self.left, self.y(ratio), self.right, self.y(ratio),
                              TEXT if whole else FAINT, 1.2 if whole else 0.4)
            self.picture.text(self.left - 8, self.y(ratio) + 4, f"{ratio:.2f}", 11, "end",
                              weight="600" if whole else "normal")

    def draw(self, rows, groups, subjects):
        span = (self.right - self.left) / len(groups)
        width = min(span * 0.84 / len(subjects), 26)
        for number, group in enumerate(groups):
            middle = self.left + span * (number + 0.5)
            for line, words in enumerate(group):
                self.picture.text(middle, self.top + self.height + 18 + 15 * line, words, 12,
                                  "middle", TEXT if line == 0 else FAINT)
            here = {subject_of(row): row for row in rows if row["group"] == group}
            left = middle - width * len(subjects) / 2
            for index, subject in enumerate(subjects):
                x = left + index * width
                if subject in here:
                    self.one(x, width, value_of(here[subject]), PALETTE[index])
                else:
                    self.picture.text(x + width / 2, self.y(0) - 4, "n/a", 10, "middle", FAINT)

    def one(self, x, width, value, color):
        ratio, low, high = value
        bottom, middle = self.y(0), x + width / 2
        self.picture.bar(x + 1, self.y(ratio), width - 2, bottom - self.y(ratio), color)
        if low < self.TOP:
            self.picture.line(middle, self.y(low), middle, self.y(high), TEXT, 1.4)
            for end in (low, high):
                if end < self.TOP:
                    self.picture.line(middle - 3, self.y(end), middle + 3, self.y(end), TEXT, 1.4)
        if ratio > self.TOP:
            self.picture.text(middle, self.top - 3, f"{ratio:.1f}", 10, "middle")


def legend(picture, y, subjects):
    x = 52.0
    for index, subject in enumerate(subjects):
        picture.bar(x, y - 10, 12, 12, PALETTE[index])
        picture.text(x + 18, y, subject, 12)
        x += 38 + 7.2 * len(subject)


def plot_models(facts, rows):
    hosts = [row for row in rows if row["server"] == "host"]
    if not hosts:
        sys.exit("plot.py: the host was not measured, there is nothing to draw")
    groups = ordered(row["group"] for row in hosts)
    subjects = ordered(subject_of(row) for row in hosts)
    if len(subjects) > len(PALETTE):
        sys.exit(f"plot.py: there are colours for {len(PALETTE)} models only")
    picture = Picture(920, 640)
    picture.heading("berth beside a bare C server of the same model (1.00)", facts)
    legend(picture, 78, subjects)
    for top, quantity, title in (
        (124, "rate", "messages or connections per second: more is better"),
        (398, "cpu_time", "processor time per message or connection: less is better"),
    ):
        panel = Panel(picture, top, 190)
        panel.grid(title)
        panel.draw([row for row in hosts if row["quantity"] == quantity], groups, subjects)
    return picture


def color_of(server):
    return HOST if server.startswith("host") else BARE if server.startswith("bare") else PEER


def plot_column(picture, x, width, top, rows, servers, title, most):
    """One column of bars from left to right, a line for each server."""
    scale = width / most
    bottom = top + 24 * len(servers)
    picture.text(x, top - 32, title[0], 13, weight="600")
    picture.text(x, top - 15, title[1], 11, color=FAINT)
    picture.line(x + scale, top - 4, x + scale, bottom + 2, TEXT, 1.2, "4 3")
    for index, server in enumerate(servers):
        row = next((row for row in rows if row["server"] == server), None)
        if row is None:
            picture.text(x + width + 38, top + 24 * index + 16, "n/a", 11, "end", FAINT)
            continue
        ratio, low, high = value_of(row)
        y = top + 24 * index
        picture.bar(x, y + 4, min(ratio, most) * scale, 16, color_of(server))
        if ratio <= most:
            picture.line(x + low * scale, y + 12, x + min(high, most) * scale, y + 12, TEXT, 1.4)
            for end in (low, high):
                if end <= most:
                    picture.line(x + end * scale, y + 8, x + end * scale, y + 16, TEXT, 1.4)
        if ratio > most:
            picture.arrow(x + width, y + 4, 16, color_of(server))
        label = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
        picture.text(x + width + 38, y + 16, label, 11, "end")
    picture.line(x, top - 4, x, bottom + 2, FAINT, 0.8)


def plot_field(facts, rows):
    title = FIELDS[rows[0]["subject"]].format(rows[0]["server"])
    rows = [row for row in rows if row["server"] != "copy"]
    groups = ordered(row["group"] for row in rows)
    first = [row for row in rows if row["group"] == groups[0] and row["quantity"] == "rate"]
    known = ordered(row["server"] for row in rows)
    rank = {row["server"]: -float(row["ratio"]) for row in first}
    servers = sorted(known, key=lambda server: rank.get(server, 0))
    columns = [(group, *quantity) for group in groups for quantity in
               (("rate", "per second: more is better"), ("cpu_time", "CPU time: less is better"))]
    left, span = 150, 195
    picture = Picture(left + span * len(columns) + 20, 140 + 24 * len(servers))
    picture.heading(title, facts)
    top = 116
    for index, server in enumerate(servers):
        weight = "600" if server.startswith("host") else "normal"
        words = server.replace("host", "berth")
        picture.text(left - 10, top + 24 * index + 16, words, 12, "end", weight=weight)
    for index, (group, quantity, words) in enumerate(columns):
        here = [row for row in rows if row["group"] == group and row["quantity"] == quantity]
        most = 1.5 if quantity == "rate" else 4
        plot_column(picture, left + span * index, span - 60, top, here, servers,
                    (", ".join(group), words), most)
    return picture


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: plot.py RESULTS.csv > PLOT.svg")
    facts, rows = read(sys.argv[1])
    if not rows:
        sys.exit("plot.py: no ratio was measured, there is nothing to draw")
    draw = plot_field if rows[0]["subject"] in FIELDS else plot_models
    print(draw(facts, rows), end="")


if __name__ == "__main__":
    main()
