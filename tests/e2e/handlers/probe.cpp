// Answers questions about the session it runs in, and uses each thing that the SDK offers. A line
// is a command, a reply is a line.
#include <berth/handler.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

// An object of each session, to see that all are destroyed.
class Instance {
 public:
  explicit Instance(berth::Connection connection) : connection_(connection) { ++live; }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    --live;
    connection_.log(berth::Level::info, "session destroyed");
  }

  static inline std::atomic<int> live = 0;

 private:
  berth::Connection connection_;
};

// "flood 4000": a name and perhaps a number.
struct Command {
  explicit Command(std::string_view line) : name(line.substr(0, line.find(' '))) {
    const std::string_view rest = line.substr(std::min(line.size(), name.size() + 1));
    (void)std::from_chars(rest.data(), rest.data() + rest.size(), number);
  }
  std::string name;
  std::size_t number = 0;
};

std::string threads_of_process() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "Threads:" && status >> word) return word;
  }
  return "?";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// By each way that there is back to root, or to its group.
std::string try_to_become_root() {
  const bool is_root =
      ::setuid(0) == 0 || ::seteuid(0) == 0 || ::setreuid(0, 0) == 0 || ::setresuid(0, 0, 0) == 0;
  const bool in_its_group = ::setgid(0) == 0 || ::setegid(0) == 0 || ::setresgid(0, 0, 0) == 0;
  return is_root ? "root" : in_its_group ? "in root's group" : "refused";
}

// Those of the service manager's variables that a program started here would see.
std::string variables_of_the_manager() {
  std::string found;
  for (const char* const variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                                     "LISTEN_PID", "LISTEN_FDNAMES"}) {
    if (std::getenv(variable) != nullptr) found.append(variable).append(" ");
  }
  return found.empty() ? "none" : found;
}

std::string run_shell(const char* command) {
  const int status = std::system(command);
  if (status == -1) return "system failed";
  if (WIFSIGNALED(status)) return std::string("killed by ") + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

// The bytes that tests expect of `flood`.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i % 23);
  return bytes;
}

// Descriptors held open for a while, as a careless handler might.
class OpenFiles {
 public:
  void open(std::size_t count) {
    while (files_.size() < count) {
      const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (file < 0) return;
      files_.push_back(file);
    }
  }
  [[nodiscard]] std::size_t count() const { return files_.size(); }
  ~OpenFiles() {
    for (const int file : files_) ::close(file);
  }

 private:
  std::vector<int> files_;
};

}  // namespace

struct Probe {
  enum class Colour { red, green };

  bool flag = false;
  int number = 7;
  double real = 0.5;
  std::string text = "plain";
  std::chrono::milliseconds pause = 20ms;
  berth::Size size{4096};
  Colour colour = Colour::red;
  std::vector<std::string> list = {"a", "b"};
  std::map<std::string, std::string> map = {{"k", "v"}};

  static void describe(berth::Description<Probe>& is) {
    is.name("probe").summary("Answers questions about its session.");
    is.option("flag", &Probe::flag, "a truth");
    is.option("number", &Probe::number, "a whole number").range(0, 100);
    is.option("real", &Probe::real, "a number");
    is.option("text", &Probe::text, "a text");
    is.option("pause", &Probe::pause, "a duration");
    is.option("size", &Probe::size, "a size");
    is.option("colour", &Probe::colour, "a choice",
              {{"red", Colour::red}, {"green", Colour::green}});
    is.option("list", &Probe::list, "some texts");
    is.option("map", &Probe::map, "some pairs");
  }

