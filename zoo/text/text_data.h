/// Texts to learn from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace genera::zoo::text {

/// A text in three parts that follow each other: the last tenth is the test part, the last tenth (or
/// another share, perhaps 0) of what is before it the validation part. No UTF-8 character is cut.
class TextData {
 public:
  TextData(std::string name, std::string text, double validation_share = 0.1);

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  std::string_view train() const { return text().substr(0, validation_); }
  std::string_view validation() const { return text().substr(validation_, test_ - validation_); }
  std::string_view test() const { return text().substr(test_); }
  /// The training and the validation part.
  std::string_view before_test() const { return text().substr(0, test_); }
  /// XXH3-128 of the text in hexadecimal.
  std::string digest() const;

 private:
  std::string name_, text_;
  std::size_t validation_, test_;  // where they begin, in bytes
};

/// Opens a text. A path is a file. A name is looked up as $GENERA_DATA/NAME[.txt] and
/// $GENERA_DATA/text/NAME[.txt], then "bible-kjv" is what Debian's program `bible` prints, one verse
/// a line, "pseudo" is generated_text(), and any other name a file's in the working directory.
/// DataError when there is none, or less than 100 bytes.
TextData open_text(const std::string& name_or_path, double validation_share = 0.1);
/// All bytes of a file. DataError when it cannot be read.
std::string read_text(const std::filesystem::path& path);
/// What means the same to open_text() in any working directory.
std::string absolute_text(const std::string& name_or_path);

/// `bytes` of sentences by a small grammar, the same for the same seed: something to learn where
/// there is no file.
std::string generated_text(std::size_t bytes, std::uint64_t seed);

}  // namespace genera::zoo::text
