"""Messages as bytes: the stored record, its properties, tags, ids and the client's batch."""
