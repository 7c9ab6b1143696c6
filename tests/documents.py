"""What README.md and docs/ say, taken apart: blocks of code, commands, flags, links."""

from __future__ import annotations

import dataclasses
import re
import shlex
import string
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)")
_FLAG = re.compile(r"(?<![\w-])--([a-zA-Z]\w*)")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a block.

    Attributes:
        argv: The program and its arguments, variables filled in.
        line: As it is written.
    """

    argv: list[str]
    line: str


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in a language, in order."""
    return [code for its, code in _BLOCK.findall(text) if its == language]


def prose(text: str) -> str:
    """What is not in blocks of code."""
    return _BLOCK.sub("", text)


def section(text: str, heading: str) -> str:
    """From a heading of the second level to the next."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def commands(text: str) -> list[Command]:
    """All commands of the shell blocks, one after the other; NAME=VALUE holds from then on."""
    found = []
    variables: dict[str, str] = {}
    for block in blocks(text, "sh"):
        for line in re.sub(r"(\\|(?<=\|))\n", " ", block).splitlines():
            words = shlex.split(string.Template(line).safe_substitute(variables), comments=True)
            if len(words) == 1 and re.fullmatch(r"[A-Z]+=.*", words[0]):
                name, value = words[0].split("=", 1)
                variables[name] = value
                continue
            for part in _split(words, {"&&", "|"}):
                found.append(Command(part, line))
    return found


def _split(words: list[str], between: set[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in between:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def flags(text: str) -> set[str]:
    """Names of all flags in a text."""
    return set(_FLAG.findall(text))


def links(text: str) -> list[str]:
    """Targets of all links and pictures."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """What a link may name behind #, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
