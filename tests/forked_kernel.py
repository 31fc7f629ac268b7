"""Kernels that need not import anything: each is a copy of a process that has.

`forked_kernel.py SOCKET` imports the package and copies itself whenever it is asked to;
`forked_kernel.py SOCKET ARGUMENT…` asks for a kernel with these arguments, and ends with it.
"""

import json
import os
import signal
import socket
import sys
import threading


def serve(address: str) -> None:
    import importlib
    import pkgutil

    import ipywidgets  # noqa: F401
    from ipykernel.kernelapp import IPKernelApp

    import cl_helpers

    for module in pkgutil.walk_packages(cl_helpers.__path__, "cl_helpers."):
        if module.name != "cl_helpers.__main__":
            importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            asking, _ = listening.accept()
            order = json.loads(asking.makefile().readline())
            if os.fork() == 0:
                break
            asking.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def end_with_who_asked() -> None:
        asking.recv(1)
        os._exit(1)

    threading.Thread(target=end_with_who_asked, daemon=True).start()
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    IPKernelApp.launch_instance(order["arguments"])


def ask(address: str, arguments: list[str]) -> None:
    order = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(address)
        asking.sendall(json.dumps(order).encode() + b"\n")
        asking.recv(1)  # the copy has the other end for as long as it lives


if __name__ == "__main__":
    _, address, *arguments = sys.argv
    ask(address, arguments) if arguments else serve(address)