  berth::Task<> serve(berth::Connection connection) const {
    const Instance instance(connection);
    berth::Buffer buffer(connection);
    berth::Lines lines(buffer);
    while (auto line = co_await lines.next()) {
      const Command command(*line);
      if (command.name == "throw") throw std::runtime_error("thrown on demand");
      const std::string fact = fact_of(connection, command.name);
      if (!fact.empty()) {
        co_await connection.write(fact, "\n");
      } else if (command.name == "exactly") {
        co_await read_exactly(connection, buffer, command.number);
      } else if (command.name == "tick") {
        co_await tick_while_reading(connection, lines, command.number);
      } else if (command.name == "listen") {
        co_await listen_beside_timer(connection, lines, pause);
      } else if (command.name == "exchange") {
        co_await exchange(connection, command.number);
      } else if (command.name == "fetch") {
        co_await fetch(connection);
      } else if (command.name == "bye") {
        co_await connection.write(pattern(command.number));
        co_return;  // with whatever the client has sent since unread
      } else {
        co_await wait_for_it(connection, command);
      }
    }
  }

 private:
  std::string fact_of(berth::Connection connection, const std::string& name) const {
    if (name == "peer") return connection.peer();
    if (name == "local") return connection.local();
    if (name == "scheme") return connection.scheme();
    if (name == "id") return std::to_string(connection.id());
    if (name == "listener") return connection.listener();
    if (name == "stopping") return connection.stopping() ? "yes" : "no";
    if (name == "pid") return std::to_string(::getpid());
    if (name == "term-in-thread") {
      std::thread([] { (void)::raise(SIGTERM); }).join();
      return "raised";
    }
    if (name == "manager") return variables_of_the_manager();
    if (name == "become-root") return try_to_become_root();
    if (name == "threads") return threads_of_process();
    if (name == "live") return std::to_string(Instance::live);
    if (name == "options") return options();
    if (name == "system") return run_shell("exit 7");
    // It ends itself, unless it was started with the signal blocked or ignored.
    if (name == "break-pipe") return run_shell("kill -PIPE $$; exit 7");
    if (name == "terminate") return run_shell("kill -TERM $$; exit 7");
    // As shell scripts do it that clean up behind themselves.
    if (name == "terminate-group") return ::kill(0, SIGTERM) == 0 ? "sent" : "not sent";
    if (name == "log") {
      connection.log(berth::Level::info, "evil \x1b[31m\n2000-01-01 error %s %n \xff end");
      return "logged";
    }
    return "";
  }

  std::string options() const {
    std::string out = flag ? "true" : "false";
    out += " " + std::to_string(number) + " " + std::to_string(real) + " " + text + " " +
           std::to_string(pause.count()) + " " + std::to_string(size.bytes) +
           (colour == Colour::red ? " red" : " green");
    for (const auto& item : list) out += " " + item;
    for (const auto& [key, value] : map) out += " " + key + "=" + value;
    return out;
  }

  // What the file called `text` begins with; for a FIFO that is when somebody writes to it.
  berth::Task<> fetch(berth::Connection connection) const {
    const std::string line = co_await connection.in_background([&] { return first_line(text); });
    connection.log(berth::Level::info, "fetched " + line);
    co_await connection.write(line, "\n");
  }

  static berth::Task<> read_exactly(berth::Connection connection, berth::Buffer& buffer,
                                    std::size_t count) {
    berth::Exactly exactly(buffer);
    const auto bytes = co_await exactly.next(count);
    if (bytes) co_await connection.write("<", *bytes, ">\n");
  }

  // Writes ticks; beside that reads lines until one says "enough".
  berth::Task<> tick_while_reading(berth::Connection connection, berth::Lines& lines,
                                   std::size_t ticks) const {
    int heard = 0;
    co_await berth::when_all(tick(connection, ticks, pause), listen(lines, heard));
    co_await connection.write("heard ", std::to_string(heard), "\n");
  }
  static berth::Task<> tick(berth::Connection connection, std::size_t ticks,
                            std::chrono::milliseconds pause) {
    for (std::size_t i = 0; i < ticks; ++i) {
      co_await connection.write("tick\n");
      co_await connection.sleep_for(pause);
    }
  }
  static berth::Task<> listen(berth::Lines& lines, int& heard) {
    for (;;) {
      const auto line = co_await lines.next();
      if (!line || *line == "enough") co_return;
      ++heard;
    }
  }

