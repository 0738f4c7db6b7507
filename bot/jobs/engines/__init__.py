"""Who works on which job: one engine for one process, one for many machines. Both run the same `Runner`."""
