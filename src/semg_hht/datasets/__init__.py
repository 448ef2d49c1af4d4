"""Folders and tables that are made from recordings, and that people edit."""
