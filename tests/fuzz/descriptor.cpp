// Fuzz target: the table that a plugin gives, against check_abi() and bind_options(). The input is
// the table's numbers and texts and the options that a config sets. What the table says to be there
// is there, each piece in a block of its own, so that whatever is read beyond that is seen.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/escape.hpp"
#include "input.hpp"
#include "plugin/load.hpp"
#include "plugin/options.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

constexpr Position kListener = {3, 5};

class Memory {
 public:
  void* block(std::size_t size) {
    return blocks_.emplace_back(std::make_unique<char[]>(size)).get();
  }
  const char* text(std::string_view content) {
    auto* const copy = static_cast<char*>(block(content.size() + 1));
    std::copy(content.begin(), content.end(), copy);
    return copy;
  }
  // The first `size` bytes of a T; what is beyond it is left as it is.
  template <class T>
  static void put(void* at, const T& value, std::size_t size) {
    std::memcpy(at, &value, std::min(size, sizeof value));
  }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
};

// Takes numbers and texts from the input; a bit of `spoilt` says of each field whether it is wrong.
class TableMaker {
 public:
  TableMaker(Input& input, Memory& memory) : input_(input), memory_(memory) {}

  const berth_plugin* make() {
    const auto spoilt = input_.number<std::uint16_t>();
    const auto is_spoilt = [&](int bit) { return (spoilt >> bit & 1) != 0; };
    berth_plugin table{};
    table.magic = is_spoilt(0) ? input_.number<std::uint64_t>() : BERTH_ABI_MAGIC;
    table.abi_major = is_spoilt(1) ? input_.number<std::uint32_t>() : BERTH_ABI_MAJOR;
    table.abi_minor = is_spoilt(2) ? input_.number<std::uint32_t>() : BERTH_ABI_MINOR;
    table.size = is_spoilt(3) ? input_.number<std::uint32_t>() : std::uint32_t{sizeof table};
    table.option_size = std::uint32_t{sizeof(berth_option)};
    if (is_spoilt(4)) table.option_size = input_.number<std::uint8_t>();
    table.name = is_spoilt(5) ? nullptr : memory_.text(input_.text());
    table.summary = is_spoilt(6) ? nullptr : "summary";
    if (!is_spoilt(7)) table.create = [](const berth_creation*) -> void* { return nullptr; };
    if (!is_spoilt(8)) table.destroy = [](void*) {};
    if (!is_spoilt(9)) table.serve = [](void*, berth_connection*) {};
    table.option_count = input_.below(6);
    table.options = is_spoilt(10) ? nullptr : make_options(table);
    // Up to where the size stands a table is always read.
    const std::size_t least = offsetof(berth_plugin, size) + sizeof table.size;
    const std::size_t most = sizeof table + 64;
    const std::size_t size = std::clamp<std::size_t>(table.size, least, most);
    void* const block = memory_.block(size);
    Memory::put(block, table, size);
    return static_cast<const berth_plugin*>(block);
  }

 private:
  const berth_option* make_options(const berth_plugin& table) {
    const std::size_t stride = table.option_size;
    auto* const rows = static_cast<char*>(memory_.block(table.option_count * stride));
    for (std::size_t i = 0; i < table.option_count; ++i) {
      Memory::put(rows + i * stride, make_option(), stride);
    }
    return reinterpret_cast<const berth_option*>(rows);
  }

  berth_option make_option() {
    const auto spoilt = input_.number<std::uint8_t>();
    berth_option option{};
    if ((spoilt & 1) == 0) option.name = memory_.text(input_.text());
    if ((spoilt & 2) == 0) option.help = "help";
    if ((spoilt & 4) == 0) option.default_value = "default";
    option.required = spoilt >> 3 & 1;
    option.type = static_cast<std::uint32_t>(input_.below(BERTH_MAP + 2));
    if ((spoilt & 16) != 0) {
      option.minimum = input_.number<std::int64_t>();
      option.maximum = input_.number<std::int64_t>();
    }
    if ((spoilt & 32) != 0) option.unit = input_.number<std::int64_t>();
    if (option.type == BERTH_CHOICE) make_choices(option, (spoilt & 64) != 0, (spoilt & 128) != 0);
    return option;
  }

  void make_choices(berth_option& option, bool no_list, bool no_last) {
    option.choice_count = input_.below(4);
    auto* const list =
        static_cast<const char**>(memory_.block(option.choice_count * sizeof(const char*)));
    for (std::size_t i = 0; i < option.choice_count; ++i) {
      const bool absent = no_last && i + 1 == option.choice_count;
      list[i] = absent ? nullptr : memory_.text(input_.text());
    }
    option.choices = no_list ? nullptr : list;
  }

  Input& input_;
  Memory& memory_;
};

// A value of any kind; line and column are those of the option it is for.
OptionValue make_value(Input& input, Position where, int depth) {
  OptionValue value;
  value.where = where;
  value.kind = static_cast<OptionValue::Kind>(input.below(4));
  if (value.kind == OptionValue::Kind::scalar) value.scalar = input.text();
  if (depth == 0) return value;
  const std::size_t count = value.kind == OptionValue::Kind::scalar ? 0 : input.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    OptionValue item = make_value(input, where, depth - 1);
    if (value.kind == OptionValue::Kind::list) {
      value.items.push_back(std::move(item));
    } else if (value.kind == OptionValue::Kind::map) {
      OptionValue key;
      key.kind = OptionValue::Kind::scalar;
      key.where = where;
      key.scalar = input.text();
      value.fields.emplace_back(std::move(key), std::move(item));
    }
  }
  return value;
}

