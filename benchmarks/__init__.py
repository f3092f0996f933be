"""Side-by-side timings of the post's algorithm and of the library: make bench."""
