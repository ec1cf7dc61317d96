/// Command lines of the zoo's programs: `program verb [arguments] [flags]`, on CLI11.
///
/// A value comes from the flag, else from the environment variable GENERA_<NAME>, else from the
/// file of --config (TOML, `name = value`), else it is the default.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace genera::zoo {

/// Where an option's value came from, weakest first.
enum class Source { unset, config, environment, flag };

/// Numbers that an option takes: low to high, both included.
struct Range {
  double low = 0;
  double high = 1e15;
};

/// How an option may be given and kept.
enum class Kept {
  in_config,   ///< part of a run: written to config.toml, fixed when a run is resumed
  changeable,  ///< written to config.toml, but a resumed run may have another value
  nowhere,     ///< for this call only: not in configuration files
};

/// A flag as a shell takes it; of the data set only the name, without the folders that lead to it.
std::string shown_flag(const std::string& name, const std::string& value);

/// One verb's options. Every `value` must outlive the command line and holds the default when it is
/// added.
class Verb {
 public:
  ~Verb();
  Verb(Verb&&) noexcept;

  Verb& option(const std::string& name, std::string& value, const std::string& help,
               Kept kept = Kept::in_config);
  Verb& option(const std::string& name, std::int64_t& value, const std::string& help, Range range,
               Kept kept = Kept::in_config);
  Verb& option(const std::string& name, std::uint64_t& value, const std::string& help, Range range,
               Kept kept = Kept::in_config);
  Verb& option(const std::string& name, double& value, const std::string& help, Range range,
               Kept kept = Kept::in_config);
  Verb& choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
               const std::string& help);
  Verb& flag(const std::string& name, bool& value, const std::string& help,
             Kept kept = Kept::nowhere);
  /// An argument without a flag, which must be given.
  Verb& argument(const std::string& name, std::string& value, const std::string& help);
  /// The options added from here on stand under this heading in the help (help_page.h).
  Verb& under(const char* heading);
  /// Of these options the one from the strongest source counts; two from the same source are an
  /// error.
  Verb& exclusive(const std::vector<std::string>& names);
  /// The option has no environment variable: its name there means something else.
  Verb& not_in_environment(const std::string& name);

  const std::string& name() const;
  Source source(const std::string& name) const;
  /// Gives an option a value from inside the program, as if it came from a flag.
  void set(const std::string& name, const std::string& value);
  /// Gives an option its default again: resolved() will not show it.
  void unset(const std::string& name);
  /// All options of Kept::in_config and Kept::changeable with their values, as TOML.
  std::string resolved() const;
  /// The options that flags, the environment or a configuration file gave, with their values; none
  /// of Kept::nowhere.
  std::vector<std::pair<std::string, std::string>> given() const;
  /// The options of Kept::in_config whose value is not the default, as flags for a shell: what
  /// makes the same run again.
  std::string run_flags() const;
  /// Takes over the configuration of an earlier run. UsageError when a flag asks for another value
  /// of an option that is Kept::in_config; DataError when the file is not a run's.
  void restore(const std::filesystem::path& config);

 private:
  friend class CommandLine;
  struct Impl;
  explicit Verb(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A program's command line.
class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& description);
  ~CommandLine();

  /// Adds a verb. The reference stays valid.
  Verb& verb(const std::string& name, const std::string& description);

  /// Reads the arguments, the environment and the configuration file into the chosen verb's values.
  /// Returns that verb, or nullptr after --help and --version, which print on stdout. UsageError
  /// names the nearest known verb, flag or key for one that is unknown.
  Verb* parse(int argc, const char* const* argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace genera::zoo
