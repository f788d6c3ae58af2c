"""The commands: each parses its options, wires the parts together, and runs."""
