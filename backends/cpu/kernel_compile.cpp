// From values to passes: which values are computed how often, in which order, in which tiles.
#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "backends/cpu/kernel_program.h"

namespace genera::cpu {
namespace {

using Kind = Value::Kind;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Nanoseconds per element on one core with 512-bit vectors; only the order of magnitude matters.
double step_cost(TileOp op) {
  constexpr double addition = 0.06;
  if (op == TileOp::Div_i32 || op == TileOp::Div_u32)
    return 50 * addition;  // no such SIMD instruction
  if (op == TileOp::div_root) return (info(Op::Div).cost + info(Op::Sqrt).cost) * addition;
  switch (op) {
#define GENERA_UNARY(Name, ...) \
  case TileOp::Name##_f32:      \
  case TileOp::Name##_i32:      \
  case TileOp::Name##_u32:      \
    return info(Op::Name).cost * addition;
#define GENERA_BINARY(...) GENERA_UNARY(__VA_ARGS__)
#define GENERA_TERNARY(...) GENERA_UNARY(__VA_ARGS__)
#include "engine/graph/primitives.def"
    default:
      return addition;
  }
}

class Compiler {
 public:
  Compiler(const Kernel& kernel, const Lowered& lowered, const Space& space, bool stash)
      : kernel_(kernel), values_(lowered.values), outputs_(lowered.outputs), stash_(stash) {
    program_.space = space;
    elementwise_ = space.elementwise;
  }

  Program run() {
    for (Value& v : values_) classify(v);
    join_values(values_, outputs_);
    materialise();
    if (values_.size() > at(Program::max_values))
      throw ArgumentError(fmt::format("[kernel] {} values are too many", values_.size()));
    collect_uniform();
    int last = -1;  // the last pass
    for (const Value& v : values_)
      if (v.kind == Kind::reduce && v.used) last = std::max(last, v.stage - 1);
    for (const Output& o : outputs_)
      if (!o.kept) last = std::max(last, value(o.value).stage);
    program_.kept_slot.assign(values_.size(), -1);
    first_pass_.assign(values_.size(), -1);
    stash_of_.assign(values_.size(), -1);
    for (int p = 0; p <= last; ++p) build_pass(p, p == last);
    for (Pass& pass : program_.passes) assign_tiles(pass);
    for (int s = 0; s <= last + 1; ++s) build_stage(s);
    for (const Output& o : outputs_)
      if (o.kept) program_.kept_sinks.push_back(make_sink(o));
    program_.value_count = static_cast<int>(values_.size());
    return std::move(program_);
  }

 private:
  Value& value(int i) { return values_[at(i)]; }

  void classify(Value& v) {
    if (v.kind == Kind::load || v.kind == Kind::iota || v.kind == Kind::random) {
      v.level = Level::uniform;
      for (int d = 0; d < kernel_.rank; ++d) {
        if (kernel_.extents[at(d)] == 1 || v.view.stride[at(d)] == 0) continue;
        v.level = std::max(v.level, program_.space.is_inner(d) ? Level::full : Level::kept);
      }
      return;
    }
    if (v.kind == Kind::reduce) {
      v.level = Level::kept;
      v.stage = value(v.a).stage + 1;
      return;
    }
    for (const std::int16_t operand : {v.a, v.b, v.c}) {
      if (operand < 0) continue;
      v.level = std::max(v.level, value(operand).level);
      v.stage = std::max(v.stage, value(operand).stage);
    }
  }

  std::int16_t add_copy(std::int16_t of, Level level) {
    Value copy;
    copy.kind = Kind::map;
    copy.op = TileOp::copy;
    copy.type = value(of).type;
    copy.a = of;
    copy.level = level;
    copy.stage = value(of).stage;
    values_.push_back(copy);
    return static_cast<std::int16_t>(values_.size() - 1);
  }

