"""The real seams: clock, files, the event loop, configuration files."""
