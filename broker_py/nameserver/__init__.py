"""The name server: which brokers live, and which of them have which topics. It keeps nothing but the KV table."""
