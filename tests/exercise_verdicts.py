"""What the tests of all checkers ask of a verdict."""


def assert_correct(verdict):
    assert verdict.passed, verdict.message
    assert repr(verdict).startswith("Correct. ")


def assert_not_attempted(verdict):
    assert verdict.outcome == "Not attempted", verdict
    assert repr(verdict).startswith("Not attempted. ")


def assert_hint(verdict, *words):
    assert not verdict.passed
    assert repr(verdict).startswith("Not yet. ")
    assert all(word in verdict.message for word in words), verdict.message
