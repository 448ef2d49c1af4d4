"""A repetition becomes a Matrix: the one path from a recording to what the network sees."""
