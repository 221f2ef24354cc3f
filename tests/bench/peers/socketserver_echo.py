"""Python's socketserver: a thread or a process a connection, as the first argument says."""

import signal
import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class ThreadingServer(socketserver.ThreadingTCPServer):
    request_queue_size = 4096
    daemon_threads = True
    block_on_close = False


class ForkingServer(socketserver.ForkingTCPServer):
    request_queue_size = 4096
    max_children = 100_000
    block_on_close = False


signal.signal(signal.SIGTERM, signal.SIG_DFL)
servers = {"threading": ThreadingServer, "forking": ForkingServer}
with servers[sys.argv[1]](("127.0.0.1", 0), Echo) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
