"""What the benchmarks compare must compute the same."""
