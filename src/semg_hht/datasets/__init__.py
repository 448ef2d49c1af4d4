"""Folders and tables that people make and edit, from recordings."""
