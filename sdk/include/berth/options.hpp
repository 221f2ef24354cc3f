// Description: a handler's name and options. Part of <berth/handler.hpp>.
#pragma once

#include <berth/abi.h>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace berth {
inline namespace v1 {

// An option that counts bytes: `64KiB` in the config.
struct Size {
  std::uint64_t bytes = 0;
};

namespace detail {

// How a member's type is told to the host (kType, limits), printed as a default (text), and set.
// A type without a specialisation cannot be an option.
template <class T>
struct OptionType;

inline std::string in_quotes(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return std::string(text);
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

inline std::string text_of(const berth_bytes& bytes) { return {bytes.data, bytes.size}; }

template <>
struct OptionType<bool> {
  static constexpr std::uint32_t kType = BERTH_BOOL;
  static std::string text(bool value) { return value ? "true" : "false"; }
  static void set(bool& member, const berth_setting& setting) { member = setting.integer != 0; }
};

template <std::integral T>
struct OptionType<T> {
  static constexpr std::uint32_t kType = BERTH_INTEGER;
  static constexpr std::int64_t kMinimum = static_cast<std::int64_t>(std::numeric_limits<T>::min());
  static constexpr std::int64_t kMaximum =
      std::in_range<std::int64_t>(std::numeric_limits<T>::max())
          ? static_cast<std::int64_t>(std::numeric_limits<T>::max())
          : std::numeric_limits<std::int64_t>::max();
  static std::string text(T value) { return std::to_string(value); }
  static void set(T& member, const berth_setting& setting) {
    member = static_cast<T>(setting.integer);
  }
};

template <std::floating_point T>
struct OptionType<T> {
  static constexpr std::uint32_t kType = BERTH_REAL;
  static std::string text(T value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%g", static_cast<double>(value));
    return buffer;
  }
  static void set(T& member, const berth_setting& setting) {
    member = static_cast<T>(setting.real);
  }
};

template <>
struct OptionType<std::string> {
  static constexpr std::uint32_t kType = BERTH_TEXT;
  static std::string text(const std::string& value) { return in_quotes(value); }
  static void set(std::string& member, const berth_setting& setting) {
    member = text_of(setting.text);
  }
};

template <class Rep, class Period>
struct OptionType<std::chrono::duration<Rep, Period>> {
  using Member = std::chrono::duration<Rep, Period>;
  static constexpr std::uint32_t kType = BERTH_DURATION;
  // The smallest step that the member can hold.
  static constexpr std::int64_t kUnit =
      std::is_floating_point_v<Rep> || std::ratio_less_v<Period, std::nano>
          ? 1
          : std::chrono::nanoseconds(std::chrono::duration<std::int64_t, Period>(1)).count();

  static std::string text(Member value) {
    const auto length = std::chrono::duration_cast<std::chrono::nanoseconds>(value).count();
    constexpr std::pair<std::int64_t, const char*> kUnits[] = {
        {3'600'000'000'000, "h"}, {60'000'000'000, "m"}, {1'000'000'000, "s"},
        {1'000'000, "ms"},        {1'000, "us"},         {1, "ns"}};
    if (length == 0) return "0s";
    for (const auto& [unit, name] : kUnits) {
      if (length % unit == 0) return std::to_string(length / unit) + name;
    }
    return {};
  }
  static void set(Member& member, const berth_setting& setting) {
    member = std::chrono::duration_cast<Member>(std::chrono::nanoseconds(setting.integer));
  }
};

template <>
struct OptionType<Size> {
  static constexpr std::uint32_t kType = BERTH_SIZE;
  static std::string text(Size value) {
    const char* unit = "";
    for (const char* larger : {"KiB", "MiB", "GiB"}) {
      if (value.bytes == 0 || value.bytes % 1024 != 0) break;
      value.bytes /= 1024;
      unit = larger;
    }
    return std::to_string(value.bytes) + unit;
  }
  static void set(Size& member, const berth_setting& setting) {
    member.bytes = static_cast<std::uint64_t>(setting.integer);
  }
};

template <>
struct OptionType<std::vector<std::string>> {
  static constexpr std::uint32_t kType = BERTH_LIST;
  static std::string text(const std::vector<std::string>& value) {
    std::string out;
    for (const auto& item : value) out += (out.empty() ? "" : ", ") + in_quotes(item);
    return "[" + out + "]";
  }
  static void set(std::vector<std::string>& member, const berth_setting& setting) {
    member.clear();
    for (std::size_t i = 0; i < setting.item_count; ++i)
      member.push_back(text_of(setting.items[i]));
  }
};

template <>
struct OptionType<std::map<std::string, std::string>> {
  static constexpr std::uint32_t kType = BERTH_MAP;
  static std::string text(const std::map<std::string, std::string>& value) {
    std::string out;
    for (const auto& [name, item] : value) {
      out += (out.empty() ? "" : ", ") + in_quotes(name) + ": " + in_quotes(item);
    }
    return "{" + out + "}";
  }
  static void set(std::map<std::string, std::string>& member, const berth_setting& setting) {
    member.clear();
    for (std::size_t i = 0; i + 1 < setting.item_count; i += 2) {
      member[text_of(setting.items[i])] = text_of(setting.items[i + 1]);
    }
  }
};

}  // namespace detail

// Filled by a handler's `static void describe(berth::Description<Handler>& is)`.
template <class Handler>
class Description {
 public:
  // One option, for what is to be said of it beyond its member.
  class Option {
   public:
    // A listener that does not give it is refused.
    Option& required() {
      row_.required = 1;
      row_.default_value = nullptr;
      return *this;
    }
    // Values outside of minimum … maximum are refused, with the place in the YAML. For whole
    // numbers, durations and sizes; on any other option the description fails.
    template <class T>
    requires std::integral<T> || std::same_as<T, Size> Option& range(T minimum, T maximum) {
      return limit(count(minimum), count(maximum));
    }
    Option& range(std::chrono::nanoseconds minimum, std::chrono::nanoseconds maximum) {
      return limit(minimum.count(), maximum.count());
    }

   private:
    friend Description;
    static std::int64_t count(Size size) { return static_cast<std::int64_t>(size.bytes); }
    template <std::integral T>
    static std::int64_t count(T value) {
      return static_cast<std::int64_t>(value);
    }
    Option& limit(std::int64_t minimum, std::int64_t maximum) {
      const bool counts =
          row_.type == BERTH_INTEGER || row_.type == BERTH_DURATION || row_.type == BERTH_SIZE;
      if (!counts) throw std::invalid_argument("option " + name_ + " can have no range");
      const bool has_limits = row_.minimum != 0 || row_.maximum != 0;  // those of its own type
      row_.minimum = has_limits ? std::max(minimum, row_.minimum) : minimum;
      row_.maximum = has_limits ? std::min(maximum, row_.maximum) : maximum;
      return *this;
    }

    berth_option row_{};
    std::string name_, help_, default_;
    std::vector<std::string> choices_;
    std::vector<const char*> choice_names_;
    std::function<void(Handler&, const berth_setting&)> set_;
  };

  void operator=(const Description&) = delete;

  Description& name(std::string_view text) {
    name_ = text;
    return *this;
  }
  Description& summary(std::string_view text) {
    summary_ = text;
    return *this;
  }

  // A data member as an option. The member's initialiser is the default, its type the option's:
  // bool, integers, floating point, std::string, std::chrono durations, berth::Size,
  // std::vector<std::string>, std::map<std::string, std::string>.
  template <class T>
  Option& option(std::string_view name, T Handler::*member, std::string_view help) {
    using Type = detail::OptionType<T>;
    Option& option = add(name, help, Type::kType, Type::text(defaults_.*member));
    if constexpr (requires { Type::kMinimum; }) option.range(Type::kMinimum, Type::kMaximum);
    if constexpr (requires { Type::kUnit; }) option.row_.unit = Type::kUnit;
    option.set_ = [member](Handler& handler, const berth_setting& setting) {
      Type::set(handler.*member, setting);
    };
    return option;
  }

  // An enum as an option, each of its values by a name:
  //     is.option("reply", &Echo::reply, "what to send", {{"stamped", Reply::stamped}, …});
  template <class T>
  requires std::is_enum_v<T> Option& option(
      std::string_view name, T Handler::*member, std::string_view help,
      std::initializer_list<std::pair<const char*, T>> choices) {
    Option& option = add(name, help, BERTH_CHOICE, {});
    std::vector<T> values;
    for (const auto& [text, value] : choices) {
      if (value == defaults_.*member) option.default_ = text;
      option.choices_.emplace_back(text);
      values.push_back(value);
    }
    option.set_ = [member, values](Handler& handler, const berth_setting& setting) {
      handler.*member = values.at(static_cast<std::size_t>(setting.integer));
    };
    return option;
  }

  // For the SDK itself. The table, whose texts live as long as this object.
  std::vector<berth_option> table() {
    std::vector<berth_option> rows;
    for (Option& option : options_) {
      berth_option& row = option.row_;
      row.name = option.name_.c_str();
      row.help = option.help_.c_str();
      if (row.required == 0) row.default_value = option.default_.c_str();
      option.choice_names_.clear();
      for (const auto& choice : option.choices_) option.choice_names_.push_back(choice.c_str());
      row.choices = option.choice_names_.data();
      row.choice_count = option.choice_names_.size();
      rows.push_back(row);
    }
    return rows;
  }
  void set(Handler& handler, const berth_setting& setting) const {
    for (const Option& option : options_) {
      if (option.name_ == setting.name) return option.set_(handler, setting);
    }
    throw std::invalid_argument(std::string("no option is called ") + setting.name);
  }
  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }

 private:
  Option& add(std::string_view name, std::string_view help, std::uint32_t type,
              std::string default_value) {
    Option& option = options_.emplace_back();
    option.name_ = name;
    option.help_ = help;
    option.default_ = std::move(default_value);
    option.row_.type = type;
    return option;
  }

  // Where the defaults are read from. Not {}: that refuses members with explicit constructors.
  Handler defaults_ = Handler();
  std::string name_, summary_;
  std::deque<Option> options_;
};

}  // namespace v1
}  // namespace berth
