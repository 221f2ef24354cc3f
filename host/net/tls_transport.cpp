#include "net/tls_transport.hpp"

#include <openssl/bio.h>

#include <new>

namespace berth {

namespace {

TransportEnd& end_of(BIO* bio) { return *static_cast<TransportEnd*>(BIO_get_data(bio)); }

int read_from(BIO* bio, char* to, int most) {
  BIO_clear_retry_flags(bio);
  const std::size_t count = end_of(bio).transport->take_in(to, static_cast<std::size_t>(most));
  if (count > 0) return static_cast<int>(count);
  BIO_set_retry_read(bio);
  return -1;
}

int write_to(BIO* bio, const char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  TransportEnd& end = end_of(bio);
  try {
    end.transport->give_out({bytes, static_cast<std::size_t>(count)});
    return count;
  } catch (const std::bad_alloc&) {  // OpenSSL between here and its caller knows no exceptions
    end.failed = true;
    return -1;
  }
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

}  // namespace

bio_method_st* make_transport_method() {
  BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "berth");
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method, read_from);
  BIO_meth_set_write(method, write_to);
  BIO_meth_set_ctrl(method, control);
  BIO_meth_set_create(method, create);
  return method;
}

bio_st* make_transport_bio(const bio_method_st* method, TransportEnd& end) {
  BIO* const bio = BIO_new(method);
  if (bio != nullptr) BIO_set_data(bio, &end);
  return bio;
}

}  // namespace berth
