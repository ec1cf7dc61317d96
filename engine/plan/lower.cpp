#include "engine/plan/lower.h"

#include <genera/error.h>

#include "engine/core/joined.h"
#include "engine/graph/attributes.h"
#include "engine/plan/lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

namespace genera {
namespace {

KernelOp instruction_of(Op op) {
  const std::optional<KernelOp> known = kernel_op(op);
  if (!known) throw Error(fmt::format("[plan] {} cannot be part of a kernel", name(op)));
  return *known;
}

/// Numbers of buffers and scalars, handed out at first use.
class BufferTable {
 public:
  BufferTable(const PlanGraph& graph, const Fusion& fusion, Plan& plan)
      : graph_(graph), fusion_(fusion), plan_(plan) {}

  int of(PlanValue value) {
    while (fusion_.alias[static_cast<std::size_t>(value.node)] >= 0)
      value = graph_[value.node].inputs[0];
    const auto [found, inserted] =
        buffers_.try_emplace({value.node, value.output}, static_cast<int>(plan_.buffers.size()));
    if (inserted) {
      const PlanNode& node = graph_[value.node];
      const Shape& shape = node.shape(value.output);
      const DType dtype = node.dtype(value.output);
      PlanBuffer buffer{dtype, shape, PlanBuffer::Place::arena, -1,
                        shape.elements() * static_cast<std::int64_t>(size_of(dtype))};
      if (node.op == Op::Leaf) {
        buffer.place = PlanBuffer::Place::leaf;
        buffer.where = static_cast<std::int64_t>(plan_.leaves.size());
        // A leaf with several outputs is bound one output at a time.
        plan_.leaves.push_back({node.source, value.output});
      }
      plan_.buffers.push_back(buffer);
    }
    return found->second;
  }

  int scalar(const PlanNode& node) {
    const auto [found, inserted] =
        scalars_.try_emplace(node.source, static_cast<int>(plan_.scalars.size()));
    if (inserted) plan_.scalars.push_back(node.source);
    return found->second;
  }

 private:
  const PlanGraph& graph_;
  const Fusion& fusion_;
  Plan& plan_;
  std::map<std::pair<int, int>, int> buffers_;
  std::map<int, int> scalars_;
};

/// Where a value is read from within a kernel: coordinates if they are known, the element number always.
struct Place {
  std::optional<IndexMap> map;
  AffineView flat;
};

/// Writes one cluster as a kernel.
class KernelWriter {
 public:
  KernelWriter(const PlanGraph& graph, const Fusion& fusion, BufferTable& table, int cluster)
      : graph_(graph),
        fusion_(fusion),
        table_(table),
        number_(cluster),
        cluster_(fusion.clusters[static_cast<std::size_t>(cluster)]) {}

  PlanStep write() {
    Kernel& kernel = step_.kernel.kernel;
    kernel.rank = cluster_.space.rank();
    for (int d = 0; d < kernel.rank; ++d) {
      kernel.extents[static_cast<std::size_t>(d)] = cluster_.space[d];
      kernel.reduced[static_cast<std::size_t>(d)] = cluster_.reduced >> d & 1;
    }
    for (const KernelRoot& root : cluster_.roots) write_root(root);
    if (kernel.code.size() > static_cast<std::size_t>(Kernel::max_instructions) ||
        kernel.buffers.size() > static_cast<std::size_t>(Kernel::max_buffers))
      throw Error(fmt::format("[plan] a kernel of {} instructions and {} buffers passes the limits",
                              kernel.code.size(), kernel.buffers.size()));
    finish();
    return std::move(step_);
  }

 private:
  void write_root(const KernelRoot& root) {
    const PlanNode& target = graph_[root.target];
    int value;
    if (root.value.node < 0) {
      value = literal(0, target.dtype());
    } else {
      value = emit(root.value, whole_space());
      if (root.plus_zero) {
        KernelInstr instr;
        instr.op = KernelOp::Add;
        instr.type = lane_of(target.dtype());
        instr.a = static_cast<std::int16_t>(value);
        instr.b = static_cast<std::int16_t>(literal(0, target.dtype()));
        value = push(instr);
      }
    }
    KernelStore store;
    store.value = static_cast<std::int16_t>(value);
    store.buffer = kernel_buffer({root.target, 0});
    store.view = flatten(root.store, target.shape());
    if (step_.kernel.kernel.code[static_cast<std::size_t>(value)].kept)
      for (int d = 0; d < cluster_.space.rank(); ++d)
        if (cluster_.reduced >> d & 1) store.view.stride[static_cast<std::size_t>(d)] = 0;
    step_.kernel.kernel.stores.push_back(store);
  }

  Place whole_space() const {
    const IndexMap map = identity_map(cluster_.space.rank());
    return {map, flatten(map, cluster_.space)};
  }

