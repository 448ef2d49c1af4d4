"""One file a format or a family of devices: bytes become Contents, before they are checked."""