// Settings of options that there are, and now and then of one that there is not.
std::vector<OptionSetting> make_settings(Input& input, const berth_plugin& table) {
  std::vector<OptionSetting> settings(input.below(5));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    OptionSetting& setting = settings[i];
    setting.where = {static_cast<int>(10 + i), 7};
    const std::size_t row = input.below(table.option_count + 1);
    setting.name = row < table.option_count ? std::string(option_row(table, row).name)
                                            : std::string(input.text());
    setting.value = make_value(input, {setting.where.line, 20}, 2);
  }
  return settings;
}

// What a plugin that passed the check can be trusted in.
void check_table(const berth_plugin& table) {
  require(table.magic == BERTH_ABI_MAGIC && table.abi_major == BERTH_ABI_MAJOR &&
              table.abi_minor <= BERTH_ABI_MINOR,
          "a table that is taken is of this version");
  std::set<std::string> names;
  for (std::size_t i = 0; i < table.option_count; ++i) {
    const berth_option& option = option_row(table, i);
    require(reinterpret_cast<std::uintptr_t>(&option) % alignof(berth_option) == 0,
            "a row lies where one may");
    require(names.insert(option.name).second, "options have different names", option.name);
    require(!type_of(option).empty(), "a type has words", option.name);
    (void)limits_of(option);
  }
}

void check_number(const berth_setting& setting, const berth_option& option) {
  const bool has_limits = option.minimum != 0 || option.maximum != 0;
  switch (setting.type) {
    case BERTH_BOOL:
      return require(setting.integer == 0 || setting.integer == 1, "a switch is on or off");
    case BERTH_CHOICE:
      return require(
          setting.integer >= 0 && static_cast<std::size_t>(setting.integer) < option.choice_count,
          "a choice is one of those there are", setting.name);
    case BERTH_DURATION:
      require(setting.integer >= 0 && (option.unit <= 1 || setting.integer % option.unit == 0),
              "a duration is of whole units", setting.name);
      [[fallthrough]];
    case BERTH_INTEGER:
    case BERTH_SIZE:
      return require(
          !has_limits || (setting.integer >= option.minimum && setting.integer <= option.maximum),
          "a number is within its limits", setting.name);
    default:
      return;
  }
}

void check_text(const berth_bytes& text, const std::vector<OptionSetting>& given) {
  require(text.data[text.size] == '\0', "a text is ended by a zero");
  const std::string_view content(text.data, text.size);
  const auto holds = [&](const auto& self, const OptionValue& value) -> bool {
    const auto is_in = [&](const OptionValue& inner) { return self(self, inner); };
    return (value.kind == OptionValue::Kind::scalar && value.scalar == content) ||
           std::any_of(value.items.begin(), value.items.end(), is_in) ||
           std::any_of(value.fields.begin(), value.fields.end(),
                       [&](const auto& f) { return is_in(f.first) || is_in(f.second); });
  };
  require(std::any_of(given.begin(), given.end(),
                      [&](const OptionSetting& setting) { return holds(holds, setting.value); }),
          "a text is one that was given", content);
}

void check_setting(const berth_setting& setting, const berth_plugin& table,
                   const std::vector<OptionSetting>& given) {
  const berth_option* option = nullptr;
  for (std::size_t i = 0; i < table.option_count; ++i) {
    if (option_row(table, i).name == setting.name) option = &option_row(table, i);
  }
  require(option != nullptr, "a setting has the name that the plugin gave");
  require(setting.type == option->type, "a setting is of its option's type", setting.name);
  check_number(setting, *option);
  if (setting.type == BERTH_TEXT) check_text(setting.text, given);
  require(setting.type == BERTH_LIST || setting.type == BERTH_MAP || setting.item_count == 0,
          "only a list or a map has items", setting.name);
  require(setting.type != BERTH_MAP || setting.item_count % 2 == 0, "a map has pairs",
          setting.name);
  for (std::size_t i = 0; i < setting.item_count; ++i) check_text(setting.items[i], given);
}

void check_settings(const berth_plugin& table, const std::vector<OptionSetting>& given) {
  Diagnostics problems("f");
  const BoundOptions bound = bind_options(table, given, kListener, problems);
  for (const berth_setting& setting : bound.settings()) check_setting(setting, table, given);
  require(bound.settings().size() == given.size() || !problems.empty(),
          "an option that is not set is told");
  for (const auto& [where, message] : problems.sorted()) {
    const bool of_an_option = where.line >= 10 && where.line < 10 + static_cast<int>(given.size());
    require(where == kListener || of_an_option, "a mistake stands where the option does", message);
    require(!message.empty() && escaped(message) == message, "a message can be printed", message);
  }
  for (std::size_t i = 0; problems.empty() && i < table.option_count; ++i) {
    const berth_option& option = option_row(table, i);
    const auto is_it = [&](const berth_setting& setting) { return setting.name == option.name; };
    require(option.required == 0 ||
                std::any_of(bound.settings().begin(), bound.settings().end(), is_it),
            "what is required is set", option.name);
  }
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  fuzz::Input input(data, size);
  fuzz::Memory memory;
  const berth_plugin* const table = fuzz::TableMaker(input, memory).make();
  if (const auto fits = check_abi(table); !fits) {
    fuzz::require(!fits.error().message.empty(), "a refusal has words");
    return 0;
  }
  fuzz::check_table(*table);
  fuzz::check_settings(*table, fuzz::make_settings(input, *table));
  return 0;
}
