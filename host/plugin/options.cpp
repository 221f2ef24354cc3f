#include "plugin/options.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/quantities.hpp"

namespace berth {

namespace {

// A value that does not fit: where, and what is wrong with it.
struct Misfit {
  Position where;
  std::string message;
};

using Kind = OptionValue::Kind;

const std::string& scalar_of(const OptionValue& value, const char* wanted) {
  if (value.kind != Kind::scalar) throw Misfit{value.where, std::string("must be ") + wanted};
  return value.scalar;
}

std::int64_t integer_of(const OptionValue& value) {
  const std::string& text = scalar_of(value, "a whole number");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    throw Misfit{value.where, "'" + text + "' is too large or too small"};
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Misfit{value.where, "must be a whole number, not '" + text + "'"};
  }
  return number;
}

double real_of(const OptionValue& value) {
  const std::string& text = scalar_of(value, "a number");
  const auto number = parse_real(text);
  if (!number) throw Misfit{value.where, "must be a number, not '" + text + "'"};
  return *number;
}

bool bool_of(const OptionValue& value) {
  const std::string& text = scalar_of(value, "true or false");
  if (text != "true" && text != "false") {
    throw Misfit{value.where, "must be true or false, not '" + text + "'"};
  }
  return text == "true";
}

std::int64_t duration_of(const OptionValue& value, const berth_option& option) {
  const auto duration = parse_duration(scalar_of(value, "a duration (250ms, 5s, 10m)"));
  if (!duration) throw Misfit{value.where, duration.error().message};
  const std::int64_t length = duration.value().count();
  if (option.unit > 1 && length % option.unit != 0) {
    throw Misfit{value.where, "must be a multiple of " + format_duration(Duration(option.unit))};
  }
  return length;
}

std::int64_t size_of(const OptionValue& value) {
  const auto size = parse_size(scalar_of(value, "a size (512, 64KiB)"));
  if (!size) throw Misfit{value.where, size.error().message};
  if (size.value() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Misfit{value.where, "is too large"};
  }
  return static_cast<std::int64_t>(size.value());
}

std::int64_t choice_of(const OptionValue& value, const berth_option& option) {
  const std::vector<std::string> names(option.choices, option.choices + option.choice_count);
  const std::string& text = scalar_of(value, one_of(names).c_str());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<std::int64_t>(i);
  }
  throw Misfit{value.where,
               "must be " + one_of(names) + ", not '" + text + "'" + did_you_mean(text, names)};
}

std::vector<berth_bytes> list_of(const OptionValue& value, BoundOptions& bound) {
  if (value.kind != Kind::list) throw Misfit{value.where, "must be a list: [a, b]"};
  std::vector<berth_bytes> items;
  for (const auto& item : value.items) items.push_back(bound.keep(scalar_of(item, "a text")));
  return items;
}

std::vector<berth_bytes> map_of(const OptionValue& value, BoundOptions& bound) {
  if (value.kind != Kind::map) throw Misfit{value.where, "must be a map: {name: value}"};
  std::vector<berth_bytes> items;
  for (const auto& [name, item] : value.fields) {
    items.push_back(bound.keep(name.scalar));
    items.push_back(bound.keep(scalar_of(item, "a text")));
  }
  return items;
}

std::string limit_text(const berth_option& option, std::int64_t limit) {
  switch (option.type) {
    case BERTH_DURATION:
      return format_duration(Duration(limit));
    case BERTH_SIZE:
      return format_size(static_cast<std::uint64_t>(limit));
    default:
      return std::to_string(limit);
  }
}

void check_limits(const OptionValue& value, const berth_option& option, std::int64_t number) {
  const bool limited =
      option.type == BERTH_INTEGER || option.type == BERTH_DURATION || option.type == BERTH_SIZE;
  if (!limited || (option.minimum == 0 && option.maximum == 0)) return;
  if (number >= option.minimum && number <= option.maximum) return;
  throw Misfit{value.where, "must be within " + limit_text(option, option.minimum) + " and " +
                                limit_text(option, option.maximum)};
}

