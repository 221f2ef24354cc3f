// What the README shows is what happens: its handler, its commands, its config, its mistakes.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = BERTH_SOURCE_FOLDER;

std::string readme() { return contents(kSource / "README.md"); }

// The first ```LANGUAGE block of the README that holds these words.
std::string block(const std::string& language, const std::string& words) {
  const std::string text = readme();
  const std::string fence = "```" + language + "\n";
  for (std::size_t at = text.find(fence); at != text.npos; at = text.find(fence, at + 1)) {
    const std::size_t start = at + fence.size();
    const std::string body = text.substr(start, text.find("```", start) - start);
    if (has(body, words)) return body;
  }
  return {};
}

// The line of the README that begins with these words, after its indentation.
std::string command(const std::string& words) {
  const std::string text = readme();
  const std::size_t start = text.find("    " + words) + 4;
  return text.substr(start, text.find('\n', start) - start);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return std::regex_replace(text, std::regex(what), with);
}

}  // namespace

TEST_CASE("the README's handler is the SDK's template, and its own command builds it") {
  const TempFolder folder;
  const std::string hello = block("cpp", "BERTH_HANDLER(Hello)");
  CHECK(hello == contents(kSource / "sdk/template/hello.cpp"));
  write_file(folder / "hello.cpp", hello);
  fs::create_directory(folder / "plugins");
  fs::create_directory_symlink(kSource / "sdk", folder / "sdk");
  const std::string build = command("g++ -std=c++20 -fPIC -shared");
  const std::string here = "cd '" + folder.path().string() + "' && ";
  REQUIRE(std::system((here + build).c_str()) == 0);

  // As the README adds it to the config, under each model and on a free port.
  Config config;
  const fs::path plugins = folder / "plugins";
  for (const std::string& model : kModelNames) {
    config.listener(model, model, "hello", {"options: {greeting: Good morning}"});
  }
  HostProcess host(config.search_also(plugins.string()));
  for (const std::string& model : kModelNames) {
    CAPTURE(model);
    Client client(host.port(model));
    CHECK(client.ask("Ada") == "Good morning, Ada");
  }
}

TEST_CASE("the README's mistakes are told as it says") {
  const TempFolder folder;
  fs::create_directory(folder / "conf");
  fs::create_directory(folder / "plugins");
  const std::string text =
      replaced(block("yaml", "model: treads"), R"(\.\./build/plugins)", tested_build().plugins);
  REQUIRE(!text.empty());
  write_file(folder / "conf/mistakes.yaml", text);
  const std::string file = folder / "conf/mistakes.yaml";
  const Outcome outcome = berth({"check", file});
  CHECK(outcome.status == 78);
  std::string lines = replaced(outcome.err, folder.path().string() + "/", "");
  lines = "    " + replaced(lines, "\n(?=.)", "\n    ");
  CAPTURE(lines);
  CHECK(has(readme(), "    $ build/host/berth check conf/mistakes.yaml\n" + lines));
}

TEST_CASE("the config that the README shows by example can be served") {
  const TempFolder folder;
  std::string text = block("yaml", "heartbeat_timeout");
  text = replaced(text, R"(plugins: \[[^\]]*\])", "plugins: [" + tested_build().plugins + "]");
  text = replaced(text, ":50008", ":0");
  if (::geteuid() != 0) {  // who may only be who it is
    text = replaced(text, "user: nobody", "user: " + std::to_string(::geteuid()));
  }
  write_file(folder / "berth.yaml", text);
  const Outcome outcome = berth({"check", folder / "berth.yaml"});
  CAPTURE(outcome.err);
  CHECK(outcome.status == 0);
}

TEST_CASE("the README shows the models as the host does") {
  std::string models = berth({"models"}).out;
  models = "    " + replaced(models, "\n(?=.)", "\n    ");
  CHECK(has(readme(), "    $ build/host/berth models\n" + models));
}
