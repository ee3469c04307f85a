"""Benchmarks: every figure stands beside its reference, from the same run."""