berth_setting bind(const OptionValue& value, const berth_option& option, BoundOptions& bound) {
  if (value.kind == Kind::null) throw Misfit{value.where, "has no value"};
  berth_setting setting{};
  setting.name = option.name;
  setting.type = option.type;
  std::vector<berth_bytes> items;
  switch (option.type) {
    case BERTH_BOOL:
      setting.integer = bool_of(value) ? 1 : 0;
      break;
    case BERTH_INTEGER:
      setting.integer = integer_of(value);
      break;
    case BERTH_REAL:
      setting.real = real_of(value);
      break;
    case BERTH_TEXT:
      setting.text = bound.keep(scalar_of(value, "a text"));
      break;
    case BERTH_DURATION:
      setting.integer = duration_of(value, option);
      break;
    case BERTH_SIZE:
      setting.integer = size_of(value);
      break;
    case BERTH_CHOICE:
      setting.integer = choice_of(value, option);
      break;
    case BERTH_LIST:
      items = list_of(value, bound);
      break;
    case BERTH_MAP:
      items = map_of(value, bound);
      break;
    default:
      throw Misfit{value.where, "has a type that this host does not know"};
  }
  check_limits(value, option, setting.integer);
  setting.item_count = items.size();
  if (!items.empty()) setting.items = bound.keep(std::move(items));
  return setting;
}

const berth_option* find_option(const berth_plugin& plugin, const std::string& name) {
  for (std::size_t i = 0; i < plugin.option_count; ++i) {
    if (option_row(plugin, i).name == name) return &option_row(plugin, i);
  }
  return nullptr;
}

std::string unknown_option(const berth_plugin& plugin, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plugin.option_count; ++i) {
    names.emplace_back(option_row(plugin, i).name);
  }
  const std::string handler = std::string("handler '") + plugin.name + "'";
  if (names.empty()) return "unknown option '" + name + "': " + handler + " takes none";
  const std::string near = did_you_mean(name, names);
  return "unknown option '" + name + "' of " + handler +
         (near.empty() ? "; it takes " + one_of(names) : near);
}

}  // namespace

berth_bytes BoundOptions::keep(const std::string& text) {
  const std::string& kept = texts_.emplace_back(text);
  return {kept.c_str(), kept.size()};
}

const berth_bytes* BoundOptions::keep(std::vector<berth_bytes> items) {
  return lists_.emplace_back(std::move(items)).data();
}

BoundOptions bind_options(const berth_plugin& plugin, const std::vector<OptionSetting>& given,
                          Position listener, Diagnostics& problems) {
  BoundOptions bound;
  for (const auto& [name, where, value] : given) {
    const berth_option* const option = find_option(plugin, name);
    if (option == nullptr) {
      problems.add(where, unknown_option(plugin, name));
      continue;
    }
    try {
      bound.add(bind(value, *option, bound));
    } catch (const Misfit& misfit) {
      problems.add(misfit.where, "option '" + name + "' " + misfit.message);
    }
  }
  for (std::size_t i = 0; i < plugin.option_count; ++i) {
    const berth_option& option = option_row(plugin, i);
    const auto is_it = [&](const OptionSetting& setting) { return setting.name == option.name; };
    if (option.required == 0 || std::any_of(given.begin(), given.end(), is_it)) continue;
    problems.add(listener, std::string("handler '") + plugin.name + "' needs the option '" +
                               option.name + "' (" + option.help + ")");
  }
  return bound;
}

const berth_option& option_row(const berth_plugin& plugin, std::size_t index) {
  const auto* const at = reinterpret_cast<const char*>(plugin.options) + index * plugin.option_size;
  return *reinterpret_cast<const berth_option*>(at);
}

std::string limits_of(const berth_option& option) {
  if (option.minimum == 0 && option.maximum == 0) return {};
  if (option.maximum == std::numeric_limits<std::int64_t>::max()) return {};
  return limit_text(option, option.minimum) + " to " + limit_text(option, option.maximum);
}

std::string type_of(const berth_option& option) {
  switch (option.type) {
    case BERTH_BOOL:
      return "true or false";
    case BERTH_INTEGER:
      return "whole number";
    case BERTH_REAL:
      return "number";
    case BERTH_TEXT:
      return "text";
    case BERTH_DURATION:
      return "duration";
    case BERTH_SIZE:
      return "size";
    case BERTH_CHOICE:
      return one_of(std::vector<std::string>(option.choices, option.choices + option.choice_count));
    case BERTH_LIST:
      return "list of texts";
    case BERTH_MAP:
      return "map of texts";
    default:
      return "unknown";
  }
}

}  // namespace berth
