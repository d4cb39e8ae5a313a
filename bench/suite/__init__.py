"""The parts of bench/run.py: rows to measure, peers to measure against, and what the ratios say."""
