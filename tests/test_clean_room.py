"""notebooks/clean_room.py: what it publishes, and what it complains about."""

import subprocess
from pathlib import Path

import clean_room
import pytest
import repository

ROOT = Path(__file__).parent.parent
PREFIX = Path("/env")
INSIDE = "/env/lib/python3.13/site-packages/pixelar_lib/__init__.py"
OURS = f"pixelar-lib @ git+{clean_room.URL}@abc"
COLAB = {"torch==2.11.0", "ipywidgets==7.7.1"}


def test_complaints():
    check = clean_room.complaints
    assert check(COLAB, COLAB | {OURS}, INSIDE, PREFIX) == []
    assert check(COLAB, COLAB, INSIDE, PREFIX) == [
        "the set-up cell did not install the library from its address"
    ]
    elsewhere = check(COLAB, COLAB | {OURS}, "/checkout/pixelar_lib/__init__.py", PREFIX)
    assert elsewhere == ["the library comes from elsewhere: /checkout/pixelar_lib/__init__.py"]
    changed = check(COLAB, {"torch==2.12.0", "ipywidgets==7.7.1", OURS}, INSIDE, PREFIX)
    assert changed == ["a package changed: torch==2.11.0", "a package changed: torch==2.12.0"]


def test_published_copy_has_the_address_and_the_tag(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("this copy is not a git checkout")
    clean_room.publish(tmp_path)
    tag = f"v{repository.stored(repository.VERSION_HOME)}"
    command = ["git", "show", f"{tag}:notebooks/01_chain_rule.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"git+{clean_room.URL}@{tag}" in done.stdout


def test_failed_command_says_why():
    with pytest.raises(RuntimeError, match=r"git nonsense failed:\n.*nonsense"):
        clean_room.run(["git", "nonsense"], ROOT)
