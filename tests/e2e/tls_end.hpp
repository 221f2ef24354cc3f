// A client's end of TLS over a connected socket. Two threads may use it at a time, one that sends
// and one that reads. What OpenSSL refuses throws, with its words.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct ssl_session_st;
struct ssl_st;

namespace e2e {

// The texts of files that every test shares, each in PEM form.
struct TlsFiles {
  std::string ca;                // the file of the authority that has issued what follows
  std::string certificate, key;  // files of a server for 127.0.0.1
  std::string alice, alice_key;  // files of a client: CN=alice,O=Example
  std::string folder;
};
// Made when first asked for.
[[nodiscard]] const TlsFiles& tls_files();
// The lines of a listener with TLS: its address and its certificate.
[[nodiscard]] std::string tls_keys(const std::string& further = "");

struct TlsWish {
  std::string ca = tls_files().ca;   // a file; empty: nothing is verified
  std::string certificate{}, key{};  // files
  std::vector<std::string> alpn{};
  int max_version = 0;                        // as OpenSSL numbers them; 0: the newest
  std::string ciphers{};                      // of TLS 1.2
  std::shared_ptr<ssl_session_st> session{};  // to be resumed
};

class TlsEnd {
 public:
  // Shakes hands.
  TlsEnd(int socket, const TlsWish& wish);
  TlsEnd(const TlsEnd&) = delete;
  TlsEnd& operator=(const TlsEnd&) = delete;
  ~TlsEnd();

  void send(std::string_view bytes);
  // Empty at the end of the stream; throws where that comes without close_notify.
  [[nodiscard]] std::string read_some(std::size_t at_most);
  [[nodiscard]] bool has_input();
  // Whether the end has come, as far as it can be seen, and nothing is left to be read.
  [[nodiscard]] bool is_closed();
  void close_write();
  // Asks the other side so many times to encrypt with new keys, as often as it takes part.
  void ask_for_keys(int times);

  [[nodiscard]] std::string version() const;
  [[nodiscard]] std::string protocol() const;
  [[nodiscard]] bool resumed() const;
  // Once something was read, since TLS 1.3 sends it after the handshake.
  [[nodiscard]] std::shared_ptr<ssl_session_st> session() const;

 private:
  // Moves what can be moved without waiting; under the mutex. True if anything came in.
  bool move();
  void wait() const;
  // Repeats a call of OpenSSL until it has an outcome: a count, or 0 at the end of the stream.
  template <class Call>
  int carry_out(Call call);
  [[noreturn]] void fail(int result);

  const int socket_;
  std::shared_ptr<ssl_st> ssl_;
  std::mutex mutex_;  // guards all of it
  std::string out_;
  bool in_ended_ = false;
};

}  // namespace e2e
