"""What operators do to a cluster, as functions over a client that return values and print nothing."""
