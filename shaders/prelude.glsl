// In front of every shader: arithmetic whose results do not depend on the driver. The formulas are those of
// backends/cpu/tile_math.cpp, whose comments explain them; primitives.def has their error bounds.

bool g_isnan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }

float g_max(float a, float b) { return g_isnan(a) || a > b ? a : b; }
int g_max(int a, int b) { return max(a, b); }
uint g_max(uint a, uint b) { return max(a, b); }

float g_relu(float x) { return g_isnan(x) || x > 0.0 ? x : 0.0; }
int g_relu(int x) { return max(x, 0); }
uint g_relu(uint x) { return x; }

float g_upper_half(float x) { return uintBitsToFloat(floatBitsToUint(x) & 0xfffff000u); }

// a b + c rounded once, but for ties: a driver's fma may round twice. The product's error from halves of the factors (Dekker, "A
// floating-point technique for extending the available precision", 1971), the sum's as Knuth; scaled where the product could overflow.
float g_fma(float a, float b, float c) {
  bool far = !(abs(a * b) < 1e37 && abs(c) < 1e37);
  if (far) {
    a *= 2.3283064365386963e-10;
    c *= 2.3283064365386963e-10;
  }
  float p = a * b, s = p + c;
  if (abs(s) <= 3.4028234e38) {
    float a1 = g_upper_half(a), a0 = a - a1, b1 = g_upper_half(b), b0 = b - b1;
    float lost_product = ((a1 * b1 - p) + a1 * b0 + a0 * b1) + a0 * b0;
    float z = s - p;
    float lost = ((p - (s - z)) + (c - z)) + lost_product;
    if (lost != 0.0) s += lost;
  }
  return far ? s * 4294967296.0 : s;
}

// Drivers may be 2.5 ulp off; one step of Newton's iteration on the exact remainder mends what is in the middle of the range.
float g_div(float a, float b) {
  float q = a / b;
  float quotient = abs(q), divisor = abs(b), dividend = abs(a);
  if (quotient > 1e-15 && quotient < 1e15 && divisor > 1e-15 && divisor < 1e15 && dividend > 1e-15)
    q = q + g_fma(-q, b, a) * (1.0 / b);
  return q;
}
int g_div(int a, int b) {
  if (b == 0) return 0;
  if (b == -1) return -a;
  int q = a / b;
  return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}
uint g_div(uint a, uint b) { return b == 0u ? 0u : a / b; }

float g_sqrt(float x) {
  float y = sqrt(x);
  if (x > 1e-15 && x < 1e30) y = y + g_fma(-y, y, x) * (0.5 / y);
  return y;
}

int g_to_int(float x) {
  if (g_isnan(x)) return 0;
  if (x >= 2147483648.0) return 0x7fffffff;
  if (x < -2147483648.0) return int(0x80000000u);
  return int(x);
}
uint g_to_uint(float x) {
  if (!(x > 0.0)) return 0u;
  return x >= 4294967296.0 ? 0xffffffffu : uint(x);
}

float g_from_half(uint bits) {
  uint sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, mantissa = bits & 0x3ffu;
  if (exponent == 0x1fu) return uintBitsToFloat(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0u)
    return uintBitsToFloat(sign | floatBitsToUint(float(mantissa) * 5.9604644775390625e-8));
  return uintBitsToFloat(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}
uint g_to_half(float value) {
  uint f = floatBitsToUint(value);
  uint sign = (f >> 16) & 0x8000u, magnitude = f & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  if (magnitude < 0x38800000u)
    return sign | (floatBitsToUint(uintBitsToFloat(magnitude) + 0.5) - 0x3f000000u);
  return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13);
}
float g_from_bfloat(uint bits) { return uintBitsToFloat(bits << 16); }
uint g_to_bfloat(float value) {
  uint f = floatBitsToUint(value);
  if ((f & 0x7fffffffu) > 0x7f800000u) return (f >> 16) | 0x40u;
  return (f + 0x7fffu + ((f >> 16) & 1u)) >> 16;
}

// 2^n, -126 <= n <= 127.
float g_power_of_two(int n) { return intBitsToFloat((n + 127) << 23); }

// x = n ln 2 + r; returns e^r - 1.
float g_exp_parts(float x, out int n) {
  float shifted = fma(x, 1.44269504089, 12582912.0);
  float whole = shifted - 12582912.0;
  float r = fma(-whole, uintBitsToFloat(0x3f317200u), x);
  r = fma(-whole, uintBitsToFloat(0x35bfbe8eu), r);
  float p = fma(0.00139262508315, r, 0.00836323288368);
  p = fma(p, r, 0.041666554213);
  p = fma(p, r, 0.166665766661);
  p = fma(p, r, 0.5);
  n = floatBitsToInt(shifted) - floatBitsToInt(12582912.0);
  return fma(r * r, p, r);
}
float g_exp_clamped(float x) {
  int n;
  float y = g_exp_parts(x, n) + 1.0;
  int lower = n >> 1;
  return (y * g_power_of_two(lower)) * g_power_of_two(n - lower);
}
float g_exp_below(float x) { return x < -104.0 ? 0.0 : g_exp_clamped(x); }
float g_exp(float x) {
  if (g_isnan(x)) return x;
  if (x > 89.0) return uintBitsToFloat(0x7f800000u);
  return g_exp_below(x);
}

