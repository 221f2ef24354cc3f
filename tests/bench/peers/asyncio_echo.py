"""Python's asyncio: a protocol object a connection, which is its fastest way."""

import asyncio
import socket


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = await asyncio.get_running_loop().create_server(Echo, sock=listener, backlog=4096)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