  // So many bytes in, and as many out, neither waiting for the other.
  static berth::Task<> exchange(berth::Connection connection, std::size_t count) {
    co_await connection.write("ready\n");
    co_await berth::when_all(take(connection, count), give(connection, count));
    co_await connection.write("exchanged\n");
  }
  static berth::Task<> take(berth::Connection connection, std::size_t count) {
    while (count > 0) {
      const auto bytes = co_await connection.read();
      if (!bytes) co_return;
      count -= std::min(count, bytes->size());
    }
  }
  static berth::Task<> give(berth::Connection connection, std::size_t count) {
    const std::string bytes = pattern(count);
    co_await connection.write(bytes);
  }

  // Reads lines to the end, whatever it is, while a timer ticks that the client knows nothing of.
  static berth::Task<> listen_beside_timer(berth::Connection connection, berth::Lines& lines,
                                           std::chrono::milliseconds pause) {
    bool over = false;
    co_await berth::when_all(listen_to_end(lines, over), tick_until(connection, pause, over));
  }
  static berth::Task<> listen_to_end(berth::Lines& lines, bool& over) {
    struct Over {
      bool& flag;
      ~Over() { flag = true; }
    } const when_done{over};
    while (co_await lines.next()) {
    }
  }
  static berth::Task<> tick_until(berth::Connection connection, std::chrono::milliseconds pause,
                                  const bool& over) {
    while (!over) co_await connection.sleep_for(pause);
  }

  // The commands that take time. Durations are in milliseconds.
  static berth::Task<> wait_for_it(berth::Connection connection, const Command command) {
    const auto duration = std::chrono::milliseconds(command.number);
    if (command.name == "sleep") {
      co_await connection.sleep_for(duration);
      co_await connection.write("slept\n");
    } else if (command.name == "within") {
      co_await read_within(connection, duration);
    } else if (command.name == "until-stop") {
      berth::ReadOptions options;
      options.ends_on_stop = true;
      co_await connection.write("reading\n");
      const auto read = co_await connection.read(options);
      co_await connection.write(read ? "read\n" : "stopped\n");
    } else if (command.name == "flood") {
      const std::string bytes = pattern(command.number);
      co_await connection.write(bytes);
    } else if (command.name == "block") {
      co_await connection.write("blocking\n");
      std::this_thread::sleep_for(duration);
    } else if (command.name == "spin") {
      co_await connection.write("spinning\n");
      for (volatile bool never = false; !never;) {
      }
    } else if (command.name == "allocate") {  // so many MiB, and write to them
      const std::string memory(command.number << 20, 'x');
      co_await connection.write(memory.substr(0, 1), "\n");
    } else if (command.name == "files") {
      OpenFiles files;
      files.open(command.number);
      co_await connection.write(std::to_string(files.count()), "\n");
    } else if (command.name == "double") {
      const std::size_t twice =
          co_await connection.in_background([&] { return 2 * command.number; });
      co_await connection.write(std::to_string(twice), "\n");
    } else if (command.name == "catch") {
      co_await connection.write(co_await thrown_in_background(connection), "\n");
    } else if (command.name == "hold") {
      OpenFiles files;
      files.open(command.number);
      co_await connection.write("held\n");
      co_await connection.read();
    } else {
      co_await connection.write("what?\n");
    }
  }

  static berth::Task<std::string> thrown_in_background(berth::Connection connection) {
    try {
      co_await connection.in_background([] { throw std::runtime_error("thrown in background"); });
    } catch (const std::runtime_error& fault) {
      co_return fault.what();
    }
    co_return "nothing thrown";
  }

  static berth::Task<> read_within(berth::Connection connection,
                                   std::chrono::milliseconds duration) {
    berth::ReadOptions options;
    options.within = duration;
    std::string answer;
    co_await connection.write("reading\n");
    try {
      const auto read = co_await connection.read(options);
      answer = read ? "read\n" : "end\n";
    } catch (const berth::ConnectionLost& lost) {
      answer = lost.timed_out() ? "timed out\n" : "lost\n";
    }
    co_await connection.write(answer);
  }
};
BERTH_HANDLER(Probe)