  int push(const KernelInstr& instr) {
    auto& code = step_.kernel.kernel.code;
    code.push_back(instr);
    return static_cast<int>(code.size()) - 1;
  }

  int literal(double value, DType dtype) {
    KernelInstr instr;
    instr.op = KernelOp::Const;
    instr.type = lane_of(dtype);
    instr.boolean = dtype == DType::boolean;
    instr.constant = value;
    auto& code = step_.kernel.kernel.code;
    for (std::size_t i = 0; i < code.size(); ++i)
      if (code[i].op == KernelOp::Const && code[i].type == instr.type &&
          code[i].boolean == instr.boolean &&
          std::memcmp(&code[i].constant, &value, sizeof value) == 0)
        return static_cast<int>(i);
    return push(instr);
  }

  /// The instruction that gives `value` where `place` says. Iterative is not needed: a cluster is at most 44 nodes deep, but
  /// views between them do not count, and simplify() has merged chains of those.
  int emit(PlanValue value, const Place& asked) {
    const PlanNode& node = graph_[value.node];
    // A reduction computed here is one value per kept index wherever it is used; its operand runs over the whole space.
    const bool reduced_here = (node.op == Op::ReduceSum || node.op == Op::ReduceMax) &&
                              fusion_.home[static_cast<std::size_t>(value.node)] == number_;
    const Place place = reduced_here ? whole_space() : asked;
    if (node.op == Op::Const) {
      const auto& attrs = node.attr<ConstAttrs>();
      return literal(
          is_floating(node.dtype()) ? attrs.floating : static_cast<double>(attrs.integer),
          node.dtype());
    }
    for (const Written& w : written_)
      if (w.value == value && w.flat.offset == place.flat.offset &&
          w.flat.stride == place.flat.stride)
        return w.instr;
    const int instr = emit_new(value, node, place);
    written_.push_back({value, place.flat, instr});
    return instr;
  }

  int emit_new(PlanValue value, const PlanNode& node, const Place& place) {
    const bool here = fusion_.home[static_cast<std::size_t>(value.node)] == number_ && place.map;
    if (fusion_.stored[static_cast<std::size_t>(value.node)] && !here)
      return load(value, place.flat);
    if (is_view(node.op, node.inputs.size())) return emit_view(node, place);
    switch (node.op) {
      case Op::Scalar:
        return emit_scalar(node);
      case Op::Iota:
        return emit_iota(node, *place.map);
      case Op::Random:
        return emit_random(node, place.flat);
      default:
        return emit_operation(node, place);
    }
  }

  int emit_view(const PlanNode& node, const Place& place) {
    const PlanValue input = node.inputs[0];
    const Shape& in_shape = graph_[input.node].shape(input.output);
    Place inner;
    inner.map = through_view(node.op, node.attrs.data(), in_shape, node.shape(), *place.map,
                             cluster_.space.extents());
    // a reshape keeps element numbers
    inner.flat = inner.map ? flatten(*inner.map, in_shape) : place.flat;
    return emit(input, inner);
  }

  int emit_scalar(const PlanNode& node) {
    KernelInstr instr;
    instr.op = KernelOp::Scalar;
    instr.type = lane_of(node.dtype());
    instr.boolean = node.dtype() == DType::boolean;
    instr.imm = kernel_scalar(node);
    return push(instr);
  }

  int emit_iota(const PlanNode& node, const IndexMap& map) {
    const AffineView& axis = map.axes[static_cast<std::size_t>(node.attr<IotaAttrs>().axis)];
    const LaneType type = lane_of(node.dtype());
    int total = -1;
    std::int64_t start = axis.offset;
    for (int d = 0; d < cluster_.space.rank(); ++d) {
      const std::int64_t step = axis.stride[static_cast<std::size_t>(d)];
      if (step == 0) continue;
      KernelInstr instr;
      instr.op = KernelOp::Iota;
      instr.type = type;
      instr.imm = d;
      instr.view.offset = start;
      instr.view.stride[static_cast<std::size_t>(d)] = step;
      start = 0;
      const int part = push(instr);
      if (total < 0) {
        total = part;
        continue;
      }
      KernelInstr sum;
      sum.op = KernelOp::Add;
      sum.type = type;
      sum.a = static_cast<std::int16_t>(total);
      sum.b = static_cast<std::int16_t>(part);
      total = push(sum);
    }
    return total >= 0 ? total : literal(static_cast<double>(axis.offset), node.dtype());
  }

  int emit_random(const PlanNode& node, const AffineView& flat) {
    KernelInstr instr;
    const bool uniform = node.attr<RandomAttrs>().kind == RandomAttrs::uniform;
    instr.op = uniform ? KernelOp::RandomUniform : KernelOp::RandomBits;
    instr.type = uniform ? LaneType::f32 : LaneType::u32;
    instr.imm = kernel_scalar(graph_[node.inputs[0].node]);
    instr.view = flat;
    return push(instr);
  }

