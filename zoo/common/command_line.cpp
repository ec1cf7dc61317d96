#include "zoo/common/command_line.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "zoo/common/config_text.h"
#include "zoo/common/console.h"
#include "zoo/common/dataset.h"
#include "zoo/common/failure.h"
#include "zoo/common/help_page.h"
#include "zoo/common/shell.h"
#include "zoo/common/spelling.h"
#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

constexpr const char* config_option = "config";

std::string environment_name(const std::string& option) {
  std::string result = "GENERA_";
  for (char c : option)
    result += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& known,
                       const std::string& prefix) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : fmt::format("; did you mean {}{}?", prefix, nearest);
}

auto range_check(Range range, bool whole) {
  return [range, whole](const std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0') return fmt::format("'{}' is no number", text);
    if (whole && text.find_first_of(".eEpP") != std::string::npos && !text.starts_with("0x"))
      return fmt::format("'{}' is no whole number in digits", text);
    if (value >= range.low && value <= range.high) return {};
    return fmt::format("{} is not between {} and {}", text, range.low, range.high);
  };
}

}  // namespace

struct Verb::Impl {
  CLI::App* app = nullptr;
  std::map<std::string, Source> sources;
  std::map<std::string, Kept> kept;
  std::map<std::string, std::string> variables;  // of the environment, by option
  struct Bound {
    std::function<void()> reset;  // gives the bound value its default again
    std::function<bool()> changed;
  };
  std::map<std::string, Bound> bound;
  std::vector<std::string> arguments;
  std::vector<std::vector<std::string>> exclusive_groups;
  std::string heading = own_flags;  // of the options that are added

  CLI::Option* find(const std::string& name) const { return app->get_option_no_throw("--" + name); }

  template <class T>
  CLI::Option* added(CLI::Option* option, const std::string& name, T& value, Kept how) {
    kept[name] = how;
    variables[name] = environment_name(name);
    bound[name] = {[&value, initial = value] { value = initial; },
                   [&value, initial = value] { return value != initial; }};
    option->configurable(how != Kept::nowhere);
    option->group(heading);
    option->take_last();  // of a flag given twice, as in an alias and after it
    return option;
  }

  std::vector<std::string> flags() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back(name);
    return names;
  }

  std::vector<std::string> config_keys() const {
    std::vector<std::string> names;
    for (const auto& [name, how] : kept)
      if (how != Kept::nowhere) names.push_back(name);
    return names;
  }

  void assign(const std::string& name, const std::string& value, Source source) {
    CLI::Option* option = find(name);
    option->clear();
    option->add_result(value);
    option->run_callback();
    sources[name] = source;
  }

  void unset(const std::string& name) {
    find(name)->clear();
    bound.at(name).reset();
    sources.erase(name);
  }

  bool outranked(const std::string& name, Source source) const {
    for (const auto& group : exclusive_groups) {
      if (std::find(group.begin(), group.end(), name) == group.end()) continue;
      for (const std::string& member : group)
        if (source_of(member) > source) return true;
    }
    return source_of(name) > source;
  }

  Source source_of(const std::string& name) const {
    const auto found = sources.find(name);
    return found == sources.end() ? Source::unset : found->second;
  }

  // Of an exclusive group, all but the one that counts.
  bool forgotten(const std::string& name) const {
    for (const auto& group : exclusive_groups)
      if (std::find(group.begin(), group.end(), name) != group.end())
        return source_of(name) == Source::unset;
    return false;
  }

  void note_flags();
  void apply_environment();
  void settle_exclusive_groups();
  std::vector<ConfigEntry> read_config(const std::filesystem::path& path) const;
  void apply_config(const std::filesystem::path& path);
};

void Verb::Impl::note_flags() {
  for (const auto& [name, how] : kept)
    if (find(name)->count() > 0) sources[name] = Source::flag;
}

// Not by CLI11, which reads the variables of all verbs and names the flag in its errors.
void Verb::Impl::apply_environment() {
  for (const auto& [name, variable] : variables) {
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0' || outranked(name, Source::environment)) continue;
    try {
      assign(name, value, Source::environment);
    } catch (const CLI::ParseError& error) {
      throw UsageError(fmt::format("{} in the environment: {}", variable, error.what()));
    }
  }
}

