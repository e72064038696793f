"""The page of everything that people did."""
