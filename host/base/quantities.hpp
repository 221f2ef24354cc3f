// Durations and sizes as people write them, `1h30m` and `64KiB`; and back, so that what is printed
// can be pasted into a config. Plain functions; the errors quote the text and give the right form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace berth {

// `250ms`, `5s`, `1.5s`, `1h30m`: whole numbers with the units h, m, s, ms, us, ns, from large to
// small; the last may have a fraction. `0` needs no unit. Never kUnlimited, whose word `off` is for
// the reader to take where it makes sense.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

// `512` (bytes), `64KiB`, `1MiB`, `2GiB`, `1TiB`.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// A decimal number, `2.5` or `1e3`; nothing for any other text, hexadecimal, `inf` and numbers too
// large included.
[[nodiscard]] std::optional<double> parse_real(const std::string& text);

// What parse_duration() takes and reads back as the same; "off" for kUnlimited.
[[nodiscard]] std::string format_duration(Duration duration);

// What parse_size() takes and reads back as the same.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace berth