float g_expm1_clamped(float x) {
  int n;
  float q = g_exp_parts(x, n);
  float s = g_power_of_two(n - 1);
  float y = fma(s, q, s - 0.5);
  return y + y;
}
float g_expm1(float x) {
  if (g_isnan(x) || abs(x) < uintBitsToFloat(0x33000000u)) return x;
  if (x > 89.0) return uintBitsToFloat(0x7f800000u);
  return g_expm1_clamped(x < -20.0 ? -20.0 : x);
}

// k ln 2 + ln(1 + f) + c.
float g_log_polynomial(float k, float f, float c) {
  float z = f * f;
  float p = fma(0.069714784953, f, -0.114814069723);
  p = fma(p, f, 0.116862220345);
  p = fma(p, f, -0.124255237216);
  p = fma(p, f, 0.142489674019);
  p = fma(p, f, -0.166678060401);
  p = fma(p, f, 0.200007182426);
  p = fma(p, f, -0.249999969448);
  p = fma(p, f, 0.333333311704);
  p = fma(f * z, p, c);
  p = fma(k, uintBitsToFloat(0x35bfbe8eu), p);
  p = fma(-0.5, z, p);
  return fma(k, uintBitsToFloat(0x3f317200u), f + p);
}
float g_log(float x) {
  if (g_isnan(x)) return x;
  if (x == 0.0) return uintBitsToFloat(0xff800000u);
  if (x < 0.0) return uintBitsToFloat(0x7fc00000u);
  if (floatBitsToUint(x) == 0x7f800000u) return x;
  bool tiny = x < uintBitsToFloat(0x00800000u);
  int bits = floatBitsToInt(tiny ? x * 8388608.0 : x);
  int k = (bits - 0x3f3504f3) >> 23;
  float f = intBitsToFloat(bits - (k << 23)) - 1.0;
  return g_log_polynomial(float(k) + (tiny ? -23.0 : 0.0), f, 0.0);
}
float g_log1p(float x) {
  if (g_isnan(x) || abs(x) < uintBitsToFloat(0x33000000u)) return x;
  if (x < -1.0) return uintBitsToFloat(0x7fc00000u);
  float u = 1.0 + x;
  if (u == 0.0) return uintBitsToFloat(0xff800000u);
  if (floatBitsToUint(u) == 0x7f800000u) return u;
  float lost = x >= 1.0 ? 1.0 - (u - x) : x - (u - 1.0);
  int bits = floatBitsToInt(u);
  int k = (bits - 0x3f3504f3) >> 23;
  if (k == 0) return g_log_polynomial(0.0, x, 0.0);
  return g_log_polynomial(float(k), intBitsToFloat(bits - (k << 23)) - 1.0, lost / u);
}

float g_copy_sign(float magnitude, float sign) {
  return uintBitsToFloat((floatBitsToUint(magnitude) & 0x7fffffffu) |
                         (floatBitsToUint(sign) & 0x80000000u));
}
float g_tanh(float x) {
  if (g_isnan(x)) return x;
  float a = abs(x);
  if (a > 10.0) a = 10.0;
  float t = g_expm1_clamped(a + a);
  return g_copy_sign(g_div(t, t + 2.0), x);
}
float g_sigmoid(float x) {
  if (g_isnan(x)) return x;
  float e = g_exp_below(-abs(x));
  return g_div(x < 0.0 ? e : 1.0, 1.0 + e);
}
float g_softplus(float x) {
  if (g_isnan(x)) return x;
  float e = g_exp_below(-abs(x));
  bool large = e > 0.41421356;
  float f = large ? fma(e, 0.5, -0.5) : e;
  return g_log_polynomial(large ? 1.0 : 0.0, f, 0.0) + (x < 0.0 ? 0.0 : x);
}
float g_erf(float x) {
  if (g_isnan(x)) return x;
  float a = abs(x);
  if (a < 0.92) {
    float s = x * x;
    float p = fma(8.20416967616e-5, s, -0.000810291556098);
    p = fma(p, s, 0.00519748722663);
    p = fma(p, s, -0.0268579590627);
    p = fma(p, s, 0.112836694686);
    p = fma(p, s, -0.376126320471);
    p = fma(p, s, 0.128379166465);
    return fma(x, p, x);
  }
  if (a > 4.0) a = 4.0;
  float p = fma(1.6435696536e-6, a, -4.61779127904e-5);
  p = fma(p, a, 0.000597743471961);
  p = fma(p, a, -0.00476357524915);
  p = fma(p, a, 0.0264310176034);
  p = fma(p, a, -0.110094480828);
  p = fma(p, a, -0.631814516659);
  p = fma(p, a, -1.13023761637);
  p = fma(p, a, 0.000320441531277);
  return g_copy_sign(1.0 - g_exp_clamped(p), x);
}

