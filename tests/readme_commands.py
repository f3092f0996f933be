"""The commands that the README gives, for tests: what is tested is what is documented."""

import re
import shlex
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def commands(text):
    """Return the commands in the fenced blocks of a Markdown text, each as a list of words."""
    found = []
    for block in re.findall(r"(?ms)^```(?:bash|sh)\n(.*?)^```$", text):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                found.append(words)
    return found


def command(*wanted, text=None):
    """Return the only command of the README that has all these words.

    Raises:
        ValueError: If there is none, or several.
    """
    text = README.read_text(encoding="utf8") if text is None else text
    found = [words for words in commands(text) if {*wanted} <= {*words}]
    if len(found) != 1:
        raise ValueError(f"{README.name} has {len(found)} commands with {wanted}, not 1")
    return found[0]


def replaced(words, **values):
    """Return a command with other values of some options: nproc_per_node=2."""
    options = {f"--{name.replace('_', '-')}": value for name, value in values.items()}
    names = [word.partition("=")[0] for word in words]
    if missing := options.keys() - {*names}:
        raise ValueError(f"{' '.join(words)} has no {', '.join(sorted(missing))}")
    return [
        f"{name}={options[name]}" if name in options else word
        for name, word in zip(names, words, strict=True)
    ]


def torchrun(*arguments):
    """Return the README's command for one machine, with two processes of a script."""
    words = replaced(command("torchrun", "--standalone"), nproc_per_node=2)
    words = words[1 : words.index("-m")]
    return [sys.executable, "-m", "torch.distributed.run", *words, *map(str, arguments)]
