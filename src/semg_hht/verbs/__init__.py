"""The verbs of the command line as functions: paths or objects go in, frozen results come out.

Each module holds one verb. `semg_hht` hands the functions on; the commands parse flags, call them and print results.
"""
