"""Typed headers by who serves them: `nameserver`, `send`, `pull`, `offsets`, `clients`, `admin`."""