  /// Gives stores and reductions operands of their own level. A loaded value that is stored as it
  /// is becomes a copy: another store might overwrite its memory before.
  void materialise() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i].kind != Kind::reduce || !values_[i].used ||
          value(values_[i].a).level == Level::full)
        continue;
      const std::int16_t copy = add_copy(values_[i].a, Level::full);
      values_[i].a = copy;
    }
    for (Output& o : outputs_) {
      if (elementwise_) o.kept = false;
      const Level wanted = o.kept ? Level::kept : Level::full;
      const Value& v = value(o.value);
      if (v.level > wanted)
        throw ArgumentError(
            fmt::format("[kernel] store of full value {} is marked as kept", o.value));
      if (v.level < wanted || (outputs_.size() > 1 && v.kind == Kind::load))
        o.value = add_copy(o.value, wanted);
    }
  }

  std::int32_t add_map(const AffineView& view, bool full, std::int32_t buffer) {
    static const std::vector<int> none;
    const Space& s = program_.space;
    const auto& outer = !full ? s.kept_dims : s.row_form ? s.kept_dims : s.inner_dims;
    const auto& inner = !full ? none : s.row_form ? s.inner_dims : s.kept_dims;
    program_.maps.push_back(make_map(view, kernel_.extents.data(), outer, inner));
    program_.map_views.push_back({view, full, buffer});
    return static_cast<std::int32_t>(program_.maps.size() - 1);
  }

  std::uint8_t element_size(std::int32_t buffer) const {
    const DType dtype = kernel_.buffers[at(buffer)];
    if (convert_kernels(dtype).load == nullptr)
      throw ArgumentError(fmt::format("[kernel] buffer {} has dtype {}, which kernels do not hold",
                                      buffer, name(dtype)));
    return static_cast<std::uint8_t>(size_of(dtype));
  }

  Source make_source(std::int16_t v) {
    const Value& x = value(v);
    Source s;
    s.value = v;
    s.kind = x.kind;
    s.imm = x.imm;
    s.map = add_map(x.view, x.level == Level::full, x.kind == Kind::load ? x.imm : -1);
    if (x.kind == Kind::load) {
      const DType dtype = kernel_.buffers[at(x.imm)];
      s.element_size = element_size(x.imm);
      s.zero_copy = s.element_size == 4;
      s.convert = convert_kernels(dtype).load;
      s.across = x.level == Level::full && crosses_rows(x.view);
      program_.transposes |= s.across;
      if (x.level == Level::full) s.period = period_of(s);
      const LaneType lanes = is_floating(dtype)    ? LaneType::f32
                             : dtype == DType::u32 ? LaneType::u32
                                                   : LaneType::i32;
      if (x.type != lanes)
        throw ArgumentError(
            fmt::format("[kernel] a load of {} has the wrong lane type", name(dtype)));
    } else if (x.kind == Kind::iota) {
      s.iota = iota_function(x.type);
    } else {
      s.random = random_function(x.uniform_random);
    }
    return s;
  }

  /// The period of an elementwise load that is broadcast along all outer dimensions, if it is
  /// short.
  std::int64_t period_of(const Source& s) const {
    constexpr std::int64_t longest = 256;
    const IndexMap& map = program_.maps[at(s.map)];
    if (!elementwise_ || program_.space.boxes || map.rank < 2 || map.stride[0] != 0) return 0;
    std::int64_t period = 1;
    for (int d = 1; d < map.rank; ++d) period *= map.extent[at(d)];
    return period <= longest ? period : 0;
  }

  /// The innermost dimension jumps, the one outside of it does not.
  bool crosses_rows(const AffineView& view) const {
    const Space& space = program_.space;
    if (!space.elementwise || space.inner_dims.empty() || space.kept_dims.empty()) return false;
    const std::int64_t inner = view.stride[at(space.inner_dims.back())];
    return view.stride[at(space.kept_dims.back())] == 1 && (inner < 0 || inner > 1);
  }

  Sink make_sink(const Output& o) {
    Sink s;
    s.value = o.value;
    s.buffer = o.buffer;
    s.element_size = element_size(o.buffer);
    s.convert = convert_kernels(kernel_.buffers[at(o.buffer)]).store;
    s.map = add_map(o.view, !o.kept, o.buffer);
    return s;
  }

  Step make_step(std::int16_t v) {
    const Value& x = value(v);
    Step s;
    s.out = v;
    s.a = x.a;
    s.b = x.b < 0 ? x.a : x.b;
    s.c = x.c < 0 ? x.a : x.c;
    unsigned rows = 0, tiles = 0, bit = 1;
    for (const std::int16_t operand : {x.a, x.b, x.c}) {
      if (operand >= 0 && x.level != Level::uniform) {
        const Level level = value(operand).level;
        if (level == Level::uniform) tiles |= bit;
        if (level < x.level) rows |= bit;
      }
      bit *= 2;
    }
    s.rows = make_form(x.op, rows);
    s.tiles = make_form(x.op, tiles);
    return s;
  }

  static StepForm make_form(TileOp op, unsigned single) {
    const auto moves = [&](unsigned bit) { return static_cast<std::uint8_t>((single & bit) == 0); };
    return {tile_function(op, single), {1, moves(1), moves(2), moves(4)}};
  }

  bool is_source(const Value& v) const {
    return v.kind == Kind::load || v.kind == Kind::iota || v.kind == Kind::random;
  }

  void collect_uniform() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const Value& v = values_[i];
      const auto name = static_cast<std::int16_t>(i);
      if (v.level != Level::uniform || !v.used) continue;
      program_.uniform_values.push_back(name);
      if (v.kind == Kind::constant) {
        program_.constants.emplace_back(name, v.bits);
      } else if (v.kind == Kind::scalar) {
        program_.scalars.push_back({name, v.imm, v.type});
      } else if (is_source(v)) {
        program_.uniform.sources.push_back(make_source(name));
      } else {
        program_.uniform.steps.push_back(make_step(name));
      }
    }
  }

  /// The full values that a pass must compute.
  std::vector<bool> needed_by(int pass, bool last) {
    std::vector<bool> needed(values_.size(), false);
    for (const Value& v : values_)
      if (v.kind == Kind::reduce && v.used && v.stage == pass + 1) needed[at(v.a)] = true;
    if (last)
      for (const Output& o : outputs_)
        if (!o.kept) needed[at(o.value)] = true;
    for (std::size_t i = values_.size(); i-- > 0;) {
      const Value& v = values_[i];
      if (!needed[i] || v.level != Level::full || v.kind == Kind::reduce) continue;
      if (keep(i)) continue;
      for (const std::int16_t operand : {v.a, v.b, v.c})
        if (operand >= 0) needed[at(operand)] = true;
    }
    return needed;
  }

  bool costly(std::size_t i) {
    const Value& v = values_[i];
    if (v.level != Level::full) return false;
    if (v.kind == Kind::random || (v.kind == Kind::map && step_cost(v.op) >= 0.4)) return true;
    for (const std::int16_t operand : {v.a, v.b, v.c})
      if (operand >= 0 && costly(at(operand))) return true;
    return false;
  }

  /// Whether a value is taken from an earlier pass; its operands are not needed then.
  bool keep(std::size_t i) {
    constexpr int most = 4;
    if (!stash_ || first_pass_[i] < 0) return false;
    if (stash_of_[i] >= 0) return true;
    if (program_.stash_count == most || !costly(i)) return false;
    stash_of_[i] = static_cast<std::int16_t>(program_.stash_count++);
    program_.passes[at(first_pass_[i])].stash.emplace_back(static_cast<std::int16_t>(i),
                                                           stash_of_[i]);
    return true;
  }

  void build_pass(int number, bool last) {
    Pass pass;
    const std::vector<bool> needed = needed_by(number, last);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!needed[i]) continue;
      const Value& v = values_[i];
      const auto name = static_cast<std::int16_t>(i);
      if (v.level == Level::kept) {
        pass.kept_values.push_back(name);
      } else if (v.level == Level::full) {
        if (stash_of_[i] >= 0) {
          pass.stash.emplace_back(name, stash_of_[i]);
          continue;
        }
        if (first_pass_[i] < 0) first_pass_[i] = number;
        if (is_source(v)) {
          pass.sources.push_back(make_source(name));
          program_.cost += v.kind == Kind::random ? 0.5 : 0.1;
        } else {
          pass.steps.push_back(make_step(name));
          program_.cost += step_cost(v.op);
        }
      }
    }
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const Value& v = values_[i];
      if (v.kind != Kind::reduce || !v.used || v.stage != number + 1) continue;
      Reduction r;
      r.source = v.a;
      r.result = static_cast<std::int16_t>(i);
      r.kernels = &reduce_kernels(v.type, v.max);
      r.empty = !v.max || v.boolean ? 0 : r.kernels->identity;
      pass.reductions.push_back(r);
      program_.cost += 0.06;
    }
    if (last)
      for (const Output& o : outputs_)
        if (!o.kept) {
          pass.sinks.push_back(make_sink(o));
          program_.cost += 0.1;
        }
    program_.max_reductions =
        std::max(program_.max_reductions, static_cast<int>(pass.reductions.size()));
    program_.passes.push_back(std::move(pass));
  }

  /// Where the values of a pass come from and how long they are needed, by value.
  struct Lives {
    static constexpr int end = std::numeric_limits<int>::max();
    std::vector<int> made;      ///< by this step, or -1
    std::vector<int> last_use;  ///< by this step; `end`: by reductions or sinks; -1: by nothing
    std::vector<bool> stashed;
    std::vector<bool> filled;  ///< by its source: see Source
    bool passing(std::int16_t v) const {
      return made[at(v)] >= 0 && last_use[at(v)] != end && !stashed[at(v)];
    }
  };

  Lives lives_in(const Pass& pass) const {
    const std::size_t count = values_.size();
    Lives lives{std::vector<int>(count, -1), std::vector<int>(count, -1),
                std::vector<bool>(count, false), std::vector<bool>(count, false)};
    for (std::size_t i = 0; i < pass.steps.size(); ++i) {
      const Step& s = pass.steps[i];
      for (const std::int16_t operand : {s.a, s.b, s.c})
        lives.last_use[at(operand)] = static_cast<int>(i);
      lives.made[at(s.out)] = static_cast<int>(i);
    }
    for (const Reduction& r : pass.reductions) lives.last_use[at(r.source)] = Lives::end;
    for (const Sink& s : pass.sinks) lives.last_use[at(s.value)] = Lives::end;
    for (const auto& [v, number] : pass.stash) lives.stashed[at(v)] = true;
    return lives;
  }

  /// Linear scan over the steps, for tiles and for the parts that passing values need.
  void assign_tiles(Pass& pass) {
    Lives lives = lives_in(pass);
    std::vector<int> tile(values_.size(), -1), free_tiles, free_passing;
    const auto take = [&](std::int16_t v) {
      const bool passing = lives.passing(v);
      std::vector<int>& free = passing ? free_passing : free_tiles;
      if (free.empty()) free.push_back(passing ? pass.passing_count++ : pass.tile_count++);
      tile[at(v)] = free.back();
      free.pop_back();
      (passing ? pass.passing : pass.tiles).emplace_back(v, static_cast<std::int16_t>(tile[at(v)]));
    };
    for (Source& s : pass.sources) {
      const IndexMap& map = program_.maps[at(s.map)];
      const bool scattered = map.rank > 0 && map.stride[at(map.rank - 1)] != 1;
      s.filled = !s.zero_copy || (scattered && !program_.space.boxes);
      lives.filled[at(s.value)] = s.filled;
      const bool neighbours = map.contiguous() && !program_.space.boxes && !program_.transposes;
      if (lives.stashed[at(s.value)] || (s.zero_copy && neighbours)) continue;
      take(s.value);
      s.tile = static_cast<std::int16_t>(tile[at(s.value)]);
      if (s.period > 0) lives.last_use[at(s.value)] = Lives::end;  // nothing else may use its tile
    }
    for (std::size_t i = 0; i < pass.steps.size(); ++i) {
      Step& s = pass.steps[i];
      for (const std::int16_t operand : {s.a, s.b, s.c}) {
        int& t = tile[at(operand)];
        if (t >= 0 && lives.last_use[at(operand)] == static_cast<int>(i)) {
          (lives.passing(operand) ? free_passing : free_tiles).push_back(t);
          t = -1;
        }
      }
      if (!lives.stashed[at(s.out)]) take(s.out);
      const std::array operands{s.out, s.a, s.b, s.c};
      for (std::size_t o = 0; o < operands.size(); ++o)
        if (lives.passing(operands[o])) s.rows.moves[o] = s.tiles.moves[o] = 0;
    }
    find_direct_sinks(pass, lives, tile);
  }

  /// `tile`: of each value after the last step, or -1.
  void find_direct_sinks(Pass& pass, const Lives& lives, const std::vector<int>& tile) const {
    std::vector<bool> direct(values_.size(), false);
    for (Sink& s : pass.sinks) {
      const int made = lives.made[at(s.value)];
      const bool possible = (made >= 0 || lives.filled[at(s.value)]) && tile[at(s.value)] >= 0;
      if (!possible || s.element_size != 4 || direct[at(s.value)]) continue;
      s.direct = direct[at(s.value)] = true;
      s.tile = static_cast<std::int16_t>(tile[at(s.value)]);
      for (std::size_t i = 0; i < pass.sources.size(); ++i)
        if (lives.last_use[at(pass.sources[i].value)] > made) s.hazards |= std::uint64_t{1} << i;
    }
  }

  /// Kept values of this stage. All of them are kept: a pass or a store may read any.
  void build_stage(int number) {
    Stage stage;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const Value& v = values_[i];
      if (v.level != Level::kept || v.stage != number || !v.used) continue;
      const auto name = static_cast<std::int16_t>(i);
      program_.kept_slot[i] = static_cast<std::int16_t>(program_.kept_count++);
      if (is_source(v)) stage.sources.push_back(make_source(name));
      if (v.kind == Kind::map) stage.steps.push_back(make_step(name));
    }
    program_.stages.push_back(std::move(stage));
  }

  const Kernel& kernel_;
  std::vector<Value> values_;
  std::vector<Output> outputs_;
  bool stash_;
  bool elementwise_ = false;
  std::vector<int> first_pass_;         // per value: the pass that computed it first, or -1
  std::vector<std::int16_t> stash_of_;  // per value: its number in the stash, or -1
  Program program_;
};

}  // namespace

Program compile(const Kernel& kernel, const Lowered& lowered, const Space& space, bool stash) {
  return Compiler(kernel, lowered, space, stash).run();
}

}  // namespace genera::cpu
