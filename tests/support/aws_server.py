"""The AWS CLI with its imports behind it.

    python aws_server.py FOLDER

Importing is most of what a command of the AWS CLI costs. This process imports it once and forks for every command that
`aws_client.py` hands over with its arguments, its environment, its folder and its three streams. Nothing of the CLI is
changed: a fork runs its entry point, and ends. When stdin closes, whoever started this has gone.
"""

import importlib
import marshal
import os
import select
import shutil
import signal
import socket
import sys
import traceback
import types

import awscli
import awscli.clidriver

HOME = os.environ["HOME"]


def main(folder):
    # Not until a command runs does it import its plugins, and what sends a request.
    awscli.clidriver.create_clidriver().session.create_client("sts", region_name="us-east-1")
    places = list(places_of_home())
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, "socket"))
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("up", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            break
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            run(connection, places)
        connection.close()
    shutil.rmtree(folder)


def places_of_home():
    """What became of the home in what was imported: a name's owner, the name, its value."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in ("awscli", "botocore", "s3transfer")]
    for owner in modules + [it for module in modules for it in vars(module).values() if isinstance(it, type)]:
        for name, value in list(vars(owner).items()):
            if moved(value, "") != value:
                yield owner, name, value
            if isinstance(value, types.FunctionType) and moved(value.__defaults__, "") != value.__defaults__:
                yield value, "__defaults__", value.__defaults__


def moved(value, home):
    """A value as another home would have made it."""
    if isinstance(value, tuple):
        return tuple(moved(it, home) for it in value)
    return home + value[len(HOME) :] if isinstance(value, str) and value.startswith(HOME) else value


def run(connection, places):
    """One command, in a process that is its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    sys.argv[1:], environment, folder = marshal.loads(received)
    sys.argv[0] = "aws"
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # What it reads of the environment while it is imported.
    importlib.reload(awscli)
    for owner, name, value in places:
        setattr(owner, name, moved(value, environment.get("HOME", HOME)))
    connection.sendall(str(ended()).encode())
    os._exit(0)


def ended():
    """Runs the command; its exit code."""
    try:
        code = awscli.clidriver.main()
    except SystemExit as exit:
        code = exit.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 120
    return code


main(sys.argv[1])
