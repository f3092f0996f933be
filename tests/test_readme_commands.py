"""The README's commands: found as written, known to make, and fit for machines without a name."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import readme_commands

ROOT = Path(__file__).parent.parent
TEXT = """
```bash
make a   # a comment
run --standalone --size=4 \\
    -m "two words"
```

```python
make = 1
```
"""


def test_commands_are_read():
    assert readme_commands.commands(TEXT) == [
        ["make", "a"],
        ["run", "--standalone", "--size=4", "-m", "two words"],
    ]
    found = readme_commands.command("--standalone", text=TEXT)
    assert readme_commands.replaced(found, size=2)[2] == "--size=2"
    with pytest.raises(ValueError, match="has no --sizes"):
        readme_commands.replaced(found, sizes=2)
    for word in ("python", "1"):  # in no command
        with pytest.raises(ValueError, match="0 commands"):
            readme_commands.command(word, text=TEXT)
    with pytest.raises(ValueError, match="2 commands"):
        readme_commands.command("make", text=TEXT + TEXT)


def test_make_knows_the_targets_that_the_texts_name():
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    known = {*re.search(r"(?m)^\.PHONY: (.*)$", makefile)[1].split()}
    pages = [ROOT / "README.md", *ROOT.glob("book/*.md")]
    texts = [path.read_text(encoding="utf8") for path in pages]
    named = {target for text in texts for target in re.findall(r"(?m)(?:^|`)make ([\w-]+)", text)}
    assert {"book", "test"} <= named <= known


UNNAMED = ["unshare", "--map-root-user", "--uts", "sh", "-c"]
HELLO = """import torch, torch.distributed as group
group.init_process_group("gloo")
number = torch.ones(1)
group.all_reduce(number)
print(f"{group.get_rank()} of {number.item():g}", flush=True)
group.destroy_process_group()
"""


@pytest.fixture
def where_no_name_resolves():
    """Return a command before a command: it runs on a machine whose own name does not resolve."""
    if not shutil.which("unshare") or subprocess.run([*UNNAMED, "hostname x.invalid"]).returncode:
        pytest.skip("cannot give a command a host name of its own")
    return [*UNNAMED, 'hostname no-such-host.invalid; exec "$@"', "sh"]


@pytest.mark.slow  # starting two processes takes as long as a hundred other tests
def test_torchrun_starts_where_the_machines_own_name_does_not_resolve(
    where_no_name_resolves, tmp_path
):
    (tmp_path / "hello.py").write_text(HELLO)
    done = subprocess.run(
        [*where_no_name_resolves, *readme_commands.torchrun(tmp_path / "hello.py")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert all(said in done.stdout for said in ("0 of 2", "1 of 2"))  # in any order
