"""Patterns from the settings file: taken only if no text can make the search slow.

Python's `re` backtracks, so a pattern is judged before it is used: everything it can try from one place of a text is
counted, as an upper bound. `(a+)+`, `(a|a)*b`, `.*x.*` and back-references have no bound and are refused, and so are
patterns whose bound is too high. What is left costs so many steps a character at most, whatever the text: linear.

A checker of our own rather than google-re2 as engine: the same patterns then behave as in the detectors (lookarounds
included), and a store's server needs no further compiled dependency for a handful of patterns.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

MOST_STEPS: Final = 2_000  # from one place of a text
WIDEST: Final = 200  # characters of a match
LONGEST: Final = 500  # characters of a pattern
PARSER: Final[Any] = importlib.import_module("re._parser")  # the compiler's own syntax tree; no public name for it
UNBOUNDED: Final = PARSER.MAXREPEAT
ENOUGH: Final = 10**9


class Effort(NamedTuple):
    """Upper bounds for one place of a text: steps taken, and ways in which it can match, each of them tried in turn."""

    steps: int
    ways: int


def check_pattern(pattern: str) -> str:
    """`pattern` itself, if it is safe to search for.

    Raises:
        ValueError: it is no regular expression, matches the empty text, or may take too long; says which.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"a pattern has {LONGEST} characters at most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
            tree = PARSER.parse(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"no regular expression: {error}") from error
    effort = effort_of(tree)
    narrowest, widest = tree.getwidth()
    if narrowest == 0:
        raise ValueError("it matches the empty text")
    if widest > WIDEST:
        raise ValueError(f"it matches up to {widest} characters; {WIDEST} are allowed")
    if effort.steps > MOST_STEPS:
        raise ValueError(
            f"it may take {effort.steps:,} steps from one place of a text, {MOST_STEPS:,} are allowed: give its "
            "repeats narrower bounds, or make them possessive as in [A-Z]{1,9}+"
        )
    return pattern


def effort_of(tree: Iterable[Any]) -> Effort:
    """Of a sequence: each part is tried once for every way in which those before it match."""
    steps, ways = 0, 1
    for kind, argument in tree:
        part = effort_of_part(str(kind), argument)
        steps = min(ENOUGH, steps + ways * part.steps)
        ways = min(ENOUGH, ways * part.ways)
    return Effort(steps, ways)


def effort_of_part(kind: str, argument: Any) -> Effort:
    """Of one node of the syntax tree."""
    if kind in ("GROUPREF", "GROUPREF_EXISTS"):
        raise ValueError("back-references are not allowed")
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        fewest, most, inner = argument
        if most == UNBOUNDED:
            raise ValueError("a repeat has no upper bound: write {0,20} for *, {1,20} for +")
        return repeated(effort_of(inner), fewest, most, possessive=kind == "POSSESSIVE_REPEAT")
    if kind == "BRANCH":
        branches = [effort_of(branch) for branch in argument[1]]
        return Effort(sum(b.steps for b in branches), sum(b.ways for b in branches))
    if kind == "SUBPATTERN":
        return effort_of(argument[3])
    if kind == "ATOMIC_GROUP":
        return Effort(effort_of(argument).steps, 1)
    if kind in ("ASSERT", "ASSERT_NOT"):
        return Effort(effort_of(argument[1]).steps, 1)
    return Effort(1, 1)


def repeated(inner: Effort, fewest: int, most: int, *, possessive: bool) -> Effort:
    """Of `fewest` to `most` repeats."""
    steps, ways, power = 0, 0, 1
    for count in range(most + 1):
        if count >= fewest:
            ways += power
        if count < most:
            steps += power * inner.steps
        power *= inner.ways
        if steps > ENOUGH:
            break
    return Effort(min(ENOUGH, max(1, steps)), 1 if possessive else min(ENOUGH, ways))


def literal_in(pattern: str) -> str:
    """The longest text that every match of `pattern` holds, or ''."""
    if re.compile(pattern).flags & re.IGNORECASE:
        return ""
    best = run = ""
    for kind, argument in PARSER.parse(pattern):
        run = run + chr(argument) if str(kind) == "LITERAL" else ""
        best = max(best, run, key=len)
    return best
