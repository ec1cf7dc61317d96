#include "zoo/common/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace genera::zoo {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::chrono::seconds plain_interval{10};

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string rate_text(double rate) {
  return rate >= 100 ? fmt::format("{:.0f}", rate) : fmt::format("{:.1f}", rate);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\n') || byte == 127) c = '?';
  }
  return result;
}

std::string progress_line(const ProgressLine& line, int width, bool colour) {
  const int bar = width >= 60 ? std::clamp(width / 10, 8, 30) : 0;
  // The last column stays empty: some terminals wrap when it is written.
  const auto room = static_cast<std::size_t>(std::max(0, width - 1 - (bar > 0 ? bar + 1 : 0)));
  const std::string total = std::to_string(line.total);
  std::string figures = fmt::format("{:>{}}/{}  {}", line.done, total.size(), total, line.text);
  // The remaining time is worth more than the rate. Both have their place, whatever they say now:
  // nothing comes and goes from frame to frame.
  constexpr std::size_t left_columns = 15, rate_columns = 14;
  for (const auto& [figure, columns] :
       {std::pair(line.left, left_columns), std::pair(line.rate, rate_columns)}) {
    if (figures.size() + 2 + std::max(figure.size(), columns) > room) break;
    figures += fmt::format("  {:<{}}", figure, columns);
  }
  figures.resize(std::min(figures.size(), room));
  if (bar == 0) return figures;
  const double share =
      line.total > 0 ? static_cast<double>(line.done) / static_cast<double>(line.total) : 1;
  const int full = std::clamp(static_cast<int>(share * bar), 0, bar);
  std::string result = colour ? "\033[32m" : "";
  for (int i = 0; i < bar; ++i) result += i < full ? "█" : "░";
  return result + (colour ? "\033[0m " : " ") + figures;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, 1e12)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

void write_log(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

Console::Console(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string_view(term) == "dumb") terminal_ = false;
  colour_ = terminal_ && (no_color == nullptr || *no_color == '\0');
}

Console::~Console() { clear_line(); }

void Console::note(const std::string& text) {
  if (quiet_) return;
  clear_line();
  write_log(fmt::format("{}\n", printable(text)));
}

void Console::warn(const std::string& text) {
  clear_line();
  write_log(fmt::format("{}warning:{} {}\n", colour_ ? "\033[33m" : "", colour_ ? "\033[0m" : "",
                        printable(text)));
}

void Console::warn_once(const std::string& text) {
  if (text == last_warning_) return;
  last_warning_ = text;
  warn(text);
}

void Console::start_progress(std::int64_t total, std::int64_t done, double items_per_round,
                             std::string unit) {
  total_ = total;
  first_ = done_ = done;
  printed_ = -1;
  items_per_round_ = items_per_round;
  unit_ = std::move(unit);
  text_.clear();
  started_ = Clock::now();
  drawn_ = {};
  running_ = true;
}

bool Console::progress_due() const {
  if (quiet_ || !running_) return false;
  if (terminal_) return Clock::now() - drawn_ >= redraw_interval;
  return Clock::now() - drawn_ >= plain_interval;
}

void Console::progress(std::int64_t done, const std::string& text) {
  done_ = done;
  text_ = text;
  if (progress_due()) draw(false);
}

void Console::end_progress() {
  if (!running_) return;
  if (!quiet_ && !terminal_ && printed_ != done_ && done_ != first_) draw(true);
  clear_line();
  running_ = false;
}

void Console::clear_line() {
  if (!line_shown_) return;
  write_log("\r\033[K");
  line_shown_ = false;
}

void Console::draw(bool last) {
  drawn_ = Clock::now();
  printed_ = done_;
  const double seconds = std::chrono::duration<double>(drawn_ - started_).count();
  const double rounds = static_cast<double>(done_ - first_);
  const double rate = seconds > 0 ? rounds / seconds : 0;
  ProgressLine line{done_, total_, text_, "", ""};
  if (rounds > 0) {
    line.rate = fmt::format("{} {}/s", rate_text(rate * items_per_round_), unit_);
    line.left =
        last ? fmt::format("{} in all", duration_text(seconds))
             : fmt::format("{} left", duration_text(static_cast<double>(total_ - done_) / rate));
  }
  if (!terminal_) {
    std::string figures = line.text;
    for (const std::string& figure : {line.rate, line.left})
      if (!figure.empty()) figures += "  " + figure;
    write_log(fmt::format("step {}/{}  {}\n", done_, total_, printable(figures)));
    return;
  }
  write_log(fmt::format("\r{}\033[K", progress_line(line, terminal_width(), colour_)));
  line_shown_ = true;
}

}  // namespace genera::zoo
