"""`aws`: hands a command to aws_server.py, and ends as it ended. It imports next to nothing, to be quick."""

import marshal
import os
import socket
import sys

# What sets an interpreter up needs one of its own.
if any(name.startswith("PYTHON") for name in os.environ):
    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    os.execv(aws, [aws, *sys.argv[1:]])

with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket"))
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(marshal.dumps((sys.argv[1:], dict(os.environ), os.getcwd())))
    server.shutdown(socket.SHUT_WR)
    code = server.recv(16)
sys.exit(int(code) if code else "the AWS CLI's process has died")
