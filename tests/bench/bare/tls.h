// What the bare servers for TLS share: OpenSSL on the socket itself, TLS 1.3, with its defaults but
// for what costs a line and saves system calls. Called as
// `bare_tls_X PORT PROCESSES CERTIFICATE KEY`, both in PEM.
#pragma once

#include "bare.h"  // first: it asks for all that the system's headers have

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

static SSL_CTX* context;

static inline void tls_die(const char* what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static inline int listen_with_tls(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s PORT PROCESSES CERTIFICATE KEY\n", argv[0]);
    exit(64);
  }
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2)
  context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) tls_die("SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);  // or a record takes two reads, the first for its length
  if (SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1) tls_die(argv[3]);
  if (SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1) tls_die(argv[4]);
  return listen_on(3, argv);
}

static inline SSL* tls_on(int connection) {
  SSL* tls = SSL_new(context);
  if (tls == NULL || SSL_set_fd(tls, connection) != 1) tls_die("SSL_new");
  SSL_set_accept_state(tls);
  return tls;
}

// Says goodbye, unless the connection has failed already.
static inline void end_tls(SSL* tls, int failed) {
  if (!failed) SSL_shutdown(tls);
  close(SSL_get_fd(tls));
  SSL_free(tls);
  ERR_clear_error();  // or it is taken for the next connection's
}
