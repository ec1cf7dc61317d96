/// How --help looks.
#pragma once

#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace genera::zoo {

/// The headings under which flags stand, in this order: what is the verb's own, what all trainings
/// have, what all verbs have.
constexpr const char* own_flags = "Flags";
constexpr const char* training_flags = "Flags of every training";
constexpr const char* common_flags = "Flags of every verb";

/// `text` in lines of at most `width` columns, broken at blanks; a longer word has a line of its own.
std::string wrapped(std::string_view text, std::size_t width);

/// CLI11's page with the words of our own manuals, what must be given without brackets, and long
/// descriptions in columns.
class HelpPage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace genera::zoo
