"""Terminal output of the commands, and lookup of the jobs and accounts that they name."""
