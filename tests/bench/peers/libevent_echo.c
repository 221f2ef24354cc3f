// libevent: buffered events; what came in is moved to what goes out without a copy.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <signal.h>

#include "peer.h"

static void echo(struct bufferevent* client, void* unused) {
  (void)unused;
  evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client));
}

static void free_when_sent(struct bufferevent* client, void* unused) {
  (void)unused;
  bufferevent_free(client);
}

static void ended(struct bufferevent* client, short events, void* unused) {
  (void)unused;
  if ((events & BEV_EVENT_EOF) && evbuffer_get_length(bufferevent_get_output(client)) > 0) {
    bufferevent_setcb(client, NULL, free_when_sent, ended, NULL);
  } else if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
    bufferevent_free(client);
  }
}

static void admit(struct evconnlistener* listener, evutil_socket_t socket, struct sockaddr* peer,
                  int size, void* unused) {
  (void)peer, (void)size, (void)unused;
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct bufferevent* client =
      bufferevent_socket_new(evconnlistener_get_base(listener), socket, BEV_OPT_CLOSE_ON_FREE);
  require(client != NULL, "bufferevent_socket_new");
  bufferevent_setcb(client, echo, NULL, ended, NULL);
  bufferevent_enable(client, EV_READ | EV_WRITE);
}

int main(void) {
  struct event_base* base = event_base_new();
  struct sockaddr_in address = any_port_of_loopback();
  socklen_t size = sizeof address;
  signal(SIGPIPE, SIG_IGN);
  struct evconnlistener* listener =
      evconnlistener_new_bind(base, admit, NULL, LEV_OPT_CLOSE_ON_FREE, kBacklog,
                              (struct sockaddr*)&address, sizeof address);
  require(listener != NULL, "evconnlistener_new_bind");
  getsockname(evconnlistener_get_fd(listener), (struct sockaddr*)&address, &size);
  print_port(ntohs(address.sin_port));
  return event_base_dispatch(base);
}