// x modulo pi for |x| >= 2^17: 96 bits of 1/pi that matter.
float g_reduce_huge(float x, out bool odd) {
  const uint inverse_pi[8] = uint[8](0u, 0x517cc1b7u, 0x27220a94u, 0xfe13abe8u, 0xfa9a6ee0u,
                                     0x6db14accu, 0x9e21c820u, 0xff28b1d5u);
  uint bits = floatBitsToUint(x);
  uint m = (bits & 0x7fffffu) | 0x800000u;
  int first = int((bits >> 23) & 0xffu) - 150 - 1 + 32;
  int word = first >> 5, shift = first & 31;
  uint w[3];
  for (int i = 0; i < 3; ++i)
    w[i] = shift == 0 ? inverse_pi[word + i]
                      : (inverse_pi[word + i] << shift) | (inverse_pi[word + i + 1] >> (32 - shift));
  uint low_high, low, middle_high, middle, carry;
  umulExtended(m, w[2], low_high, low);
  umulExtended(m, w[1], middle_high, middle);
  middle = uaddCarry(middle, low_high, carry);
  uint high = m * w[0] + middle_high + carry;
  odd = ((high >> 31) ^ ((high >> 30) & 1u)) != 0u;
  int upper = int((high << 1) | (middle >> 31));
  float fraction = float(upper) * 2.3283064365386963e-10 +
                   float(middle << 1) * 5.421010862427522e-20;
  float r = fraction * 3.14159265358979;
  return (bits >> 31) != 0u ? -r : r;
}
float g_sin(float x) {
  uint magnitude = floatBitsToUint(x) & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) return uintBitsToFloat(0x7fc00000u);
  if (magnitude < 0x39000000u) return x;
  float r;
  uint sign;
  if (magnitude >= 0x48000000u) {
    bool odd;
    r = g_reduce_huge(x, odd);
    sign = odd ? 0x80000000u : 0u;
  } else {
    float shifted = fma(x, 0.318309886184, 12582912.0);
    float n = shifted - 12582912.0;
    sign = floatBitsToUint(shifted) << 31;
    r = g_fma(-n, uintBitsToFloat(0x40490fdbu), x);
    r = g_fma(-n, uintBitsToFloat(0xb3bbbd2eu), r);
    r = g_fma(-n, uintBitsToFloat(0xa7772cedu), r);
  }
  float s = r * r;
  float p = fma(-2.4022192272e-8, s, 2.75338818816e-6);
  p = fma(p, s, -0.000198410513669);
  p = fma(p, s, 0.00833333261941);
  p = fma(p, s, -0.166666666629);
  return uintBitsToFloat(floatBitsToUint(fma(r * s, p, r)) ^ sign);
}
float g_atan(float x) {
  if (g_isnan(x)) return x;
  float a = abs(x);
  bool large = a > 1.0;
  float t = large ? g_div(1.0, a) : a;
  float s = t * t;
  float p = fma(-0.0017936202895, s, 0.0109145989583);
  p = fma(p, s, -0.0311778321419);
  p = fma(p, s, 0.0579575784222);
  p = fma(p, s, -0.0840344933602);
  p = fma(p, s, 0.109521853857);
  p = fma(p, s, -0.142642415927);
  p = fma(p, s, 0.199985482744);
  p = fma(p, s, -0.333332990887);
  float y = fma(t * s, p, t);
  return g_copy_sign(large ? 1.57079632679 - y : y, x);
}

// Philox4x32-10 (engine/core/philox.h): the word of element `index` under `key`.
uint g_random(uvec2 key, uint index) {
  uvec4 c = uvec4(index / 4u, 0u, 0u, 0u);
  for (int round = 0; round < 10; ++round) {
    uint high0, low0, high1, low1;
    umulExtended(0xd2511f53u, c.x, high0, low0);
    umulExtended(0xcd9e8d57u, c.z, high1, low1);
    c = uvec4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
    key += uvec2(0x9e3779b9u, 0xbb67ae85u);
  }
  uint lane = index & 3u;
  return lane == 0u ? c.x : lane == 1u ? c.y : lane == 2u ? c.z : c.w;
}
float g_uniform(uint word) { return float(word >> 8) * 5.9604644775390625e-8; }
