/// Models to read from: runs of this program, and other programs' files.
#pragma once

#include <memory>
#include <string>

#include "zoo/common/program.h"
#include "zoo/text/formats/model_file.h"
#include "zoo/text/language_model.h"
#include "zoo/text/settings.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

struct TrainedText {
  std::shared_ptr<const LanguageModel> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::int64_t parameters = 0;
};

/// The model of a run, made with its `settings`. DataError for a checkpoint that does not fit.
TrainedText trained_text(const TrainedRun& run, const TextSettings& settings);

/// The same of another program's model.
TrainedText trained_text(const ModelFile& file);

}  // namespace genera::zoo::text
