#include "supervise/hand_over.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/source.hpp"
#include "base/write_all.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

// Grows when something is to be understood otherwise than before.
constexpr int kFormat = 1;
constexpr std::size_t kLongestHandOver = std::size_t{64} << 20;

// What need not be UTF-8, which JSON has to be, travels as hexadecimal digits: kernel addresses and
// paths.
std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string from_hex(const Json& json) {
  const auto& text = json.get_ref<const std::string&>();
  if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw Error{"hexadecimal digits"};
  }
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string to_hex(const SocketAddress& address) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(address.get()), address.size()));
}

SocketAddress address_from(const Json& json, Scheme scheme) {
  const std::string bytes = from_hex(json);
  sockaddr_storage address{};
  if (bytes.size() > sizeof address) throw Error{"an address of a socket"};
  std::memcpy(&address, bytes.data(), bytes.size());
  return {reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(bytes.size()),
          socket_type(scheme)};
}

Json to_json(const HandedOver::Config& config) {
  Json handlers = Json::array();
  for (const std::string& handler : config.handlers) handlers.push_back(to_hex(handler));
  return {{"generation", config.generation},
          {"text", config.text},
          {"handlers", handlers},
          {"files", config.files}};
}

Json to_json(const HandedOver::Bound& bound) {
  return {{"requested", to_hex(bound.requested)},
          {"actual", to_hex(bound.actual)},
          {"sockets", bound.sockets},
          {"file", bound.file},
          {"scheme", name_of(bound.scheme)},
          {"groups", bound.joined.groups},
          {"interface", to_hex(bound.joined.interface_name)}};
}

Json to_json(const HandedOver::Worker& worker) {
  return {{"state", name_of(worker.state)},
          {"pid", worker.pid},
          {"channel", worker.channel},
          {"board", worker.board},
          {"starts", worker.starts}};
}

Json to_json(const HandedOver::Listener& listener);

template <class Part>
Json all_to_json(const std::vector<Part>& parts) {
  Json list = Json::array();
  for (const Part& part : parts) list.push_back(to_json(part));
  return list;
}

Json to_json(const HandedOver::Listener& listener) {
  return {{"name", listener.name},
          {"generation", listener.generation},
          {"suspended", listener.suspended},
          {"sockets", all_to_json(listener.sockets)},
          {"workers", all_to_json(listener.workers)},
          {"groups", listener.groups}};
}

// Whole numbers that fit; everything else throws, which the caller of all this tells as one error.
template <class Number>
Number number(const Json& json) {
  if (!json.is_number_integer()) throw Error{"a number"};
  const auto value = json.get<std::int64_t>();
  if (value < 0 || value > std::numeric_limits<int>::max()) throw Error{"a number"};
  return static_cast<Number>(value);
}

int descriptor(const Json& json) {
  const bool none = json.is_number_integer() && json.get<std::int64_t>() == -1;
  return none ? -1 : number<int>(json);
}

template <class Part, class Read>
std::vector<Part> all(const Json& json, Read read) {
  std::vector<Part> parts;
  for (const Json& part : json) parts.push_back(read(part));
  return parts;
}

HandedOver::Config config_from(const Json& json) {
  return {.generation = number<unsigned>(json.at("generation")),
          .text = json.at("text").get<std::string>(),
          .handlers = all<std::string>(json.at("handlers"), from_hex),
          // A berth that knew none says nothing of them.
          .files = json.contains("files") ? descriptor(json.at("files")) : -1};
}

// What a socket was for must not be guessed: a worker that is started again would serve in the
// clear what was to be encrypted. A berth that does not say it knew one scheme for each family.
Scheme scheme_from(const Json& json) {
  if (!json.contains("scheme")) return Scheme::tcp;
  const auto scheme = scheme_named(json.at("scheme").get_ref<const std::string&>());
  if (!scheme) throw Error{"the scheme of an address"};
  return *scheme;
}

HandedOver::Bound bound_from(const Json& json) {
  const Scheme scheme = scheme_from(json);
  HandedOver::Bound bound = {.requested = address_from(json.at("requested"), scheme),
                             .actual = address_from(json.at("actual"), scheme),
                             .sockets = all<int>(json.at("sockets"), number<int>),
                             .file = descriptor(json.at("file")),
                             .scheme = scheme,
                             .joined = {}};
  if (!json.contains("scheme")) bound.scheme = plain_scheme(bound.actual);
  if (!json.contains("groups")) return bound;
  bound.joined.groups = json.at("groups").get<std::vector<std::string>>();
  bound.joined.interface_name = from_hex(json.at("interface"));
  return bound;
}

HandedOver::Worker worker_from(const Json& json) {
  const auto state = worker_state_of(json.at("state").get<std::string>());
  if (!state) throw Error{"a worker's state"};
  return {.state = *state,
          .pid = number<pid_t>(json.at("pid")),
          .channel = descriptor(json.at("channel")),
          .board = descriptor(json.at("board")),
          .starts = number<unsigned>(json.at("starts"))};
}

