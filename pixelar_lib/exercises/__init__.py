"""The checkers that the chapters' exercises call, one file a chapter.

Each takes an answer, tries it, and returns a `checker.Verdict`: right, or a hint.
"""