// Within a group the strongest source wins and the others are forgotten.
void Verb::Impl::settle_exclusive_groups() {
  for (const auto& group : exclusive_groups) {
    Source strongest = Source::unset;
    for (const std::string& name : group) strongest = std::max(strongest, source_of(name));
    if (strongest == Source::unset) continue;
    std::string chosen;
    for (const std::string& name : group) {
      if (source_of(name) != strongest) {
        unset(name);
      } else if (chosen.empty()) {
        chosen = name;
      } else {
        throw UsageError(fmt::format("--{} and --{} exclude each other: give one", chosen, name));
      }
    }
  }
}

std::vector<ConfigEntry> Verb::Impl::read_config(const std::filesystem::path& path) const {
  const std::vector<std::string> keys = config_keys();
  auto entries = zoo::read_config(path);
  for (const ConfigEntry& entry : entries)
    if (std::find(keys.begin(), keys.end(), entry.name) == keys.end())
      throw UsageError(fmt::format("{}: unknown key '{}'{}", path.string(), entry.name,
                                   suggestion(entry.name, keys, "")));
  return entries;
}

void Verb::Impl::apply_config(const std::filesystem::path& path) {
  for (const ConfigEntry& entry : read_config(path)) {
    if (outranked(entry.name, Source::config)) continue;
    try {
      assign(entry.name, entry.value, Source::config);
    } catch (const CLI::ParseError& error) {
      throw UsageError(fmt::format("{}: {}", path.string(), error.what()));
    }
  }
}

