// Why TLS has failed, as a number so small that the report of a session has room for it: under the
// fork models that lies in shared memory, where no text can be kept. Any process, any thread.
#pragma once

#include <cstdint>
#include <string>

namespace berth {

class TlsFailure {
 public:
  TlsFailure() = default;
  // What OpenSSL gives as the reason of an SSL error; of 4095 at most (err.h has 12 bits beside
  // its own mark).
  [[nodiscard]] static TlsFailure of_reason(int reason);
  // The other side's certificate was not taken: X509_V_ERR_….
  [[nodiscard]] static TlsFailure of_certificate(long verdict);
  // The stream has ended without the word that it was to end: somebody may have cut it off.
  [[nodiscard]] static TlsFailure of_cut_off() { return TlsFailure(kCutOff); }
  [[nodiscard]] static TlsFailure of_end_in_handshake() { return TlsFailure(kEndInHandshake); }
  // Nothing came but what TLS says of itself, again and again.
  [[nodiscard]] static TlsFailure of_endless_handshakes() { return TlsFailure(kEndlessHandshakes); }

  explicit operator bool() const { return code_ != 0; }
  // "no shared cipher": in words of OpenSSL, as far as they are its own. "" where nothing failed.
  [[nodiscard]] std::string text() const;
  bool operator==(const TlsFailure&) const = default;

 private:
  enum : std::uint16_t {
    kCertificate = 0x1000,
    kCutOff = 0x2000,
    kEndInHandshake,
    kEndlessHandshakes,
    kOther
  };
  explicit TlsFailure(std::uint16_t code) : code_(code) {}

  std::uint16_t code_ = 0;
};

}  // namespace berth
