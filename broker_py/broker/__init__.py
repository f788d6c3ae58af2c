"""The broker: tables of topics, groups, offsets and clients, and the handlers over them and the store."""
