// libuv: what is read is written, and its buffer goes back to a list when it is.
#include <string.h>
#include <uv.h>

#include "peer.h"

struct chunk {
  uv_write_t request;  // comes first: libuv gives its address back
  struct chunk* next;
  char bytes[kBufferSize];
};

static struct chunk* unused;

static void give_back(struct chunk* chunk) {
  chunk->next = unused;
  unused = chunk;
}

static void lend(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle, (void)suggested;
  struct chunk* chunk = unused;
  if (chunk != NULL) {
    unused = chunk->next;
  } else {
    chunk = malloc(sizeof *chunk);
    require(chunk != NULL, "malloc");
  }
  *buffer = uv_buf_init(chunk->bytes, kBufferSize);
}

static struct chunk* chunk_of(const char* bytes) {
  return (struct chunk*)(bytes - offsetof(struct chunk, bytes));
}

static void closed(uv_handle_t* handle) { free(handle); }

static void finish(uv_stream_t* client) {
  if (!uv_is_closing((uv_handle_t*)client)) uv_close((uv_handle_t*)client, closed);
}

static void written(uv_write_t* request, int status) {
  if (status < 0) finish(request->handle);
  give_back((struct chunk*)request);
}

// Most replies are sent at once; uv_write is for what is left over.
static void received(uv_stream_t* client, ssize_t size, const uv_buf_t* buffer) {
  struct chunk* chunk = buffer->base != NULL ? chunk_of(buffer->base) : NULL;
  if (size > 0) {
    uv_buf_t reply = uv_buf_init(buffer->base, (unsigned)size);
    int sent = uv_try_write(client, &reply, 1);
    if (sent == size) return give_back(chunk);
    if (sent > 0) reply = uv_buf_init(buffer->base + sent, (unsigned)(size - sent));
    if (uv_write(&chunk->request, client, &reply, 1, written) == 0) return;
  }
  if (chunk != NULL) give_back(chunk);
  if (size != 0) finish(client);
}

static void admit(uv_stream_t* listener, int status) {
  if (status < 0) return;
  uv_tcp_t* client = malloc(sizeof *client);
  require(client != NULL, "malloc");
  uv_tcp_init(listener->loop, client);
  if (uv_accept(listener, (uv_stream_t*)client) != 0) return finish((uv_stream_t*)client);
  uv_tcp_nodelay(client, 1);
  uv_read_start((uv_stream_t*)client, lend, received);
}

int main(void) {
  uv_tcp_t listener;
  struct sockaddr_in address = any_port_of_loopback();
  int size = sizeof address;
  uv_tcp_init(uv_default_loop(), &listener);
  require(uv_tcp_bind(&listener, (struct sockaddr*)&address, 0) == 0, "uv_tcp_bind");
  require(uv_listen((uv_stream_t*)&listener, kBacklog, admit) == 0, "uv_listen");
  uv_tcp_getsockname(&listener, (struct sockaddr*)&address, &size);
  print_port(ntohs(address.sin_port));
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
