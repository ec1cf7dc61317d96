// genera-text: language models. The verbs are thin: what they do is in the files named like it.

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "zoo/common/json_text.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/text/evaluation.h"
#include "zoo/text/experiment.h"
#include "zoo/text/formats/model_file.h"
#include "zoo/text/generation.h"
#include "zoo/text/held_out.h"
#include "zoo/text/ngram_experiment.h"
#include "zoo/text/recurrent.h"
#include "zoo/text/text_data.h"
#include "zoo/text/trained.h"

namespace genera::zoo::text {
namespace {

using Json = nlohmann::ordered_json;

struct TextReadFlags : ReadFlags {
  std::string prompt, stop, text, tokenizer;
  std::int64_t tokens = 500;
  SamplingOptions sampling;
};

// "A||B" as A and B; \n is a newline.
std::vector<std::string> stop_texts(const std::string& flag) {
  std::string text;
  for (std::size_t i = 0; i < flag.size(); ++i) {
    const bool newline = flag[i] == '\\' && i + 1 < flag.size() && flag[i + 1] == 'n';
    text.push_back(newline ? '\n' : flag[i]);
    i += newline ? 1 : 0;
  }
  std::vector<std::string> stops;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find("||", begin), text.size());
    if (end > begin) stops.push_back(text.substr(begin, end - begin));
    begin = end + 2;
  }
  return stops;
}