  int emit_operation(const PlanNode& node, const Place& place) {
    KernelInstr instr;
    instr.op = instruction_of(node.op);
    instr.type = lane_of(node.dtype());
    instr.boolean = node.dtype() == DType::boolean;
    int operands[3] = {-1, -1, -1};
    bool all_kept = true;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      operands[k] = emit(node.inputs[k], place);
      all_kept = all_kept && step_.kernel.kernel.code[static_cast<std::size_t>(operands[k])].kept;
    }
    instr.a = static_cast<std::int16_t>(operands[0]);
    instr.b = static_cast<std::int16_t>(operands[1]);
    instr.c = static_cast<std::int16_t>(operands[2]);
    instr.kept = node.op == Op::ReduceSum || node.op == Op::ReduceMax || all_kept;
    names_.push_back(name(node.op));
    ++scopes_[node.scope];
    return push(instr);
  }

  int load(PlanValue value, const AffineView& view) {
    KernelInstr instr;
    instr.op = KernelOp::Load;
    const DType dtype = graph_[value.node].dtype(value.output);
    instr.type = lane_of(dtype);
    instr.boolean = dtype == DType::boolean;
    instr.imm = kernel_buffer(value);
    instr.view = view;
    return push(instr);
  }

  int kernel_buffer(PlanValue value) {
    const int buffer = table_.of(value);
    auto& buffers = step_.kernel.buffers;
    const auto found = std::find(buffers.begin(), buffers.end(), buffer);
    if (found != buffers.end()) return static_cast<int>(found - buffers.begin());
    buffers.push_back(buffer);
    step_.kernel.kernel.buffers.push_back(graph_[value.node].dtype(value.output));
    return static_cast<int>(buffers.size()) - 1;
  }
  int kernel_scalar(const PlanNode& node) {
    const int scalar = table_.scalar(node);
    auto& scalars = step_.kernel.scalars;
    const auto found = std::find(scalars.begin(), scalars.end(), scalar);
    if (found != scalars.end()) return static_cast<int>(found - scalars.begin());
    scalars.push_back(scalar);
    return static_cast<int>(scalars.size()) - 1;
  }

  void finish() {
    step_.kind = PlanStep::Kind::kernel;
    step_.scope = graph_[cluster_.roots[0].target].scope;
    int most = 0;
    for (const auto& [scope, nodes] : scopes_)
      if (nodes > most) {
        most = nodes;
        step_.scope = scope;
      }
    constexpr std::size_t most_names = 6;
    if (names_.empty()) names_.push_back(name(graph_[cluster_.roots[0].target].op));
    const std::size_t shown = std::min(names_.size(), most_names);
    step_.label =
        fmt::format("{}{}", joined(std::span(names_).first(shown), "+"),
                    names_.size() > shown ? fmt::format("+{} more", names_.size() - shown) : "");
    const Kernel& kernel = step_.kernel.kernel;
    for (const KernelInstr& instr : kernel.code)
      if (instr.op != KernelOp::Load && instr.op != KernelOp::Const && instr.op != KernelOp::Scalar)
        step_.flops += cluster_.space.elements();
  }

  struct Written {
    PlanValue value;
    AffineView flat;
    int instr;
  };
  const PlanGraph& graph_;
  const Fusion& fusion_;
  BufferTable& table_;
  const int number_;
  const Cluster& cluster_;
  PlanStep step_;
  std::vector<Written> written_;
  std::vector<std::string_view> names_;
  std::map<std::uint32_t, int> scopes_;  // operations by scope
};

/// A matrix operand seen through the views that fusion left uncomputed.
PlanOperand strided_operand(const PlanGraph& graph, const Fusion& fusion, BufferTable& table,
                            PlanValue value) {
  PlanOperand operand;
  operand.shape = graph[value.node].shape(value.output);
  operand.dtype = graph[value.node].dtype(value.output);
  const Shape space = operand.shape;
  IndexMap map = identity_map(space.rank());
  while (!fusion.stored[static_cast<std::size_t>(value.node)]) {
    const PlanNode& view = graph[value.node];
    const PlanValue input = view.inputs[0];
    map = *through_view(view.op, view.attrs.data(), graph[input.node].shape(input.output),
                        view.shape(), map, space.extents());
    value = input;
    operand.strided = true;
  }
  operand.buffer = table.of(value);
  if (operand.strided) operand.view = flatten(map, graph[value.node].shape(value.output));
  return operand;
}

std::int64_t contraction_flops(const PlanNode& node, const PlanGraph& graph) {
  const Shape& out = node.shape();
  const Shape& a = graph[node.inputs[0].node].shape(node.inputs[0].output);
  const Shape& b = graph[node.inputs[1].node].shape(node.inputs[1].output);
  if (node.op == Op::MatMul) return 2 * out.elements() * a[a.rank() - 1];
  const auto& conv = node.attr<ConvAttrs>();
  // Every role does the trilinear form's work: outputs times the kernel's extent.
  const Shape& y = conv.role == ConvAttrs::out ? out : conv.role == ConvAttrs::grad_input ? a : b;
  const Shape& w = conv.role == ConvAttrs::grad_weight ? out : b;
  return w.rank() == 0 || w[0] == 0 ? 0 : 2 * y.elements() * (w.elements() / w[0]);
}

PlanStep primitive_step(const PlanGraph& graph, const Fusion& fusion, BufferTable& table,
                        int number) {
  const PlanNode& node = graph[number];
  PlanStep step;
  step.kind = PlanStep::Kind::primitive;
  step.scope = node.scope;
  step.label = name(node.op);
  PrimitiveStep& primitive = step.primitive;
  primitive.op = node.op;
  primitive.attrs = node.attrs;
  if (node.op == Op::Scalar) primitive.scalar = table.scalar(node);
  for (const PlanValue& input : node.inputs)
    primitive.inputs.push_back(strided_operand(graph, fusion, table, input));
  for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output)
    primitive.outputs.push_back(
        {table.of({number, output}), node.shape(output), node.dtype(output), false, {}});
  if (node.op == Op::MatMul || node.op == Op::Conv) step.flops = contraction_flops(node, graph);
  return step;
}

