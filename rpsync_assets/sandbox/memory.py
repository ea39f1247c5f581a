"""What a process took of the machine's memory.

Belongs here: measuring it, with nothing imported that would be measured along. Does not: limits on it.
"""

import resource
import sys


def peak_memory_mb() -> float:
    """The most memory that this process ever held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
