/// The folder that a run writes into.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace genera::zoo {

/// A run's folder: config.toml, manifest.json, metrics.jsonl, TensorBoard's events, loss.svg,
/// samples/, checkpoints/, summary.json, report.html.
class RunFolder {
 public:
  /// Makes a new folder: `out`, which must not be there yet, or for an empty `out`
  /// runs/<program>-<model>-<n> with the first n that is free. UsageError when it is there,
  /// DiskError when it cannot be made.
  static RunFolder create(const std::string& out, const std::string& program,
                          const std::string& model);
  /// The folder of an earlier run, given by itself or by one of its checkpoints. DataError when
  /// `run` is neither.
  static RunFolder open(const std::string& run);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path manifest() const { return path_ / "manifest.json"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  /// TensorBoard takes each file for its own whose name holds "tfevents".
  std::filesystem::path events() const { return path_ / "events.out.tfevents.genera"; }
  std::filesystem::path loss_plot() const { return path_ / "loss.svg"; }
  std::filesystem::path summary() const { return path_ / "summary.json"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  /// `extension` without the point: "png".
  std::filesystem::path sample(std::int64_t step, const std::string& extension) const;
  std::filesystem::path last_checkpoint() const { return path_ / "checkpoints/last.safetensors"; }
  std::filesystem::path best_checkpoint() const { return path_ / "checkpoints/best.safetensors"; }
  /// The checkpoint that open() was given, or the best one, or where there is none the last one.
  std::filesystem::path checkpoint_to_read() const;
  /// The checkpoint that open() was given, or the last one.
  std::filesystem::path checkpoint_to_resume() const;
  /// Whether there is any checkpoint: a run that was killed at its beginning has none.
  bool has_checkpoint() const;
  /// Makes this process, as long as it or a copy of this object lives, the only one that trains
  /// here, and deletes the half-written files of one that was killed. Error when another process
  /// trains here.
  void claim();
  /// DataError when the manifest says that another program than `program` made the run.
  void check_program(const std::string& program) const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  std::filesystem::path given_checkpoint_;
  std::shared_ptr<const int> lock_;  // a descriptor of the folder
};

/// Writes a text file atomically. DiskError.
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace genera::zoo
