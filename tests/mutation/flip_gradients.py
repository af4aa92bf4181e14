#!/usr/bin/env python3
"""Flips the sign of each gradient that a rule in engine/ops sets, one at a time: test_gradient must fail every time."""

import re

from mutants import hunt

HELPER = """
#include <cstdlib>
namespace cambium::ops {
inline Value mutated(const char* mutant, Value gradient) {
    const char* chosen = std::getenv("CAMBIUM_MUTANT");
    return chosen != nullptr && std::string_view(chosen) == mutant ? cambium::scale(gradient, -1) : gradient;
}
}  // namespace cambium::ops
"""


def closing(text, start):
    """Index of the parenthesis that closes the one before `start`, and that of the first comma on its level."""
    depth, comma, at = 1, None, start
    while True:
        if text[at] in "({[":
            depth += 1
        elif text[at] in ")}]":
            depth -= 1
            if depth == 0:
                return at, comma
        elif text[at] == "," and depth == 1 and comma is None:
            comma = at
        at += 1


def mutate(tree):
    rules = tree / "engine/ops/rules.h"
    rules.write_text(rules.read_text() + HELPER)
    mutants = {}
    for path in sorted((tree / "engine/ops").glob("*.cpp")):
        text, result, end = path.read_text(), "", 0
        for found in re.finditer(r"\bb\.set\(", text):
            close, comma = closing(text, found.end())
            operator = re.findall(r"void differentiate\(const (\w+)&", text[: found.start()])[-1]
            name = f"{path.stem}:{len(mutants)}"
            mutants[name] = f"{operator}: gradient of input {text[found.end():comma]}"
            result += text[end : comma + 1] + f' mutated("{name}",' + text[comma + 1 : close] + ")"
            end = close
        path.write_text(result + text[end:])
    return mutants


if __name__ == "__main__":
    hunt(mutate, "test_gradient")
