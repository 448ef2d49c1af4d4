"""One file a verb: its flags, what is called with them, what is printed."""
