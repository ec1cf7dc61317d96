/// Node: one operation of a graph. Immutable but for its value, which evaluation fills in.
#pragma once

#include <genera/dtype.h>
#include <genera/shape.h>
#include <genera/tensor.h>

#include "engine/core/storage.h"
#include "engine/graph/primitive.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace genera {

/// One output of a node, not owning.
struct Value {
  Node* node = nullptr;
  int output = 0;
  Value() = default;
  Value(Node* of, int number) : node(of), output(number) {}
  Value(const Tensor& tensor) : node(tensor.node()), output(tensor.output()) {}
  friend bool operator==(const Value&, const Value&) = default;
};

/// A number from the host: floating for f32/f64/f16/bf16 tensors, integer for the others (bool: 0 or 1).
struct HostScalar {
  double floating = 0;
  std::int64_t integer = 0;
};

/// What a Call node is. Its inputs are the call's arguments, then what it means: the outputs of the body built on them.
struct CallInfo {
  std::string name;
  std::size_t arguments;
  /// True: the body's intermediates are recomputed in the backward pass instead of kept (activation checkpointing).
  bool recompute = false;
};

class Node {
 public:
  Op op() const { return op_; }
  std::span<const Value> inputs() const { return {inputs_, input_count_}; }
  int output_count() const { return 1 + static_cast<int>(more_.size()); }
  DType dtype(int output = 0) const { return slot(output).dtype; }
  const Shape& shape(int output = 0) const { return slot(output).shape; }
  std::uint32_t scope() const { return scope_; }

  /// The primitive's struct of attributes.h.
  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attr_data());
  }
  const void* attr_data() const {
    return attr_bytes_ <= sizeof inline_attrs_ ? inline_attrs_ : attrs_;
  }
  std::span<const std::byte> attr_bytes() const {
    return {static_cast<const std::byte*>(attr_data()), attr_bytes_};
  }
  const CallInfo& call() const { return *call_; }

  /// Call: its body's outputs.
  std::span<const Value> body() const { return inputs().subspan(call_->arguments); }

  /// The evaluated value, or null. Guarded by graph_mutex().
  Storage* value(int output = 0) const { return slot(output).value.get(); }
  const StorageRef& value_ref(int output = 0) const { return slot(output).value; }
  void set_value(int output, StorageRef value) { slot(output).value = std::move(value); }
  /// Every output has its value.
  bool evaluated() const;

  /// True once a step has taken this leaf's storage over.
  bool consumed = false;
  /// True once some plan computed this node, stored or not; for counting what is computed again.
  bool computed_once = false;

  /// Acquires, as Storage::references() does.
  std::uint32_t handles() const {
    return static_cast<std::uint32_t>(counts_.load(std::memory_order_acquire) >> 32);
  }

  // A graph walk's scratch: valid while `mark` is the walk's own number. Guarded by graph_mutex().
  std::uint64_t mark = 0;
  std::uint32_t index = 0;

  // Counting: handles (Tensor) and edges (inputs of nodes). The node dies when both are 0.
  void add_handle() { counts_.fetch_add(one_handle, std::memory_order_relaxed); }
  void drop_handle() {
    if (counts_.fetch_sub(one_handle, std::memory_order_acq_rel) == one_handle) destroy(this);
  }

  /// A new node, for the caller to put the first handle on. Attributes are copied.
  static Node* create(Op op, std::span<const Value> inputs, DType dtype, const Shape& shape,
                      std::span<const std::byte> attrs);

  struct OutputSlot {
    DType dtype{};
    Shape shape;
    StorageRef value;
  };
  void add_output(DType dtype, const Shape& shape) { more_.push_back({dtype, shape, {}}); }
  void set_call(std::unique_ptr<CallInfo> call) { call_ = std::move(call); }

 private:
  Node() = default;
  ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  static void destroy(Node* node);

  const OutputSlot& slot(int output) const {
    return output == 0 ? first_ : more_[static_cast<std::size_t>(output - 1)];
  }
  OutputSlot& slot(int output) {
    return output == 0 ? first_ : more_[static_cast<std::size_t>(output - 1)];
  }

  static constexpr std::uint64_t one_handle = std::uint64_t{1} << 32;
  static constexpr std::uint64_t one_edge = 1;
  static constexpr std::size_t inline_inputs = 3;

  std::atomic<std::uint64_t> counts_{0};
  Op op_{};
  std::uint32_t scope_ = 0;
  std::uint32_t attr_bytes_ = 0;
  std::uint32_t input_count_ = 0;
  Value* inputs_ = nullptr;
  Value inline_inputs_[inline_inputs];
  union {
    alignas(8) std::byte inline_attrs_[32];
    std::byte* attrs_;
  };
  OutputSlot first_;
  std::vector<OutputSlot> more_;
  std::unique_ptr<CallInfo> call_;
  Node* next_dead_ = nullptr;  // of those that destroy() has still to take apart
};

/// Walks over graphs number nodes in place, so only one walk (planning, differentiating, running) goes on at a time.
std::mutex& graph_mutex();
/// A fresh number for a walk; call with graph_mutex() held.
std::uint64_t next_mark();
/// Nodes that exist now, of all threads.
std::int64_t live_nodes();

/// Nodes in an order in which inputs come before users, reached from `roots`. `descend(node)` says whether to go on to
/// a node's inputs; `inputs_of(node)` gives them. Each node's `index` is its position and its `mark` is `mark`. Iterative.
template <class InputsOf>
std::vector<Node*> topological_order(std::span<const Value> roots, std::uint64_t mark,
                                     const InputsOf& inputs_of) {
  struct Frame {
    Node* node;
    std::uint32_t next;
  };
  std::vector<Node*> order;
  std::vector<Frame> stack;
  for (const Value& root : roots) {
    if (root.node->mark == mark) continue;
    root.node->mark = mark;
    stack.push_back({root.node, 0});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const std::span<const Value> inputs = inputs_of(frame.node);
      if (frame.next < inputs.size()) {
        Node* input = inputs[frame.next++].node;
        if (input->mark != mark) {
          input->mark = mark;
          stack.push_back({input, 0});
        }
      } else {
        frame.node->index = static_cast<std::uint32_t>(order.size());
        order.push_back(frame.node);
        stack.pop_back();
      }
    }
  }
  return order;
}

}  // namespace genera
