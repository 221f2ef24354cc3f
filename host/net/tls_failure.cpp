#include "net/tls_failure.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

namespace berth {

TlsFailure TlsFailure::of_reason(int reason) {
  const bool fits = reason > 0 && reason < kCertificate;
  return TlsFailure(fits ? static_cast<std::uint16_t>(reason) : std::uint16_t{kOther});
}

TlsFailure TlsFailure::of_certificate(long verdict) {
  const bool fits = verdict >= 0 && verdict < kCutOff - kCertificate;
  return TlsFailure(fits ? static_cast<std::uint16_t>(kCertificate + verdict)
                         : std::uint16_t{kOther});
}

std::string TlsFailure::text() const {
  switch (code_) {
    case 0:
      return "";
    case kCutOff:
      return "the stream ended without close_notify, as if it had been cut off";
    case kEndInHandshake:
      return "the other side closed during the handshake";
    case kEndlessHandshakes:
      return "the other side asks for new keys again and again, and sends nothing";
    case kOther:
      return "a failure within OpenSSL";
    default:
      break;
  }
  if (code_ >= kCertificate) {
    return std::string("certificate verify failed: ") +
           X509_verify_cert_error_string(code_ - kCertificate);
  }
  const char* const words = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, code_));
  return words != nullptr ? words : "reason " + std::to_string(code_) + " of OpenSSL";
}

}  // namespace berth
