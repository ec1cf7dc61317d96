/// What a program says on stderr: notes, warnings and the progress of a long loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace genera::zoo {

/// The text with control bytes (all but newline) replaced by '?': names of files and keys come from
/// outside.
std::string printable(std::string_view text);

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

/// What a progress line shows.
struct ProgressLine {
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::string text;  ///< the loss and the like
  std::string rate;  ///< "12000 images/s"
  std::string left;  ///< "3 min 20 s left"
};

/// The line for a terminal of `width` columns: a bar whose length depends on nothing but the width,
/// then the figures that fit: of the last two the
/// remaining time first. Less than `width` columns in all.
std::string progress_line(const ProgressLine& line, int width, bool colour);

/// Writes text to stderr as it is. That nobody can read it is no reason to stop: errors are ignored.
void write_log(const std::string& text);

/// Notes, warnings and progress on stderr. On a terminal the progress is one line with a bar that
/// is redrawn, else a plain line now and then; colour only on a terminal and without NO_COLOR
/// (https://no-color.org).
class Console {
 public:
  explicit Console(bool quiet);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// A line of information; nothing when quiet.
  void note(const std::string& text);
  /// A line that starts with "warning:", also when quiet.
  void warn(const std::string& text);
  /// A warning that is printed only when it differs from the last one of its kind.
  void warn_once(const std::string& text);

  /// Starts a loop of `total` rounds of which `done` were done before; `items_per_round` scales the
  /// printed rate.
  void start_progress(std::int64_t total, std::int64_t done, double items_per_round,
                      std::string unit);
  /// Says that `done` rounds are done; `text` is the loss and the like. Cheap when there is nothing
  /// to draw.
  void progress(std::int64_t done, const std::string& text);
  /// True when the next call of progress() would print: making its text may be saved otherwise.
  bool progress_due() const;
  /// Removes the bar from the terminal, or prints the last plain line.
  void end_progress();

 private:
  using Clock = std::chrono::steady_clock;

  void clear_line();
  void draw(bool last);

  bool quiet_;
  bool terminal_;
  bool colour_;
  bool line_shown_ = false;
  bool running_ = false;
  std::int64_t total_ = 0;
  std::int64_t first_ = 0;
  std::int64_t done_ = 0;
  std::int64_t printed_ = -1;
  double items_per_round_ = 1;
  std::string unit_;
  std::string text_;
  std::string last_warning_;
  Clock::time_point started_;
  Clock::time_point drawn_;
};

}  // namespace genera::zoo
