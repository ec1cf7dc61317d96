#include "engine/graph/node.h"

#include "engine/core/scope.h"

#include <cstring>
#include <new>
#include <utility>

namespace genera {
namespace {

std::atomic<std::int64_t> node_count{0};

/// Free node-sized blocks of this thread; blocks freed by another thread than the one that made them just change lists.
class NodeSlab {
 public:
  ~NodeSlab() {
    for (void* block : free_) ::operator delete(block);
  }
  void* take(std::size_t bytes) {
    if (free_.empty()) return ::operator new(bytes);
    void* block = free_.back();
    free_.pop_back();
    return block;
  }
  void give(void* block) {
    constexpr std::size_t most_kept = 65536;
    if (free_.size() < most_kept)
      free_.push_back(block);
    else
      ::operator delete(block);
  }

 private:
  std::vector<void*> free_;
};

/// Null once this thread's slab is gone: nodes of static tensors may die after it.
thread_local bool slab_gone = false;
struct SlabOwner {
  NodeSlab slab;
  ~SlabOwner() { slab_gone = true; }
};
NodeSlab* slab() {
  if (slab_gone) return nullptr;
  thread_local SlabOwner owner;
  return &owner.slab;
}

}  // namespace

bool Node::evaluated() const {
  if (!first_.value) return false;
  for (const OutputSlot& output : more_)
    if (!output.value) return false;
  return true;
}

Node* Node::create(Op op, std::span<const Value> inputs, DType dtype, const Shape& shape,
                   std::span<const std::byte> attrs) {
  NodeSlab* free_list = slab();
  void* block = free_list ? free_list->take(sizeof(Node)) : ::operator new(sizeof(Node));
  Node* node = new (block) Node;
  node_count.fetch_add(1, std::memory_order_relaxed);
  node->op_ = op;
  node->scope_ = current_scope();
  node->first_.dtype = dtype;
  node->first_.shape = shape;
  node->attr_bytes_ = static_cast<std::uint32_t>(attrs.size());
  if (attrs.size() <= sizeof node->inline_attrs_) {
    if (!attrs.empty()) std::memcpy(node->inline_attrs_, attrs.data(), attrs.size());
  } else {
    node->attrs_ = new std::byte[attrs.size()];
    std::memcpy(node->attrs_, attrs.data(), attrs.size());
  }
  node->input_count_ = static_cast<std::uint32_t>(inputs.size());
  node->inputs_ = inputs.size() <= inline_inputs ? node->inline_inputs_ : new Value[inputs.size()];
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    node->inputs_[i] = inputs[i];
    inputs[i].node->counts_.fetch_add(one_edge, std::memory_order_relaxed);
  }
  return node;
}

void Node::destroy(Node* first) {
  // Iterative: a chain of 100,000 nodes must not overflow the stack.
  while (first) {
    Node* node = std::exchange(first, first->next_dead_);
    for (const Value& input : node->inputs())
      if (input.node->counts_.fetch_sub(one_edge, std::memory_order_acq_rel) == one_edge)
        input.node->next_dead_ = std::exchange(first, input.node);
    if (node->inputs_ != node->inline_inputs_) delete[] node->inputs_;
    if (node->attr_bytes_ > sizeof node->inline_attrs_) delete[] node->attrs_;
    node->~Node();
    node_count.fetch_sub(1, std::memory_order_relaxed);
    if (NodeSlab* free_list = slab())
      free_list->give(node);
    else
      ::operator delete(static_cast<void*>(node));
  }
}

std::mutex& graph_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::uint64_t next_mark() {
  static std::uint64_t mark = 0;
  return ++mark;
}

std::int64_t live_nodes() { return node_count.load(std::memory_order_relaxed); }

}  // namespace genera
