// What all TLS connections of a listener, or of a client, have in common: certificates, keys and
// rules, as OpenSSL keeps them. Made once, and used by any thread and, after a fork, by any child.
// Beside the files net/tls_* nothing includes a header of OpenSSL.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/tls_settings.hpp"

struct bio_method_st;
struct ssl_ctx_st;

namespace berth {

class TlsContext {
 public:
  // The two sides' constructors are tls_server.hpp's and tls_client.hpp's. Throws std::bad_alloc.
  enum class Side { server, client };
  explicit TlsContext(Side side);

  [[nodiscard]] Side side() const { return side_; }
  // OpenSSL's own; never null.
  [[nodiscard]] ssl_ctx_st* get() const { return context_.get(); }
  [[nodiscard]] const bio_method_st* transport() const { return transport_.get(); }
  // The names of protocols (RFC 7301) as they travel; of a server, in the order of its liking.
  void set_alpn(const std::vector<std::string>& names);

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
    void operator()(bio_method_st* method) const;
  };
  Side side_;
  std::unique_ptr<bio_method_st, Free> transport_;
  std::unique_ptr<std::string> alpn_;  // OpenSSL keeps its address
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace berth
