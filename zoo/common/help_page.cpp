#include "zoo/common/help_page.h"

#include <algorithm>
#include <utility>

namespace genera::zoo {
namespace {

constexpr std::size_t page_width = 100;

}  // namespace

std::string wrapped(std::string_view text, std::size_t width) {
  std::string result;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (at > 0) {
      const bool fits = column + 1 + word.size() <= width;
      result += fits ? ' ' : '\n';
      column = fits ? column + 1 : 0;
    }
    result += word;
    column += word.size();
    at = end + 1;
  }
  return result;
}

std::string HelpPage::make_usage(const CLI::App* app, std::string name) const {
  std::string line = "Usage: " + name;
  if (!app->get_subcommands({}).empty()) line += " VERB";
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional()) line += " " + option->get_name(true);
  return line + " [FLAGS]\n";
}

std::string HelpPage::make_help(const CLI::App* app, std::string name,
                                CLI::AppFormatMode mode) const {
  std::string text = make_description(app) + make_usage(app, std::move(name));
  const auto arguments =
      app->get_options([](const CLI::Option* option) { return option->get_positional(); });
  if (!arguments.empty()) text += make_group("Arguments", true, arguments);
  text += make_subcommands(app, mode);
  for (const char* heading : {own_flags, training_flags, common_flags}) {
    const auto options = app->get_options([heading](const CLI::Option* option) {
      return option->get_group() == heading && option->nonpositional();
    });
    if (!options.empty()) text += make_group(heading, false, options);
  }
  return text + "\n" + make_footer(app);
}

std::string HelpPage::make_option_desc(const CLI::Option* option) const {
  return wrapped(option->get_description(), page_width - get_column_width());
}

}  // namespace genera::zoo
