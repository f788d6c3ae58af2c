"""What the broker does for each request, by subject. Siblings don't import one another."""