void print_now(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// A model that was asked for by its path.
struct Opened {
  TrainedText trained;
  std::optional<TrainedRun> run;  // none: another program's model
  std::string format;             // of that
};

Opened open_path(Program& program, const Verb& verb, const TextSettings& settings,
                 const TextReadFlags& flags) {
  if (is_model_file(flags.run)) {
    const ModelFile file = open_model_file(flags.run, flags.tokenizer);
    return {trained_text(file), std::nullopt, file.format};
  }
  if (!flags.tokenizer.empty())
    throw UsageError("--tokenizer: a run has its own; it is for another program's model");
  std::error_code ignored;
  const std::filesystem::path path = flags.run;
  if (std::filesystem::is_directory(path, ignored) &&
      !std::filesystem::exists(path / "config.toml"))
    throw DataError(flags.run +
                    " is neither a run folder, which has a config.toml, nor a Hugging Face folder, "
                    "which has a config.json; of other models name the file");
  TrainedRun run = program.open(flags.run, verb);
  return {trained_text(run, settings), run, ""};
}

// The prompt's tokens after the begin token. A run learned one endless text, without such a token: its
// prompt begins a line, as the lines of `score` do. No training goes on from an empty memory in the
// middle of a line, and some recurrent models babble there.
std::vector<Token> prompt_tokens(const Opened& opened, const std::string& prompt) {
  const Tokenizer& tokenizer = *opened.trained.tokenizer;
  const std::vector<Token> rest = tokenizer.encode(prompt);
  if (rest.empty()) return text_beginning(tokenizer);
  std::vector<Token> tokens;
  if (tokenizer.begin() || (opened.run && prompt.front() != '\n'))
    tokens = text_beginning(tokenizer);
  tokens.insert(tokens.end(), rest.begin(), rest.end());
  return tokens;
}

int sample(const Opened& opened, const TextSettings&, const TextReadFlags& flags) {
  const TrainedText& trained = opened.trained;
  const GenerationOptions options{flags.sampling, flags.tokens, stop_texts(flags.stop), flags.seed,
                                  flags.count};
  const bool stream = flags.count == 1 && flags.out.empty() && !flags.compute.json;
  const std::vector<Token> prompt = prompt_tokens(opened, flags.prompt);
  if (stream) print_now(flags.prompt);
  const auto texts = generate(*trained.model, *trained.tokenizer, prompt, options,
                              [&](std::int64_t, std::string_view characters) {
                                if (stream) print_now(characters);
                              });
  if (stream) return print_now("\n"), exit_done;
  if (!flags.out.empty()) {
    std::string all;
    for (const Generated& text : texts) all += flags.prompt + text.text + "\n";
    write_text(flags.out, all);
    return finish_file(flags, flags.out);
  }
  Json all = Json::array();
  for (const Generated& text : texts) {
    if (flags.compute.json)
      all.push_back({{"text", text.text}, {"tokens", text.tokens}});
    else
      fmt::print("{}{}\n{}", flags.prompt, text.text, &text == &texts.back() ? "" : "---\n");
  }
  if (flags.compute.json)
    fmt::print("{}\n", json_text({{"prompt", flags.prompt}, {"texts", all}}, 2));
  return exit_done;
}

int eval(const Opened& opened, const TextSettings& settings, const TextReadFlags& flags) {
  if (!opened.run && (flags.data.empty() || !flags.record.empty()))
    throw UsageError(
        "another program's model has no text of its own and makes no record: name a text with "
        "--data, and leave out --record");
  Console console(flags.compute.quiet);
  const TrainedText& trained = opened.trained;
  const TextData text = flags.data.empty() ? open_data(settings) : open_text(flags.data);
  std::vector<Figure> figures = test_figures(*trained.model, *trained.tokenizer, text, console);
  if (opened.run) return finish_eval(*opened.run, flags, std::move(figures), trained.parameters);
  Summary summary;
  summary.figures = std::move(figures);
  summary.parameters = trained.parameters;
  fmt::print("{}", flags.compute.json ? to_json(summary) : to_text(summary));
  return exit_done;
}

// The log-likelihood of each line of a file, one by one: the model sees a newline before it.
int score(const Opened& opened, const TextSettings&, const TextReadFlags& flags) {
  const TrainedText& trained = opened.trained;
  for (const LineScore& line :
       line_scores(*trained.model, *trained.tokenizer, read_text(flags.text))) {
    if (flags.compute.json)
      fmt::print("{}\n", json_text({{"log_likelihood", line.log_likelihood},
                                    {"bits_per_char", line.bits_per_char},
                                    {"text", line.text}}));
    else
      fmt::print("{:9.3f} nats {:7.3f} bits/char  {}\n", line.log_likelihood, line.bits_per_char,
                 line.text);
  }
  return exit_done;
}

int info(const Opened& opened, const TextSettings& settings, const TextReadFlags& flags) {
  const TrainedText& trained = opened.trained;
  std::vector<std::pair<std::string, std::string>> facts = {
      {"tokenizer", trained.tokenizer->kind()},
      {"vocabulary", std::to_string(trained.tokenizer->vocabulary_size())}};
  if (const auto* transformer = dynamic_cast<const Transformer*>(trained.model.get())) {
    const TransformerShape& shape = transformer->shape();
    facts.insert(facts.end(), {{"context", std::to_string(shape.context)},
                               {"layers", std::to_string(shape.layers)},
                               {"width", std::to_string(shape.width)},
                               {"heads", std::to_string(shape.heads)},
                               {"kv-heads", std::to_string(shape.kv_heads)},
                               {"window", std::to_string(shape.window)}});
  } else if (const auto* recurrent = dynamic_cast<const Recurrent*>(trained.model.get())) {
    facts.emplace_back("layers", std::to_string(recurrent->shape().layers));
    facts.emplace_back("width", std::to_string(recurrent->shape().units));
  } else {
    facts.emplace_back("order", std::to_string(settings.order));
  }
  if (opened.run) return finish_info(*opened.run, flags, facts, trained.parameters);
  Json shown = {{"format", opened.format}};
  for (const auto& [name, value] : facts)
    shown[name] = name == "tokenizer" ? Json(value) : Json::parse(value);
  shown["parameters"] = trained.parameters;
  if (flags.compute.json) return fmt::print("{}\n", json_text(shown, 2)), exit_done;
  for (const auto& [name, value] : shown.items())
    fmt::print("{:<16} {}\n", name,
               value.is_string() ? value.get<std::string>() : json_text(value));
  return exit_done;
}

std::unique_ptr<Trainable> make_trainable(TextSettings& settings) {
  settings.train.data = absolute_text(settings.train.data);
  if (settings.model == "ngram") return std::make_unique<NgramExperiment>(settings);
  return std::make_unique<TextExperiment>(settings);
}

void add_generation_flags(Verb& verb, TextReadFlags& flags) {
  SamplingOptions& sampling = flags.sampling;
  flags.count = 1;
  add_out_flag(verb, flags, "File to write the texts to, one after the other; default: stdout");
  add_seed_flag(verb, flags)
      .option("prompt", flags.prompt, "Text to continue")
      .option("tokens", flags.tokens, "Most tokens of a text", Range{1, 1e9})
      .option("count", flags.count, "Texts; one is shown while it is written", Range{1, 1e4})
      .option("temperature", sampling.temperature,
              "Divides the logits; 0: always the most probable token", Range{0, 1e3})
      .option("top-k", sampling.top_k, "Only the K most probable tokens; 0: all", Range{0, 1e9})
      .option("top-p", sampling.top_p, "Only the most probable tokens that have P together",
              Range{1e-9, 1})
      .option("min-p", sampling.min_p, "Only tokens with this share of the largest probability",
              Range{0, 1})
      .option("repetition-penalty", sampling.repetition_penalty,
              "Above 1: makes tokens that were there less probable", Range{1e-3, 1e3})
      .option("repetition-window", sampling.penalty_window,
              "Tokens before that the penalty looks at; 0: all", Range{0, 1e9})
      .option("stop", flags.stop,
              "A text ends before this one; several: A||B; \\n stands for a newline");
}

int run(int argc, char** argv) {
  Program program("genera-text", "Language models: trains them, continues texts, measures them");
  TextSettings settings;
  add_flags(program.add_train(settings.train, [&] { return make_trainable(settings); }), settings);
  TextReadFlags sampled, measured, scored, shown;
  using Body = int (*)(const Opened&, const TextSettings&, const TextReadFlags&);
  const auto reader = [&](const char* name, const char* help, TextReadFlags& flags,
                          Body body) -> Verb& {
    const auto self = std::make_shared<const Verb*>(nullptr);  // known once it is added
    Verb& verb = program.add_verb(name, help, flags.compute, [&, self, body] {
      return body(open_path(program, **self, settings, flags), settings, flags);
    });
    *self = &verb;
    return verb
        .argument("PATH", flags.run,
                  "a run folder, one of its checkpoints, or another program's model: .gguf, a "
                  "Hugging Face folder or its .safetensors, llama2.c's .bin")
        .option("tokenizer", flags.tokenizer,
                "Tokenizer file of another program's model, where none lies in or beside it",
                Kept::nowhere)
        .not_in_environment("tokenizer");  // that names the kind which `train` makes
  };
  add_generation_flags(reader("sample", "Continues a text", sampled, sample), sampled);
  Verb& measure =
      reader("eval", "Measures how well the model predicts the test text", measured, eval);
  add_data_flag(add_record_flag(measure, measured), measured);
  reader("score",
         "Prints the log-likelihood of each line of a file, in nats (higher: more normal), and its "
         "bits "
         "per character",
         scored, score)
      .argument("FILE", scored.text, "a text");
  reader("info", "Says what a run or a model file holds", shown, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo::text

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-text",
                                  [&] { return genera::zoo::text::run(argc, argv); });
}
