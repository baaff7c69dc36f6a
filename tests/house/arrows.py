"""Draws the house: which room, and which unit in it, includes which. By hand: tests/house/arrows.py [FOLDER [DEPTH]]

A unit is a header with its source. A storey is the longest way down from it; a circle has no storey.
FOLDER is "." for all three houses; DEPTH is how many parts of a name stay: 1 houses, 2 rooms (and what stands beside
them), 3 units.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOUSES = ("agent", "relay", "sync")
INCLUDE = re.compile(r'^#include "((?:agent|relay|sync)/[^"]+)"', re.M)


def units(folder=".", depth=3):
    """{unit: the units it includes}, of those below the folder; names are cut to so many parts."""
    out = {}

    def name(path):
        parts = path.split("/")
        parts[-1] = parts[-1].split(".")[0]
        return "/".join(parts[:depth])

    below = "" if folder == "." else folder.rstrip("/") + "/"
    for house in HOUSES:
        for path in sorted((ROOT / house).rglob("*")):
            own = path.relative_to(ROOT).as_posix()
            if path.suffix not in (".h", ".cc") or not own.startswith(below):
                continue
            targets = out.setdefault(name(own), set())
            targets |= {name(target) for target in INCLUDE.findall(path.read_text()) if target.startswith(below)}
    return {unit: {target for target in targets if target != unit} for unit, targets in out.items()}


def circles(graph):
    """Groups of units that reach each other (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        for target in graph.get(unit, ()):
            if target not in index:
                visit(target)
                low[unit] = min(low[unit], low[target])
            elif target in stack:
                low[unit] = min(low[unit], index[target])
        if low[unit] == index[unit]:
            group = stack[stack.index(unit):]
            del stack[stack.index(unit):]
            if len(group) > 1:
                found.append(sorted(group))

    for unit in graph:
        if unit not in index:
            visit(unit)
    return found


def storeys(graph):
    """[units of the ground floor, units above it, ...]; circles count as one."""
    group_of = {unit: group[0] for group in circles(graph) for unit in group}
    height = {}

    def of(unit):
        unit = group_of.get(unit, unit)
        if unit not in height:
            members = [each for each in graph if group_of.get(each, each) == unit]
            below = {group_of.get(target, target) for each in members for target in graph[each] if target in graph} - {unit}
            height[unit] = 1 + max(map(of, below), default=-1)
        return height[unit]

    out = {}
    for unit in graph:
        out.setdefault(of(unit), []).append(unit)
    return [out[level] for level in sorted(out)]


def main():
    sys.setrecursionlimit(10_000)
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    depth = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    graph = units(folder, depth)
    levels = storeys(graph)
    for level in reversed(range(len(levels))):
        print(f"{level:3}  {'  '.join(sorted(levels[level]))}")
    print(f"{len(graph)} units, {len(levels)} storeys, {sum(map(len, graph.values()))} arrows, "
          f"circles: {circles(graph) or 'none'}")


if __name__ == "__main__":
    main()
