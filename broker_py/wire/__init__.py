"""The remoting protocol as bytes and values: frames, commands, headers, bodies. No input or output here."""
