"""What may go in: the checks on pictures and words from members."""
