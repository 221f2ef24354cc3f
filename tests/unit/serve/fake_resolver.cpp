#include "serve/fake_resolver.hpp"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

namespace {

using Resolver = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

int ask_system(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
  static const auto real = reinterpret_cast<Resolver>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(host, port, hints, found);
}

int find_both(const char* port, const addrinfo* hints, addrinfo** found) {
  const int error = ask_system("127.0.0.2", port, hints, found);
  if (error != 0) return error;
  addrinfo* last = *found;
  while (last->ai_next != nullptr) last = last->ai_next;
  return ask_system("127.0.0.1", port, hints, &last->ai_next);
}

struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  int asked = 0;
};

Gate& gate() {
  static Gate the_gate;
  return the_gate;
}

void pass_gate() {
  std::unique_lock lock(gate().mutex);
  ++gate().asked;
  gate().changed.notify_all();
  gate().changed.wait(lock, [] { return !gate().closed; });
}

}  // namespace

extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                           addrinfo** found) {
  const char* const name = host != nullptr ? host : "";
  const bool is_fake =
      std::strlen(name) > 5 && std::strcmp(name + std::strlen(name) - 5, ".test") == 0;
  if (!is_fake) return ask_system(host, port, hints, found);
  if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
  if (std::strcmp(name, "mute.test") == 0) return EAI_AGAIN;
  if (std::strcmp(name, "both.test") == 0) return find_both(port, hints, found);
  if (std::strcmp(name, "slow.test") != 0) return EAI_NONAME;
  pass_gate();
  return ask_system("127.0.0.1", port, hints, found);
}

namespace berth::testing {

SlowName::SlowName() {
  const std::scoped_lock lock(gate().mutex);
  gate().closed = true;
  gate().asked = 0;
}

void SlowName::wait_until_asked(int times) {
  std::unique_lock lock(gate().mutex);
  gate().changed.wait(lock, [&] { return gate().asked >= times; });
}

void SlowName::release() {
  const std::scoped_lock lock(gate().mutex);
  gate().closed = false;
  gate().changed.notify_all();
}

}  // namespace berth::testing
