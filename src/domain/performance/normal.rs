use std::f64::consts::{PI, SQRT_2};

/// The probability that a standard normal variable is below `x`.
pub fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// The value that a standard normal variable is below with probability `p`; none outside of 0 to 1 or at its ends.
///
/// Acklam's rational approximation (2003, relative error 1.15e-9), then one step of Halley's method on [`cdf`], which
/// brings it to full precision.
pub fn quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    // The lower half only: above it, 1 - p is exact and its tail keeps all digits.
    if p > 0.5 {
        return quantile(1.0 - p).map(|x| -x);
    }
    let rough = if p < 0.024_25 {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&TAIL_OVER, q) / (polynomial(&TAIL_UNDER, q) * q + 1.0)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&MIDDLE_OVER, r) * q / (polynomial(&MIDDLE_UNDER, r) * r + 1.0)
    };
    let error = (cdf(rough) - p) * (2.0 * PI).sqrt() * (rough * rough / 2.0).exp();
    Some(if error.is_finite() { rough - error / (1.0 + rough * error / 2.0) } else { rough })
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

const MIDDLE_OVER: [f64; 6] = [
    -3.969_683_028_665_376e1,
    2.209_460_984_245_205e2,
    -2.759_285_104_469_687e2,
    1.383_577_518_672_69e2,
    -3.066_479_806_614_716e1,
    2.506_628_277_459_239,
];
const MIDDLE_UNDER: [f64; 5] = [
    -5.447_609_879_822_406e1,
    1.615_858_368_580_409e2,
    -1.556_989_798_598_866e2,
    6.680_131_188_771_972e1,
    -1.328_068_155_288_572e1,
];
const TAIL_OVER: [f64; 6] = [
    -7.784_894_002_430_293e-3,
    -3.223_964_580_411_365e-1,
    -2.400_758_277_161_838,
    -2.549_732_539_343_734,
    4.374_664_141_464_968,
    2.938_163_982_698_783,
];
const TAIL_UNDER: [f64; 4] =
    [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