HandedOver::Listener listener_from(const Json& json) {
  return {.name = json.at("name").get<std::string>(),
          .generation = number<unsigned>(json.at("generation")),
          .suspended = json.at("suspended").get<bool>(),
          .sockets = all<HandedOver::Bound>(json.at("sockets"), bound_from),
          .workers = all<HandedOver::Worker>(json.at("workers"), worker_from),
          .groups = all<pid_t>(json.at("groups"), number<pid_t>)};
}

std::uint64_t limit_from(const Json& json) {
  if (!json.is_number_unsigned()) throw Error{"a number"};
  return json.get<std::uint64_t>();
}

HandedOver state_from(const Json& json) {
  return {.generation = number<unsigned>(json.at("generation")),
          .configs = all<HandedOver::Config>(json.at("configs"), config_from),
          .listeners = all<HandedOver::Listener>(json.at("listeners"), listener_from),
          .control = descriptor(json.at("control")),
          .control_file = descriptor(json.at("control_file")),
          .control_path = from_hex(json.at("control_path")),
          .descriptor_limit = limit_from(json.at("descriptor_limit")),
          .board_size = number<std::size_t>(json.at("board_size")),
          .clients = all<int>(json.at("clients"), number<int>)};
}

// "" if it is consistent in itself.
std::string objection_to(const HandedOver& state) {
  if (state.board_size != sizeof(WorkerBoard)) return "workers' boards of another version";
  std::set<unsigned> generations;
  for (const auto& config : state.configs) generations.insert(config.generation);
  for (const auto& listener : state.listeners) {
    if (!generations.contains(listener.generation)) return "a listener without its config";
    for (const auto& worker : listener.workers) {
      if (worker.pid == 1) return "a worker that cannot be one";
      if (worker.board < 0) return "a worker without its board";
      if ((worker.pid == 0) != (worker.channel < 0)) return "a worker without its channel";
    }
    // kill(2) takes the numbers 0 and 1 for others than a group of that number.
    for (const pid_t group : listener.groups) {
      if (group <= 1) return "sessions that cannot be any";
    }
  }
  std::set<int> seen = {0, 1, 2};
  for (const int descriptor : descriptors_of(state)) {
    if (!seen.insert(descriptor).second) return "a descriptor that is used twice";
  }
  return "";
}

}  // namespace

std::string to_text(const HandedOver& state) {
  const Json json = {{"format", kFormat},
                     {"generation", state.generation},
                     {"configs", all_to_json(state.configs)},
                     {"listeners", all_to_json(state.listeners)},
                     {"control", state.control},
                     {"control_file", state.control_file},
                     {"control_path", to_hex(state.control_path)},
                     {"descriptor_limit", state.descriptor_limit},
                     {"board_size", state.board_size},
                     {"clients", state.clients}};
  return json.dump();
}

Result<HandedOver> parse_handed_over(std::string_view text) {
  const std::string what = "cannot take over: the state that was handed over ";
  try {
    const Json json = Json::parse(text.begin(), text.end());
    if (const int format = number<int>(json.at("format")); format != kFormat) {
      return Error{what + "is of format " + std::to_string(format) + ", and this berth knows " +
                   std::to_string(kFormat)};
    }
    HandedOver state = state_from(json);
    const std::string objection = objection_to(state);
    if (!objection.empty()) return Error{what + "names " + objection};
    return state;
  } catch (const Json::exception& fault) {
    return Error{what + "cannot be read: " + fault.what()};
  } catch (const Error& fault) {
    return Error{what + "has something else where " + fault.message + " should be"};
  }
}

Result<ConfigFiles> files_of(const HandedOver::Config& config) {
  if (config.files < 0) return ConfigFiles();
  return read_files(config.files);
}

std::vector<int> descriptors_of(const HandedOver& state) {
  std::vector<int> all = state.clients;
  for (const auto& config : state.configs) all.push_back(config.files);
  all.push_back(state.control);
  all.push_back(state.control_file);
  for (const auto& listener : state.listeners) {
    for (const auto& bound : listener.sockets) {
      all.insert(all.end(), bound.sockets.begin(), bound.sockets.end());
      all.push_back(bound.file);
    }
    for (const auto& worker : listener.workers) {
      all.push_back(worker.channel);
      all.push_back(worker.board);
    }
  }
  std::erase(all, -1);
  return all;
}

Result<Fd> write_handed_over(const HandedOver& state) {
  Fd memory(::memfd_create("berth state", MFD_CLOEXEC));
  if (!memory) return system_error("cannot make a place for the state", errno);
  const int error = write_all(memory.get(), to_text(state));
  if (error != 0) return system_error("cannot write the state", error);
  return memory;
}

Result<HandedOver> read_handed_over(int memory) {
  struct stat status {};
  if (::fstat(memory, &status) != 0) return system_error("nothing was handed over", errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size > kLongestHandOver) {
    return Error{"what was handed over is not the state of a host"};
  }
  std::string text(size, '\0');
  // Its offset is shared with whoever wrote it.
  if (::pread(memory, text.data(), size, 0) != status.st_size) {
    return system_error("cannot read the state", errno);
  }
  return parse_handed_over(text);
}

}  // namespace berth
