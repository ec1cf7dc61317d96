/// The errors that Genera throws. Every message names the operation, prints what it got and says what to do.
#pragma once

#include <genera/export.h>

#include <stdexcept>
#include <string>

namespace genera {

/// Base of every error that Genera throws.
class GENERA_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An operation was called with shapes, dtypes, axes, indices or options that it cannot work with.
class GENERA_API ArgumentError : public Error {
 public:
  using Error::Error;
};

/// The value of a graph was asked for after a step consumed (donated) the state that it was computed from.
class GENERA_API ConsumedError : public Error {
 public:
  using Error::Error;
};

/// A file from outside is missing, truncated, corrupt or does not say what it should.
class GENERA_API DataError : public Error {
 public:
  using Error::Error;
};

/// A computation produced NaN or infinity where the caller asked to be told.
class GENERA_API NumericError : public Error {
 public:
  using Error::Error;
};

/// A compute device is missing, lacks a feature or was lost.
class GENERA_API DeviceError : public Error {
 public:
  using Error::Error;
};

/// More memory was needed than there is, or than the configured cap allows.
class GENERA_API MemoryError : public Error {
 public:
  using Error::Error;
};

/// A file or folder could not be written: no space, no permission, already there.
class GENERA_API DiskError : public Error {
 public:
  using Error::Error;
};

/// A progress callback asked a long call to stop.
class GENERA_API Cancelled : public Error {
 public:
  using Error::Error;
};

}  // namespace genera
