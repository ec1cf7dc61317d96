/// What the verbs that read a run share: flags, and how they show and keep their results.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "zoo/common/image_grid.h"
#include "zoo/common/program.h"
#include "zoo/common/summary.h"

namespace genera::zoo {

/// Flags of the verbs that read a run. A verb has those that it adds.
struct ReadFlags {
  std::string run;
  ComputeFlags compute;
  std::string data;
  std::string out;
  std::string record;
  std::int64_t count = 64;
  std::int64_t columns = 0;
  std::uint64_t seed = 0;
};

/// Adds a verb that reads a run: calls `body` with the run, its settings and the verb's flags.
/// `flags` and `settings`, those that `train` has, must outlive the program.
template <class Settings, class Flags>
Verb& add_reader(Program& program, const std::string& name, const std::string& help, Flags& flags,
                 const Settings& settings,
                 int (*body)(const TrainedRun&, const Settings&, const Flags&)) {
  return program.add_reader(
      name, help, flags.run, flags.compute,
      [&flags, &settings, body](const TrainedRun& run) { return body(run, settings, flags); });
}

/// --out: `help` says what is written, and where without it.
Verb& add_out_flag(Verb& verb, ReadFlags& flags, const std::string& help);
/// --seed of the noise, of the choice of images, of what a text goes on with.
Verb& add_seed_flag(Verb& verb, ReadFlags& flags);
/// --data: another data set than the run's.
Verb& add_data_flag(Verb& verb, ReadFlags& flags);
/// --out of a verb that ends with finish_scores().
Verb& add_scores_flag(Verb& verb, ReadFlags& flags);
/// --record: where finish_eval() writes a record for zoo/results.
Verb& add_record_flag(Verb& verb, ReadFlags& flags);
/// --out, --seed, --count and --columns of a verb that shows samples with finish_samples().
/// `folder_of` says what a name without a kind gets.
Verb& add_sample_flags(Verb& verb, ReadFlags& flags, const std::string& what = "Images",
                       const std::string& folder_of = "PNGs");

/// What --out names, or without it `file` in the run folder.
std::filesystem::path output_path(const TrainedRun& run, const ReadFlags& flags,
                                  const std::string& file);

/// Says on stdout which file was written: the one result of a verb that writes a file. With --json
/// as {"file": PATH}.
int finish_file(const ReadFlags& flags, const std::filesystem::path& path);

/// Writes images (N,C,H,W) f32 as one picture with the run's recipe in it: to --out, or to `file` in
/// the run folder. --out NAME.npy gets the array as it is. UsageError for the name of another kind of
/// file.
int finish_picture(const TrainedRun& run, const ReadFlags& flags, const std::string& file,
                   const io::HostArray& images, const GridOptions& options = {});

/// Writes samples as --out asks: NAME.png (or none: samples.png in the run folder) one picture;
/// NAME.npy the array (N,C,H,W) f32 and, where there are labels, NAME-labels.npy; any other name a new
/// folder of PNGs, with labels in a subfolder per class: that --data can train on.
int finish_samples(const TrainedRun& run, const ReadFlags& flags, const io::HostArray& images,
                   const std::vector<std::int32_t>& labels = {});

/// Writes one number per example, a log-likelihood in nats or a lower bound on it (`name` says which):
/// what is like the training data has more. To --out, NAME.npy as f64 (N) and any other name as CSV with the
/// columns "index" and `name`; or to scores.csv in the run folder. DiskError.
int finish_scores(const TrainedRun& run, const ReadFlags& flags, const std::string& name,
                  const std::vector<double>& scores);

/// Prints the figures with what summary.json knows of the run (as JSON: the same object), and writes
/// --record.
int finish_eval(const TrainedRun& run, const ReadFlags& flags, std::vector<Figure> figures,
                std::int64_t parameters);

/// Prints what a run is: program, model, data, the family's `facts`, parameters, the checkpoint's step
/// and loss, and all settings. A fact whose text is a number, or numbers with commas between, is such
/// in JSON too.
int finish_info(const TrainedRun& run, const ReadFlags& flags,
                const std::vector<std::pair<std::string, std::string>>& facts,
                std::int64_t parameters);

}  // namespace genera::zoo
