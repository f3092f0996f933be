"""experiments/provenance.py: a record names our commit, or none; never another repository's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from experiments import provenance

ROOT = Path(__file__).parent.parent
AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.com"]

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="makes repositories with git")


def git(folder, *arguments):
    done = subprocess.run(
        ["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder):
    """Commit one more file of a folder, in a repository of its own; return the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    (folder / "file.txt").write_text("1")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "First")
    return git(folder, "rev-parse", "HEAD")


def test_a_repository_of_its_own_gives_its_commit(tmp_path):
    root = tmp_path / "my copy é (x)"
    head = commit(root)
    assert provenance.git_commit(root) == head
    (root / "file.txt").write_text("2")
    assert provenance.git_commit(root) == f"{head}-dirty"


def test_code_that_was_never_added_belongs_to_no_commit(tmp_path):
    commit(tmp_path)
    (tmp_path / ".gitignore").write_text("ignored.txt\n")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "--quiet", "--message", "Second")
    git(tmp_path, "config", "status.showUntrackedFiles", "no")  # as some have it everywhere
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "ignored.txt").write_text("1")
    assert provenance.git_commit(tmp_path) == head
    (tmp_path / "experiment.py").write_text("1")
    assert provenance.git_commit(tmp_path) == f"{head}-dirty"


def test_assets_are_what_trainings_write(tmp_path):
    assets = tmp_path / "pixelar_lib" / "assets"
    assets.mkdir(parents=True)
    (assets / "record.json").write_text("1")
    head = commit(tmp_path)
    (assets / "record.json").write_text("2")
    (assets / "new.json").write_text("1")
    assert provenance.git_commit(tmp_path) == head


def test_an_archive_has_no_commit(tmp_path):
    assert provenance.git_commit(tmp_path) == "unknown"


def test_an_archive_inside_another_repository_does_not_take_its_commit(tmp_path):
    commit(tmp_path)
    (tmp_path / "unpacked").mkdir()
    assert provenance.git_commit(tmp_path / "unpacked") == "unknown"


def test_the_callers_repository_does_not_matter(tmp_path, monkeypatch):
    other, ours, unpacked = tmp_path / "other", tmp_path / "ours", tmp_path / "unpacked"
    commit(other)
    (ours / "code").mkdir(parents=True)
    (ours / "code" / "module.py").write_text("1")
    head = commit(ours)
    unpacked.mkdir()
    monkeypatch.chdir(other)
    assert provenance.git_commit(ours) == head
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))  # as in a hook
    assert provenance.git_commit(ours) == head
    assert provenance.git_commit(unpacked) == "unknown"


def test_a_repository_without_a_commit(tmp_path):
    git(tmp_path, "init", "--quiet")
    assert provenance.git_commit(tmp_path) == "unknown"


def test_without_git(tmp_path, monkeypatch):
    commit(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit(tmp_path) == "unknown"


def test_of_this_project_from_elsewhere(tmp_path, monkeypatch):
    expected = git(ROOT, "rev-parse", "HEAD") if (ROOT / ".git").exists() else "unknown"
    monkeypatch.chdir(tmp_path)
    assert provenance.git_commit().removesuffix("-dirty") == expected
