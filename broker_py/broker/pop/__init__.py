"""POP consumption without its wire: taking messages, acknowledging them, and reviving those nobody acknowledged."""
