/// The flags that all programs of the zoo share.
#pragma once

#include <cstdint>
#include <string>

namespace genera::zoo {

class Verb;

/// Where and how a program computes; every verb has these.
struct ComputeFlags {
  std::string device = "auto";
  std::int64_t threads = 0;  ///< 0: all processors
  bool quiet = false;
  bool json = false;
};

/// What a training run is made with.
struct TrainFlags {
  ComputeFlags compute;
  std::string data = "fashion-mnist";
  std::string out;
  std::string config;
  std::string resume;
  std::string time;
  std::int64_t epochs = 0;
  std::int64_t steps = 0;
  std::int64_t batch = 128;
  std::uint64_t seed = 0;
  std::int64_t validations = 20;
  std::int64_t save_every = 0;
  std::int64_t stop_after = 0;  ///< 0: at the end
  bool smoke = false;
  bool plan = false;
};

void add_compute_flags(Verb& verb, ComputeFlags& flags);
/// What the help of a family's flags calls its data.
struct DataWords {
  std::string data =
      "Images: a name (fashion-mnist, sprites, a folder in $GENERA_DATA), or the path of a folder "
      "of "
      "IDX or PNG files";
  std::string items = "images";  ///< what a batch and an epoch are made of
};
void add_train_flags(Verb& verb, TrainFlags& flags, const DataWords& words = {});

/// The same with the data set `data`, which then is no longer the generated one of --smoke; as they
/// are where it is empty.
TrainFlags on_data(TrainFlags flags, const std::string& data);

/// UsageError when `device` is none of cpu, vulkan, vulkan:N, vulkan:NAME, auto.
void check_device_name(const std::string& device);

/// The name of the device that computes: "cpu", or what a Vulkan driver calls it.
std::string device_in_use();

/// Bytes of a Vulkan device's memory that are taken; 0 on the CPU.
std::int64_t device_memory();

/// Sets the number of threads, the limit of memory and the device, which a line on stderr names where
/// it was chosen by "auto". DeviceError when there is none of that kind, UsageError when the text
/// names no kind. The engine's warnings go to stderr from now on.
void apply(const ComputeFlags& flags);

}  // namespace genera::zoo
