"""The web page: for someone who writes no code.

What a visitor has stands in visit.py and times.py, what is shown of it in view.py; who is here, and where their files
lie, in visitors.py; what is let in and out in guard.py, what is forgotten in sweep.py.
Files are read in processes of their own (apart.py). page.py is the only file that imports Gradio.
"""
