"""Measurements, run by ``make bench``; figures and method in docs/benchmarks.md. Never asserted in seconds by CI."""
