"""Supply points: the meters of one bill, the load that the bill is for, and the share of each meter in it.

Plain Python and numpy; it imports neither Flink nor AWS.
"""
