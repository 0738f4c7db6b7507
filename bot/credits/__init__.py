"""Credits: what a picture costs, who may still spend, and the ledger that keeps the account."""
