#!/usr/bin/env python3
"""Removes all cases of one operator, one operator at a time: test_coverage must fail every time."""

import re

from mutants import hunt

PUSH = "all.push_back(std::move(one));"
REMOVAL = """if (const char* chosen = std::getenv("CAMBIUM_MUTANT");
                chosen == nullptr || one.name.substr(0, one.name.find(' ')) != chosen) """


def mutate(tree):
    path = tree / "engine/cases/case.cpp"
    text = path.read_text()
    if text.count(PUSH) != 1:
        raise SystemExit(f"{path.name} no longer collects the cases in one place")
    path.write_text("#include <cstdlib>\n" + text.replace(PUSH, REMOVAL + PUSH))
    names = set()
    for family in (tree / "engine/ops").glob("*.h"):
        names.update(re.findall(r'string_view name = "(\w+)"', family.read_text()))
    names -= {"input", "read", "assign", "fill"}  # the program's own, which no backend runs
    return {name: f"no case for {name}" for name in sorted(names)}


if __name__ == "__main__":
    hunt(mutate, "test_coverage")
