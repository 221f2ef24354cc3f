#include "failure.hpp"
#include "tls.hpp"

namespace berth::bench {
namespace {

[[noreturn]] void refuse() { throw Failure("this benchmark was built without OpenSSL"); }

}  // namespace

bool can_speak_tls() { return false; }

Certificate make_certificate(const TemporaryFolder&) { refuse(); }

TlsClients::TlsClients(const Certificate&) { refuse(); }

std::unique_ptr<Channel> TlsClients::client_on(Fd) const { refuse(); }

}  // namespace berth::bench
