"""The web page for people who write no code.

page_server.py has the addresses and the server, request_filter.py what may reach them, page_steps.py what each address
does. visit.py holds what one visitor has, visitors.py all visits and their folders. uploads.py reads files in processes
of their own (isolated.py); editing.py, measured_repetitions.py and drawn_signal.py change, measure and draw them.
answering.py, why.py and shared_run.py ask runs, trained_run.py trains one, background.py runs what takes long,
session_file.py saves and opens sessions, and view.py says all of it in the visitor's language. Where the owner names a
stream, watched_stream.py records it and live_view.py shows it. page/ is the browser's.
"""
