"""What tests share: fixtures, doubles and samples."""
