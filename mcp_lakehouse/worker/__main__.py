"""A process of ours, as `starting` starts it.

`python -m mcp_lakehouse.worker ROLE SOCKET_FD LIFELINE_FD [DESCRIPTOR ...]` is one worker;
`python -m mcp_lakehouse.worker fork CONTROL_FD` is the process that workers are forked from.
"""

from __future__ import annotations

import os
import socket
import sys

if __name__ == "__main__":
    kind, *descriptors = sys.argv[1], *map(int, sys.argv[2:])
    if kind == "fork":
        from mcp_lakehouse.worker.forking import fork_on_request

        fork_on_request(socket.socket(fileno=descriptors[0]))
        # There is nothing to tidy up, and whoever waits for the end would wait for libraries that do.
        os._exit(0)
    else:
        from mcp_lakehouse.worker.serving import serve

        serve(kind, descriptors[0], descriptors[1], descriptors[2:])
