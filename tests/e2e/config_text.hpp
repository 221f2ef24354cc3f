// The text of a config, made for one test. Every listener listens on a free port of 127.0.0.1
// unless its keys say otherwise.
#pragma once

#include <unistd.h>

#include <initializer_list>
#include <string>

#include "models.hpp"
#include "tested_build.hpp"
#include "tls_end.hpp"

namespace e2e {

class Config {
 public:
  using Keys = std::initializer_list<std::string>;

  // A line of the top level, `drain_timeout: 1s`.
  Config& top(const std::string& line) {
    top_ += line + "\n";
    return *this;
  }
  // With further keys, `max_connections: 3`.
  Config& listener(const std::string& name, const std::string& model, const std::string& handler,
                   Keys keys = {}) {
    listeners_ +=
        "  - name: " + name + "\n    model: " + model + "\n    handler: " + handler + "\n";
    bool has_address = false;
    bool has_threads = false;
    for (const std::string& key : keys) {
      listeners_ += "    " + key + "\n";
      has_address = has_address || key.rfind("listen:", 0) == 0;
      has_threads = has_threads || key.rfind("threads:", 0) == 0;
    }
    // More than any test has clients: threads are made when they are needed.
    if (model == "thread-pool" && !has_threads) listeners_ += "    threads: 2000\n";
    if (!has_address) listeners_ += "    listen: tcp://127.0.0.1:0\n";
    return *this;
  }
  // A further folder of handlers.
  Config& search_also(const std::string& folder) {
    folders_ += ", " + folder;
    return *this;
  }
  [[nodiscard]] std::string text() const {
    return "plugins: [" + tested_build().plugins + ", " + tested_build().handlers + folders_ +
           "]\n" + top_ + "listeners:\n" + listeners_;
  }

 private:
  std::string folders_;
  std::string top_;
  std::string listeners_;
};

// A key of a listener whose workers run as this very user, so that a test may set their limits from
// outside: as another user's they would take CAP_SYS_RESOURCE, which containers withhold.
inline std::string as_this_user() { return "user: " + std::to_string(::geteuid()); }

// A path for a Unix socket that no other test has.
[[nodiscard]] std::string fresh_socket_path();

// The config of most tests: one listener, called `it`.
inline Config one_listener(const std::string& model, const std::string& handler,
                           Config::Keys keys = {}) {
  return Config().listener("it", model, handler, keys);
}

// The same for cases of several transports, which Model says.
template <class Model>
Config one_listener_of(const std::string& handler, const std::string& key = "workers: 1") {
  if (kOnTls<Model>) return one_listener(Model::name, handler, {key, tls_keys()});
  if (!kOnUnix<Model>) return one_listener(Model::name, handler, {key});
  return one_listener(Model::name, handler, {key, "listen: unix://" + fresh_socket_path()});
}

}  // namespace e2e
