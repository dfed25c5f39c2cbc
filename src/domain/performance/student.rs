/// The probability that a variable of Student's t distribution with `freedom` degrees of freedom (not necessarily whole)
/// is below `t`.
///
/// By the regularised incomplete beta function (Abramowitz and Stegun 26.7.1): `P(T > t) = ½·I(ν/(ν + t²); ν/2, ½)` for
/// t ≥ 0.
pub(super) fn cdf(t: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The regularised incomplete beta function I(x; a, b).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x >= 1.0 { 1.0 } else { 0.0 };
    }
    let logarithm = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (-x).ln_1p();
    let front = logarithm.exp();
    // The fraction converges fast below the mean only; the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method. It needs
/// about √max(a, b) steps.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const STEPS: u32 = 1_000;
    let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut under = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let (mut over, mut fraction) = (1.0, under);
    for step in 1..=STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            under = 1.0 / nonzero(1.0 + term * under);
            over = nonzero(1.0 + term / over);
            change = under * over;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}
