"""The checkers that the chapters' exercises call, one file a chapter."""
