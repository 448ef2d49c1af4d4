"""The web page for people who write no code.

visit.py holds what one visitor has uploaded and been answered, repetition_table.py the editable table of repetitions,
view.py what the page shows of a visit. visitors.py keeps the visits and their folders, and shared_run.py the run that
answers all visitors. request_filter.py decides which requests reach the server, cleanup.py removes what the server
keeps of visitors who have left, and uploads.py reads files in separate processes (isolated.py). page.py is the only
file that imports Gradio.
"""
