// Where the bytes of a TLS connection come from and go to, as OpenSSL sees it: memory, and no
// socket. Whoever moves the bytes does it as its model has it. Private to net/tls_*.
#pragma once

#include <cstddef>
#include <string_view>

struct bio_method_st;
struct bio_st;

namespace berth {

class TlsTransport {
 public:
  // Up to `most` bytes of what has come in, in order; 0 where there is nothing more at the moment.
  [[nodiscard]] virtual std::size_t take_in(char* to, std::size_t most) = 0;
  // Keeps bytes that have to go out, all of them. Throws std::bad_alloc.
  virtual void give_out(std::string_view bytes) = 0;

 protected:
  ~TlsTransport() = default;
};

// Null for want of memory.
[[nodiscard]] bio_method_st* make_transport_method();
// What a BIO of that method works on. Whether its give_out() has thrown is left in `failed`.
struct TransportEnd {
  TlsTransport* transport = nullptr;
  bool failed = false;
};
// Null for want of memory. The end outlives it.
[[nodiscard]] bio_st* make_transport_bio(const bio_method_st* method, TransportEnd& end);

}  // namespace berth
