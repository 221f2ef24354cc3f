// Fuzz target: supervise/control_protocol. The input is a line that somebody sent to the control
// socket, and then what a host has to answer.
#include <nlohmann/json.hpp>
#include <string>

#include "base/escape.hpp"
#include "input.hpp"
#include "require.hpp"
#include "supervise/control_protocol.hpp"

namespace berth::fuzz {
namespace {

void check_request(std::string_view line) {
  const auto request = parse_request(line);
  if (!request) {
    require(!request.error().message.empty(), "a refusal says why", line);
    return;
  }
  const std::string told = to_line(request.value());
  require(told.find('\n') == told.size() - 1, "a request is one line", told);
  const auto again = parse_request(told);
  require(bool(again) && again.value() == request.value(), "a request is heard as it was told",
          told);
}

// What goes wrong may have any bytes in it, and must reach whoever asked.
void check_answer(const std::string& line, bool ok, const char* key, std::string_view said) {
  require(line.find('\n') == line.size() - 1, "an answer is one line", said);
  const auto json = nlohmann::json::parse(line, nullptr, false);
  require(json.is_object() && json.contains("ok") && json["ok"] == ok, "an answer is JSON", said);
  require(json.contains(key) && json[key].is_string(), "an answer has its text", said);
  const bool plain = escaped(said) == said;
  require(!plain || json[key] == said, "plain text is told as it is", said);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = berth::fuzz::text_of(data, size);
  berth::fuzz::check_request(text);
  berth::fuzz::check_answer(berth::answer_ok(text), true, "message", text);
  berth::fuzz::check_answer(berth::answer_error(text), false, "error", text);
  return 0;
}
