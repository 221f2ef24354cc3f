#include "net/tls_pem.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>
#include <new>

namespace berth {

namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio reader_of(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  if (!bio) throw std::bad_alloc();
  return bio;
}

// Nobody is there to be asked for a passphrase; OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// Whether what was looked for is simply not there (any more).
bool at_end() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

}  // namespace

std::string last_words() {
  const unsigned long error = ERR_peek_last_error();
  const char* const words = ERR_reason_error_string(error);
  std::string text = words != nullptr ? words : "no reason given";
  ERR_clear_error();
  return text;
}

Result<std::vector<Certificate>> certificates_in(std::string_view text) {
  if (text.empty()) return Error{"is empty"};
  if (text.size() > INT_MAX) return Error{"is too long"};
  ERR_clear_error();
  const Bio bio = reader_of(text);
  std::vector<Certificate> all;
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    all.push_back(std::move(next));
  }
  if (!at_end()) {
    return Error{"has a certificate that cannot be read (number " + std::to_string(all.size() + 1) +
                 " in it): " + last_words()};
  }
  ERR_clear_error();
  if (all.empty()) {
    return Error{
        "has no certificate in it; in PEM form one begins with -----BEGIN CERTIFICATE-----"};
  }
  return all;
}

Result<PrivateKey> key_in(std::string_view text) {
  if (text.empty()) return Error{"is empty"};
  if (text.size() > INT_MAX) return Error{"is too long"};
  ERR_clear_error();
  bool asked = false;
  const Bio bio = reader_of(text);
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  if (key) return key;
  if (asked) {
    ERR_clear_error();
    return Error{
        "is encrypted with a passphrase, and nobody is there to give it: openssl pkey -in FILE "
        "-out "
        "FILE writes it without one"};
  }
  // Of a text without a key OpenSSL says that it is of an unknown kind.
  if (text.find("PRIVATE KEY-----") != std::string_view::npos) {
    return Error{"has a private key that cannot be read: " + last_words()};
  }
  ERR_clear_error();
  return Error{"has no private key in it; in PEM form one begins with -----BEGIN PRIVATE KEY-----"};
}

std::string subject_of(const X509* certificate) {
  const Bio memory(BIO_new(BIO_s_mem()), BIO_free);
  if (!memory) throw std::bad_alloc();
  (void)X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : "";
}

}  // namespace berth
