"""Twisted, on its default reactor: epoll."""

from twisted.internet import protocol, reactor


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        self.transport.write(data)


factory = protocol.Factory.forProtocol(Echo)
factory.noisy = False
port = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