/// What the step reads and writes of its buffers: a part of one counts as that part.
std::int64_t moved_bytes(const PlanStep& step, const Plan& plan) {
  std::int64_t total = 0;
  if (step.kind == PlanStep::Kind::primitive) {
    const StepAccess access = access_of(step);
    for (const int b : access.reads) total += plan.buffers[static_cast<std::size_t>(b)].bytes;
    for (const int b : access.writes) total += plan.buffers[static_cast<std::size_t>(b)].bytes;
    return total;
  }
  const Kernel& kernel = step.kernel.kernel;
  const auto add = [&](int number, const AffineView& view) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(
        step.kernel.buffers[static_cast<std::size_t>(number)])];
    std::int64_t bytes = static_cast<std::int64_t>(size_of(buffer.dtype));
    for (std::size_t d = 0; d < static_cast<std::size_t>(kernel.rank); ++d)
      if (view.stride[d] != 0) bytes *= kernel.extents[d];
    total += std::min(bytes, buffer.bytes);
  };
  for (const KernelInstr& instr : kernel.code)
    if (instr.op == KernelOp::Load) add(instr.imm, instr.view);
  for (const KernelStore& store : kernel.stores) add(store.buffer, store.view);
  return total;
}

}  // namespace

StepAccess access_of(const PlanStep& step) {
  StepAccess access;
  if (step.kind != PlanStep::Kind::primitive) {
    for (const KernelInstr& instr : step.kernel.kernel.code)
      if (instr.op == KernelOp::Load)
        access.reads.push_back(step.kernel.buffers[static_cast<std::size_t>(instr.imm)]);
    for (const KernelStore& store : step.kernel.kernel.stores)
      access.writes.push_back(step.kernel.buffers[static_cast<std::size_t>(store.buffer)]);
  }
  if (step.kind != PlanStep::Kind::kernel) {
    for (const PlanOperand& input : step.primitive.inputs) access.reads.push_back(input.buffer);
    for (const PlanOperand& output : step.primitive.outputs) access.writes.push_back(output.buffer);
  }
  return access;
}

void lower(const PlanGraph& graph, const Fusion& fusion, const Backend& backend, Plan& plan) {
  BufferTable table(graph, fusion, plan);
  // Steps roughly in the order of the graph: a cluster stands where its last root does.
  std::vector<std::vector<int>> clusters_at(graph.nodes.size());
  for (std::size_t c = 0; c < fusion.clusters.size(); ++c) {
    int last = 0;
    for (const KernelRoot& root : fusion.clusters[c].roots) last = std::max(last, root.target);
    clusters_at[static_cast<std::size_t>(last)].push_back(static_cast<int>(c));
  }
  for (int node = 0; node < graph.size(); ++node) {
    for (const int c : clusters_at[static_cast<std::size_t>(node)])
      plan.steps.push_back(KernelWriter(graph, fusion, table, c).write());
    if (kind_of(graph[node], graph, backend) == NodeKind::primitive)
      plan.steps.push_back(primitive_step(graph, fusion, table, node));
  }
  for (PlanStep& step : plan.steps) step.bytes = moved_bytes(step, plan);
  for (const PlanGraph::Result& result : graph.results)
    plan.outputs.push_back({result.node, result.output, table.of(result.value)});
}

}  // namespace genera