Verb::Verb(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Verb::Verb(Verb&&) noexcept = default;
Verb::~Verb() = default;

Verb& Verb::option(const std::string& name, std::string& value, const std::string& help,
                   Kept kept) {
  impl_->added(impl_->app->add_option("--" + name, value, help)->capture_default_str(), name, value,
               kept);
  return *this;
}

Verb& Verb::option(const std::string& name, std::int64_t& value, const std::string& help,
                   Range range, Kept kept) {
  impl_->added(impl_->app->add_option("--" + name, value, help), name, value, kept)
      ->check(range_check(range, true))
      ->capture_default_str();
  return *this;
}

Verb& Verb::option(const std::string& name, std::uint64_t& value, const std::string& help,
                   Range range, Kept kept) {
  impl_->added(impl_->app->add_option("--" + name, value, help), name, value, kept)
      ->check(range_check(range, true))
      ->capture_default_str();
  return *this;
}

Verb& Verb::option(const std::string& name, double& value, const std::string& help, Range range,
                   Kept kept) {
  impl_->added(impl_->app->add_option("--" + name, value, help), name, value, kept)
      ->check(range_check(range, false))
      ->default_str(fmt::format("{}", value));
  return *this;
}

Verb& Verb::choice(const std::string& name, std::string& value,
                   const std::vector<std::string>& choices, const std::string& help) {
  const auto check = [choices](const std::string& text) -> std::string {
    if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
    std::string list;
    for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
    return fmt::format("'{}' is none of {}{}", text, list, suggestion(text, choices, ""));
  };
  std::string names;
  for (const std::string& choice : choices) names += (names.empty() ? "" : "|") + choice;
  impl_->added(impl_->app->add_option("--" + name, value, help), name, value, Kept::in_config)
      ->check(check)
      ->type_name(names)
      ->capture_default_str();
  return *this;
}

Verb& Verb::flag(const std::string& name, bool& value, const std::string& help, Kept kept) {
  impl_->added(impl_->app->add_flag("--" + name, value, help), name, value, kept);
  return *this;
}

Verb& Verb::argument(const std::string& name, std::string& value, const std::string& help) {
  impl_->app->add_option(name, value, help)->configurable(false);
  impl_->arguments.push_back(name);
  return *this;
}

Verb& Verb::under(const char* heading) {
  impl_->heading = heading;
  return *this;
}

Verb& Verb::exclusive(const std::vector<std::string>& names) {
  impl_->exclusive_groups.push_back(names);
  for (const std::string& name : names) impl_->find(name)->default_str("");
  return *this;
}

Verb& Verb::not_in_environment(const std::string& name) {
  impl_->variables.erase(name);
  return *this;
}

const std::string& Verb::name() const { return impl_->app->get_name(); }

Source Verb::source(const std::string& name) const { return impl_->source_of(name); }

void Verb::set(const std::string& name, const std::string& value) {
  impl_->assign(name, value, Source::flag);
}

void Verb::unset(const std::string& name) { impl_->unset(name); }

std::string Verb::resolved() const {
  std::string result;
  for (const CLI::Option* option : impl_->app->get_options()) {
    if (!option->get_configurable() || option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    if (impl_->forgotten(name)) continue;
    const bool is_flag = option->get_expected_min() == 0;
    const std::string otherwise = is_flag ? "false" : option->get_default_str();
    if (option->count() > 0)
      result += config_line(name, option->reduced_results().front());
    else if (!otherwise.empty())
      result += config_line(name, otherwise);
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> Verb::given() const {
  std::vector<std::pair<std::string, std::string>> result;
  for (const CLI::Option* option : impl_->app->get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    if (source(name) == Source::unset || impl_->kept.at(name) == Kept::nowhere) continue;
    result.emplace_back(name, option->results().empty() ? "true" : option->results().front());
  }
  return result;
}

std::string shown_flag(const std::string& name, const std::string& value) {
  if (value == "true") return "--" + name;
  return fmt::format("--{} {}", name, shell_word(name == "data" ? plain_name(value) : value));
}

std::string Verb::run_flags() const {
  std::string result;
  for (const CLI::Option* option : impl_->app->get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    const auto bound = impl_->bound.find(name);
    if (bound == impl_->bound.end() || !bound->second.changed()) continue;
    if (impl_->kept.at(name) != Kept::in_config) continue;
    const std::string value = option->results().empty() ? "true" : option->results().front();
    result += (result.empty() ? "" : " ") + shown_flag(name, value);
  }
  return result;
}

void Verb::restore(const std::filesystem::path& config) {
  std::vector<ConfigEntry> entries;
  try {
    entries = impl_->read_config(config);
  } catch (const UsageError& error) {  // a damaged run folder is no slip on the command line
    throw DataError(error.what());
  }
  for (const auto& [name, how] : impl_->kept)
    if (how == Kept::in_config && source(name) == Source::flag)
      throw UsageError(fmt::format(
          "--{} cannot be given with --resume: a resumed run keeps its settings; start a new run",
          name));
  for (const auto& [name, how] : impl_->kept)
    if (how == Kept::in_config) unset(name);
  for (const ConfigEntry& entry : entries) {
    if (source(entry.name) > Source::config) continue;  // changeable, and given for this call
    try {
      impl_->assign(entry.name, entry.value, Source::config);
    } catch (const CLI::ParseError& error) {
      throw DataError(fmt::format("{}: {}", config.string(), error.what()));
    }
  }
  impl_->settle_exclusive_groups();
}

struct CommandLine::Impl {
  CLI::App app;
  std::vector<std::unique_ptr<Verb>> verbs;

  std::vector<std::string> verb_names() const {
    std::vector<std::string> names;
    for (const auto& verb : verbs) names.push_back(verb->name());
    return names;
  }

  Verb& chosen_verb() const;
};

namespace {

// A variable that is nearly a flag's is a slip; others may be another program's.
void warn_of_misspelt_variables(const std::set<std::string>& known) {
  constexpr std::string_view prefix = "GENERA_";
  std::vector<std::string> rests;
  rests.reserve(known.size());
  for (const std::string& name : known) rests.push_back(name.substr(prefix.size()));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string variable(text.substr(0, text.find('=')));
    if (!variable.starts_with(prefix) || known.contains(variable)) continue;
    const std::string nearest = nearest_name(variable.substr(prefix.size()), rests);
    if (!nearest.empty())
      Console(true).warn(fmt::format("{} in the environment is not known; did you mean {}{}?",
                                     variable, prefix, nearest));
  }
}

UsageError unknown_flag(const std::string& text, const std::vector<std::string>& known) {
  const std::string name = text.substr(std::min(text.size(), text.find_first_not_of('-')));
  return UsageError(fmt::format("unknown flag {}{}", text,
                                suggestion(name.substr(0, name.find('=')), known, "--")));
}

}  // namespace

// The verb on the line; what stands before it is an error.
Verb& CommandLine::Impl::chosen_verb() const {
  std::string names;
  for (const std::string& name : verb_names()) names += (names.empty() ? "" : ", ") + name;
  for (const std::string& extra : app.remaining()) {
    if (extra.starts_with("-")) throw unknown_flag(extra, {"help", "version"});
    const std::string nearest = suggestion(extra, verb_names(), "");
    throw UsageError(fmt::format(
        "unknown verb '{}'{}", extra,
        nearest.empty() ? fmt::format("; there are {} (--help explains)", names) : nearest));
  }
  for (const auto& verb : verbs)
    if (app.got_subcommand(verb->impl_->app)) return *verb;
  throw UsageError(fmt::format("say what to do: {} (--help explains)", names));
}

CommandLine::CommandLine(const std::string& program, const std::string& description)
    : impl_(std::make_unique<Impl>()) {
  impl_->app.formatter(std::make_shared<HelpPage>());  // the verbs inherit it
  impl_->app.option_defaults()->group(own_flags);
  impl_->app.set_help_flag("-h,--help", "Print this page");
  impl_->app.name(program);
  impl_->app.description(description);
  impl_->app.set_version_flag("--version", program + " " + program_version(), "Print the version");
  impl_->app.footer(
      fmt::format("{0} VERB --help explains a verb. To begin with:\n"
                  "  {0} train --time 1m    # says into which folder it writes: that is RUN below\n"
                  "  {0} sample RUN\n"
                  "  {0} eval RUN",
                  program));
  impl_->app.allow_extras();
}

CommandLine::~CommandLine() = default;

Verb& CommandLine::verb(const std::string& name, const std::string& description) {
  auto impl = std::make_unique<Verb::Impl>();
  impl->app = impl_->app.add_subcommand(name, description)->group("Verbs");
  impl->app->allow_extras();
  impl->app->footer(
      "A flag --some-name can also be given in the environment, as GENERA_SOME_NAME.");
  impl_->verbs.push_back(std::unique_ptr<Verb>(new Verb(std::move(impl))));
  return *impl_->verbs.back();
}

Verb* CommandLine::parse(int argc, const char* const* argv) {
  CLI::App& app = impl_->app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help, --version: not an error
    app.exit(help);
    return nullptr;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view text = error.what();
    throw UsageError(fmt::format("{} needs a value", text.substr(0, text.find(':'))));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  Verb& chosen = impl_->chosen_verb();
  Verb::Impl& verb = *chosen.impl_;
  const auto extras = verb.app->remaining();
  for (const std::string& extra : extras)
    if (extra.starts_with("-")) throw unknown_flag(extra, verb.flags());
  if (!extras.empty()) throw UsageError(fmt::format("unexpected argument '{}'", extras.front()));
  for (const std::string& argument : verb.arguments)
    if (verb.app->get_option(argument)->count() == 0)
      throw UsageError(fmt::format("{} {} needs {}: {}", app.get_name(), chosen.name(), argument,
                                   verb.app->get_option(argument)->get_description()));
  std::set<std::string> variables = {"GENERA_DATA"};
  for (const auto& each : impl_->verbs)
    for (const auto& [name, variable] : each->impl_->variables) variables.insert(variable);
  warn_of_misspelt_variables(variables);
  verb.note_flags();
  verb.apply_environment();
  if (const CLI::Option* config = verb.find(config_option); config != nullptr && *config)
    verb.apply_config(config->as<std::string>());
  verb.settle_exclusive_groups();
  return &chosen;
}

}  // namespace genera::zoo
