"""The command `progress`: what operators do, from a shell."""
