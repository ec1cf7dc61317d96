#include "engine/plan/canonical.h"

#include <genera/error.h>

#include "engine/core/scope.h"
#include "engine/graph/attributes.h"

#include <fmt/format.h>

#include <cstring>

namespace genera {
namespace {

/// Appends plain values to a string without per-byte bookkeeping.
class KeyWriter {
 public:
  explicit KeyWriter(std::string& key) : key_(key) {}
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    put_bytes(&value, sizeof value);
  }
  void put_bytes(const void* bytes, std::size_t count) {
    key_.append(static_cast<const char*>(bytes), count);
  }

 private:
  std::string& key_;
};

void write_type(KeyWriter& key, DType dtype, const Shape& shape) {
  key.put(dtype);
  key.put(static_cast<std::uint8_t>(shape.rank()));
  key.put_bytes(shape.begin(), static_cast<std::size_t>(shape.rank()) * sizeof(std::int64_t));
}

enum NodeFlag : std::uint8_t { flag_leaf = 1, flag_requested = 2 };

void write_node(KeyWriter& key, const Node* node, std::span<const Value> inputs) {
  const bool leaf = node->evaluated();
  key.put(leaf ? Op::Leaf : node->op());
  key.put(static_cast<std::uint8_t>((leaf ? flag_leaf : 0) |
                                    (is_requested(node) ? flag_requested : 0)));
  key.put(static_cast<std::uint8_t>(node->output_count()));
  for (int output = 0; output < node->output_count(); ++output)
    write_type(key, node->dtype(output), node->shape(output));
  if (leaf) return;
  if (node->op() != Op::Scalar) {  // a host number is bound at run time: no part of the plan
    const auto attrs = node->attr_bytes();
    key.put_bytes(attrs.data(), attrs.size());
  }
  key.put(static_cast<std::uint32_t>(inputs.size()));
  for (const Value& input : inputs) {
    key.put(input.node->index);
    key.put(static_cast<std::uint8_t>(input.output));
  }
}

}  // namespace

bool is_requested(const Node* node) { return !node->evaluated() && node->handles() > 0; }

std::span<const Value> plan_inputs(const Node* node) {
  if (node->evaluated()) return {};
  return node->op() == Op::Call ? node->body() : node->inputs();
}

void canonicalize(std::span<const Value> roots, std::span<const Donation> donations,
                  std::uint8_t options, CanonicalGraph& out) {
  out.roots.assign(roots.begin(), roots.end());
  const std::uint64_t mark = next_mark();
  out.order = topological_order(roots, mark, plan_inputs);
  out.donations.clear();
  for (const Donation& donation : donations)
    if (donation.leaf->mark == mark) out.donations.push_back(donation);
  out.key.clear();
  KeyWriter key(out.key);
  key.put(options);
  for (const Node* node : out.order) {
    if (node->consumed)
      throw ConsumedError(fmt::format(
          "[eval] the value of a state {} that a step has overwritten is needed again{}: read it "
          "before the step, or "
          "hand what depends on it to the step as a metric",
          to_string(node->shape()),
          node->scope() ? fmt::format(" (made in scope '{}')", scope_name(node->scope())) : ""));
    write_node(key, node, plan_inputs(node));
  }
  key.put(static_cast<std::uint32_t>(roots.size()));
  for (const Value& root : roots) {
    key.put(root.node->index);
    key.put(static_cast<std::uint8_t>(root.output));
  }
  for (const Donation& donation : out.donations) {
    key.put(donation.leaf->index);
    key.put(donation.root);
  }
}

}  // namespace genera
