"""The pages of channels: where messages about incidents go, by which rules, and what became of them."""
