"""Signal processing of recordings: filters, activity, repetitions, features and simulation.

It does not know IMFs, matrices or networks.
"""
