#include "zoo/common/duration.h"

#include <charconv>
#include <string>

#include "zoo/common/failure.h"

namespace genera::zoo {

double parse_duration(std::string_view text) {
  const auto fail = [&] {
    return UsageError("--time " + std::string(text) +
                      " is no duration: write 90s, 2m, 1h30m or 1.5h (at least a second)");
  };
  double total = 0;
  std::string_view rest = text;
  double smallest_unit = 1e300;  // units must come in falling order: "30m1h" is a slip
  do {
    double number = 0;
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !(number >= 0)) throw fail();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const char unit = rest.empty() ? 's' : rest.front();
    const double seconds = unit == 'h' ? 3600 : unit == 'm' ? 60 : unit == 's' ? 1 : 0;
    if (seconds == 0 || seconds >= smallest_unit) throw fail();
    smallest_unit = seconds;
    total += number * seconds;
    if (!rest.empty()) rest.remove_prefix(1);
  } while (!rest.empty());
  if (!(total >= 1 && total <= 1e8)) throw fail();
  return total;
}

}  // namespace genera::zoo
